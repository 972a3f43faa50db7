#!/usr/bin/env python3
"""Compiles the public headers alone, twice over, in every language standard, with each compiler found.

usage: header_alone.py INCLUDE_FOLDER [HEADER...]     (headers as in #include <...>)

A header that ends in .hpp is C++20 and later; any other is C and C++.
"""

import shutil
import subprocess
import sys
import tempfile

WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wundef", "-Werror"]
# What crosses the C ABI has no holes.
ABI = ["-Wpadded"]
# 64-bit numbers are `long long`, which C89 and C++98 have as an extension.
OLD = ["-Wno-long-long"]
C = [("c89", OLD), ("c99", []), ("c11", []), ("c17", [])]
CXX = [("c++98", OLD), ("c++11", []), ("c++17", []), ("c++20", [])]


def compilations(header):
    """Yields (compilers, language, standard, flags) for a header."""
    if not header.endswith(".hpp"):
        for standard, flags in C:
            more = ["-Wc++-compat", "-Wstrict-prototypes", "-Wmissing-prototypes"]
            yield ("gcc", "clang"), "c", standard, flags + more + ABI
    for standard, flags in CXX:
        if not header.endswith(".hpp") or standard == "c++20":
            more = [] if header.endswith(".hpp") else ABI
            yield ("g++", "clang++"), "c++", standard, flags + ["-Wold-style-cast"] + more


def main():
    folder, *headers = sys.argv[1:]
    done, problems = 0, 0
    for header in headers:
        with tempfile.NamedTemporaryFile("w", suffix=".c") as source:
            source.write(f"#include <{header}>\n#include <{header}>\n")
            # C89 refuses a translation unit without a declaration of its own.
            source.write("extern int nothing;\n")
            source.flush()
            for compilers, language, standard, flags in compilations(header):
                for compiler in filter(shutil.which, compilers):
                    command = [compiler, "-x", language, f"-std={standard}", *WARNINGS, *flags]
                    command += ["-fsyntax-only", "-I", folder, source.name]
                    result = subprocess.run(command, capture_output=True, text=True)
                    done += 1
                    if result.returncode != 0:
                        problems += 1
                        print(f"<{header}>, {compiler} -std={standard}:\n{result.stderr}")
    print(f"{done} compilations, {problems} failed")
    sys.exit(1 if problems or not done else 0)


if __name__ == "__main__":
    main()
