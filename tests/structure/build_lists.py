#!/usr/bin/env python3
"""Every source file is built: the nearest meson.build above a .c or .cpp file names it.

Meson itself refuses a name without a file; this is the other direction, where a forgotten unit
test would pass by never running.

usage: build_lists.py ROOT
"""

import os
import sys

import repository

FOLDERS = ("src/", "capi/", "tests/", "tools/", "examples/", "bindings/python/")


def nearest_meson_build(root, path):
    folder = os.path.dirname(path)
    while True:
        candidate = os.path.join(folder, "meson.build")
        if os.path.isfile(os.path.join(root, candidate)):
            return candidate
        if not folder:
            return None
        folder = os.path.dirname(folder)


def check(root):
    problems = []
    files = [
        path
        for path in repository.source_files(root, (".c", ".cpp"))
        if path.startswith(FOLDERS)
    ]
    for path in files:
        build_file = nearest_meson_build(root, path)
        if build_file is None:
            problems.append(f"{path}: no meson.build above it")
            continue
        name = os.path.relpath(path, os.path.dirname(build_file) or ".").replace(os.sep, "/")
        if f"'{name}'" not in repository.read(root, build_file):
            problems.append(f"{path}: '{name}' is not in {build_file}")
    return problems, f"{len(files)} source files are all built"


if __name__ == "__main__":
    repository.finish(*check(sys.argv[1]))
