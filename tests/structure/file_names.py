#!/usr/bin/env python3
"""A source file's name is found once in the repository, so that it can be cited without its folder.

usage: file_names.py ROOT
"""

import collections
import os
import sys

import repository

SUFFIXES = repository.SOURCE_SUFFIXES + (".py", ".rs", ".go")
# Names that a language gives a meaning of their own.
FIXED_BY_LANGUAGE = {"__init__.py", "__main__.py", "conftest.py", "setup.py", "build.rs", "lib.rs", "main.rs", "mod.rs", "doc.go"}  # fmt: skip


def check(root):
    places = collections.defaultdict(list)
    files = repository.source_files(root, SUFFIXES)
    for path in files:
        places[os.path.basename(path)].append(path)
    problems = [
        f"{name} is the name of {len(paths)} files: {', '.join(paths)}"
        for name, paths in sorted(places.items())
        if len(paths) > 1 and name not in FIXED_BY_LANGUAGE
    ]
    return problems, f"the names of {len(files)} files are unique"


if __name__ == "__main__":
    repository.finish(*check(sys.argv[1]))
