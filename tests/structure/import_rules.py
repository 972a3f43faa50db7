#!/usr/bin/env python3
"""Imports go one way: reads the #include lines of the repository and holds them to the table below.

usage: import_rules.py ROOT
"""

import os
import re
import sys

import repository

# room: the rooms that it may include besides itself. "std" is the C and C++ standard library,
# "system" any other header of the platform, "public" is include/haigha, "other" any library.
RULES = {
    "base": {"std", "system"},
    "wire": {"base", "std"},
    "protocol": {"base", "wire", "std"},
    "transport": {"base", "std", "system", "uv", "openssl"},
    "client": {"base", "wire", "protocol", "transport", "std", "system"},
    "pool": {"base", "wire", "protocol", "transport", "client", "std", "system"},
    "rpc": {"base", "wire", "protocol", "transport", "client", "std", "system"},
    "topology": {
        "base", "wire", "protocol", "transport", "client", "pool", "std", "system",
    },
    "streams": {
        "base", "wire", "protocol", "transport", "client", "pool", "std", "system",
    },
    "workers": {"base", "wire", "protocol", "transport", "client", "std", "system"},
    "capi": {
        "workers", "topology", "streams", "rpc", "pool", "client", "base", "wire", "public", "std",
    },
    "public": {"std"},
    # Written against the public header alone.
    "tools": {"public", "std", "system", "other", "uv"},
    # Of this project's code it uses the codec alone: a peer that shared more would share its errors.
    "tools/stub_broker": {"base", "wire", "std", "system"},
    "examples": {"public", "std", "system", "other", "uv"},
    "bindings": {"public", "std", "system", "other"},
    "tests/integration": {"public", "tests/support", "std", "system", "other", "uv"},
    "tests/abi": {"public", "std", "system", "other"},
}
# Rooms that are driven from outside, by bytes and by times that are passed in: no threads, no files.
PASSIVE_ROOMS = {"wire", "protocol"}
ACTIVE_HEADERS = {
    "barrier", "condition_variable", "filesystem", "fstream", "future", "iostream", "latch",
    "mutex", "semaphore", "shared_mutex", "stop_token", "syncstream", "thread",
}  # fmt: skip

# The headers of standard C; those of standard C++ have neither a dot nor a slash.
STANDARD_C = {
    "assert.h", "complex.h", "ctype.h", "errno.h", "fenv.h", "float.h", "inttypes.h", "iso646.h",
    "limits.h", "locale.h", "math.h", "setjmp.h", "signal.h", "stdalign.h", "stdarg.h",
    "stdatomic.h", "stdbool.h", "stddef.h", "stdint.h", "stdio.h", "stdlib.h", "stdnoreturn.h",
    "string.h", "tgmath.h", "threads.h", "time.h", "uchar.h", "wchar.h", "wctype.h",
}  # fmt: skip
SYSTEM = re.compile(
    r"^((sys|arpa|net|netinet|linux|bits)/.*|(dlfcn|execinfo|fcntl|netdb|poll|pthread|pwd|sched|"
    r"strings|syslog|termios|unistd|malloc)\.h)$"
)


def room_of(path):
    """The room that a file of the repository belongs to; None where no rule applies."""
    parts = path.split("/")
    if parts[0] == "src" and len(parts) > 2:
        return parts[1]
    if parts[0] == "include":
        return "public"
    if path.startswith("tools/stub_broker/"):
        return "tools/stub_broker"
    if parts[0] == "tests" and len(parts) > 2:
        return "/".join(parts[:2])
    return parts[0]


def resolve(root, path, name):
    """The file of the repository that an include names, or None."""
    for folder in (os.path.dirname(path), "src", "include", ".", "tests", "tools"):
        candidate = os.path.normpath(os.path.join(folder, name)).replace(os.sep, "/")
        if os.path.isfile(os.path.join(root, candidate)):
            return candidate
    return None


def target_of(root, path, name):
    """The room or the kind of library that an include leads to."""
    own = resolve(root, path, name)
    if own:
        return room_of(own)
    if name.startswith("."):
        return room_of(os.path.normpath(os.path.join(os.path.dirname(path), name)))
    first = name.split("/")[0]
    if first == "haigha":
        return "public"
    if name == "uv.h" or first == "uv":
        return "uv"
    if first == "openssl":
        return "openssl"
    if name in STANDARD_C or re.fullmatch(r"[a-z_0-9]+", name):
        return "std"
    if SYSTEM.match(name):
        return "system"
    if first in RULES:
        return first  # a header of that room which does not exist (yet)
    return "other"


def check(root):
    problems = []
    files = repository.source_files(root)
    for path in files:
        room = room_of(path)
        if path.startswith("src/") and room not in RULES:
            problems.append(f"{path}: src/{room} is not a room that the import rules know")
            continue
        allowed = RULES.get(room)
        if allowed is None:
            continue
        for line, _, name in repository.includes(root, path):
            target = target_of(root, path, name)
            if target != room and target not in allowed:
                problems.append(f"{path}:{line}: {room} may not include {name} ({target})")
            elif room in PASSIVE_ROOMS and name in ACTIVE_HEADERS:
                problems.append(f"{path}:{line}: {room} is passive and may not include <{name}>")
    return problems, f"the imports of {len(files)} files go one way"


if __name__ == "__main__":
    repository.finish(*check(sys.argv[1]))
