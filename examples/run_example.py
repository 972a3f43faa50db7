#!/usr/bin/env python3
"""Runs an example against the broker of HAIGHA_TEST_URI and checks what it prints."""

import os
import subprocess
import sys


def main() -> int:
    uri = os.environ.get("HAIGHA_TEST_URI")
    if not uri:
        print("HAIGHA_TEST_URI is not set: nothing to run against")
        return 77
    done = subprocess.run([sys.argv[1], uri], capture_output=True, text=True, timeout=60)
    if done.returncode != 0 or done.stdout != 'got "hello"\n':
        print(f"exit status {done.returncode}, output {done.stdout!r}, errors {done.stderr!r}")
        return 1
    return 0


sys.exit(main())
