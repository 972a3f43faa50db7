#!/usr/bin/env python3
"""What libhaigha.so exports, what haigha.map lists and what the headers declare are the same names.

usage: exports.py MAP LIBRARY VERSION HEADER...

Also: every name begins with haigha_, every declaration says whether it may block, and the library
was configured for the version that the headers hold.
"""

import re
import subprocess
import sys

COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
DIRECTIVE = re.compile(r"^[ \t]*#(?:[^\n\\]|\\.)*", re.MULTILINE | re.DOTALL)
FUNCTION = re.compile(r"\b(haigha_\w+)\s*\(")


def declared(text):
    """Returns {function: its declaration up to the name} for each HAIGHA_API of the header."""
    text = DIRECTIVE.sub("", COMMENT.sub(" ", text))
    functions = {}
    for declaration in text.split("HAIGHA_API")[1:]:
        match = FUNCTION.search(declaration)
        name = match.group(1) if match else declaration.strip().split(";")[0]
        functions[name] = declaration[: match.start()] if match else ""
    return functions


def listed(text):
    """Returns (names, nodes) of a version script written as one name a line."""
    text = re.sub(r"#[^\n]*", "", COMMENT.sub(" ", text))
    nodes = set(re.findall(r"^\s*(\w[\w.]*)\s*\{", text, re.MULTILINE))
    names = set()
    for part in re.findall(r"global:(.*?)(?:local:|\})", text, re.DOTALL):
        names.update(name.strip() for name in part.split(";") if name.strip())
    return names, nodes


def exported(library, nodes):
    output = subprocess.run(
        ["nm", "-D", "--defined-only", library], check=True, capture_output=True, text=True
    ).stdout
    names = {line.split()[-1].split("@")[0] for line in output.splitlines() if line.strip()}
    return names - nodes


def header_version(text):
    parts = [
        re.search(rf"^#define HAIGHA_VERSION_{part} (\d+)$", text, re.MULTILINE)
        for part in ("MAJOR", "MINOR", "PATCH")
    ]
    return ".".join(part.group(1) if part else "?" for part in parts)


def compare(header, version_script, exports_of, version):
    functions = declared(header)
    names, nodes = listed(version_script)
    exports = exports_of(nodes)
    problems = []

    def differ(left, right, sentence):
        problems.extend(f"{name} {sentence}" for name in sorted(set(left) - set(right)))

    differ(functions, names, "is in haigha.h and not in haigha.map")
    differ(names, functions, "is in haigha.map and not in haigha.h")
    differ(names, exports, "is in haigha.map and not exported by the library")
    differ(exports, names, "is exported by the library and not in haigha.map")
    for name in sorted(set(functions) | names | exports):
        if not name.startswith("haigha_"):
            problems.append(f"{name} does not begin with haigha_")
    for name, declaration in sorted(functions.items()):
        marks = re.findall(r"\bHAIGHA_(?:NON)?BLOCKING\b", declaration)
        if len(marks) != 1:
            problems.append(f"{name} needs HAIGHA_BLOCKING or HAIGHA_NONBLOCKING, and one of them")
    if header_version(header) != version:
        problems.append(f"haigha.h is {header_version(header)}, the build {version}: configure again")
    if not functions:
        problems.append("no HAIGHA_API function was found in the header")
    return problems


def main():
    map_path, library, version, *header_paths = sys.argv[1:]
    header = ""
    for path in header_paths:
        with open(path, encoding="utf-8") as file:
            header += file.read()
    with open(map_path, encoding="utf-8") as file:
        version_script = file.read()
    problems = compare(header, version_script, lambda nodes: exported(library, nodes), version)
    print("\n".join(problems) or f"{len(declared(header))} functions: header, map and library agree")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
