#!/usr/bin/env python3
"""The tests that the specification names exist: every `Suite.Name` of docs/ is a TEST of tests/, every
`fuzz_name` a target of tests/fuzz/, every `test_name` a function of a Python test of bindings/, and every `TestName` one of a Go test.

usage: documented_tests.py ROOT
"""

import re
import sys

import repository

TEST = re.compile(r"\bTEST(?:_F|_P)?\(\s*(\w+)\s*,\s*(\w+)\s*\)")
PYTHON_TEST = re.compile(r"^(?:async )?def (test_\w+)\(", re.MULTILINE)
GO_TEST = re.compile(r"^func (Test\w+)\(\w+ \*testing\.T\)", re.MULTILINE)
NAMED = re.compile(r"`([A-Z]\w+\.[A-Z]\w+|(?:fuzz|test)_\w+|Test[A-Z]\w+)`")
FUZZ_TARGET = re.compile(r"^tests/fuzz/(fuzz_\w+)\.cpp$")


def check(root):
    existing = {
        f"{suite}.{name}"
        for path in repository.source_files(root, (".cpp",))
        if path.startswith("tests/")
        for suite, name in TEST.findall(repository.read(root, path))
    }
    existing.update(
        target[1]
        for path in repository.source_files(root, (".cpp",))
        if (target := FUZZ_TARGET.match(path))
    )
    for path in repository.source_files(root, (".py",)):
        if path.startswith("bindings/"):
            existing.update(PYTHON_TEST.findall(repository.read(root, path)))
    for path in repository.source_files(root, ("_test.go",)):
        if path.startswith("bindings/"):
            existing.update(GO_TEST.findall(repository.read(root, path)))
    problems, named = [], 0
    for path in repository.source_files(root, (".md",)):
        if not path.startswith("docs/"):
            continue
        for name in NAMED.findall(repository.read(root, path)):
            named += 1
            if name not in existing:
                problems.append(f"{path}: there is no test {name}")
    return problems, f"all {named} tests that docs/ names exist"


if __name__ == "__main__":
    repository.finish(*check(sys.argv[1]))
