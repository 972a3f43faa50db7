#!/usr/bin/env python3
"""The programs that the specification quotes are the ones that are compiled and run: each block of C
or C++ in docs/ that begins with a comment naming a file of examples/ is that file, word for word.

usage: quoted_programs.py ROOT
"""

import os
import re
import sys

import repository

BLOCK = re.compile(r"^```c(?:pp)?\n(/[*/] (examples/[\w/.]+):.*?)^```$", re.MULTILINE | re.DOTALL)


def check(root):
    problems, quoted = [], set()
    for path in repository.source_files(root, (".md",)):
        if not path.startswith("docs/"):
            continue
        for text, name in BLOCK.findall(repository.read(root, path)):
            quoted.add(name)
            if not os.path.exists(os.path.join(root, name)):
                problems.append(f"{path}: there is no {name}")
            elif repository.read(root, name) != text:
                problems.append(f"{path}: {name} is another program by now")
    for path in repository.source_files(root, repository.SOURCE_SUFFIXES):
        if path.startswith(("examples/tutorials/", "examples/cpp/")) and path not in quoted:
            problems.append(f"{path}: no page of docs/ shows it")
    return problems, f"{len(quoted)} programs are quoted as they are"


if __name__ == "__main__":
    repository.finish(*check(sys.argv[1]))
