"""The repository's source files and what they include: shared by the checks of this folder."""

import os
import re
import sys

SOURCE_SUFFIXES = (".h", ".hpp", ".c", ".cpp")
# Folders that hold generated or foreign files.
SKIPPED_FOLDERS = re.compile(r"^(\..*|build.*|target|node_modules|__pycache__|subprojects|venv)$")
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"\n]+)[>"]', re.MULTILINE)
BLOCK_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)


def source_files(root, suffixes=SOURCE_SUFFIXES):
    """Paths relative to root, with '/' between folders, sorted."""
    found = []
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if not SKIPPED_FOLDERS.match(name)]
        for name in names:
            if name.endswith(suffixes):
                found.append(os.path.relpath(os.path.join(folder, name), root).replace(os.sep, "/"))
    return sorted(found)


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8") as file:
        return file.read()


def includes(root, path):
    """Yields (line number, '<' or '"', name) for each #include of a file, block comments left out."""
    text = BLOCK_COMMENT.sub(lambda match: "\n" * match.group().count("\n"), read(root, path))
    for match in INCLUDE.finditer(text):
        line = text.count("\n", 0, match.start(2)) + 1
        yield line, match.group(1), match.group(2)


def finish(problems, what):
    """Prints the problems, or one line that says what was looked at; exits 1 or 0."""
    for problem in problems:
        print(problem)
    if problems:
        print(f"{len(problems)} problem(s)")
        sys.exit(1)
    print(what)
    sys.exit(0)
