"""What the tests of the command-line tool share: running it against a real broker.

Each file of tests is a program: HAIGHA_TEST_URI=amqp://... cli_publish_test.py TOOL [CLASS]...
"""

import os
import subprocess
import sys
import unittest
import urllib.parse
import uuid
from typing import IO, Any

URI = os.environ.get("HAIGHA_TEST_URI", "")
# A password that stands nowhere else, to be looked for in whatever is printed.
SECRET = "s3cret-" + uuid.uuid4().hex
# The sanitizers slow the tool down.
PATIENCE_SECONDS = 120
OK, FAILED, USAGE, UNREACHABLE, EMPTY, INTERRUPTED = 0, 1, 2, 3, 4, 130

Done = subprocess.CompletedProcess[bytes]
_tool = ""


def tool() -> str:
    return _tool


def environment(uri: str = URI) -> dict[str, str]:
    return {**os.environ, "LC_ALL": "C.UTF-8", "AMQP_URL": uri}


def with_secret(uri: str, user: str | None = None) -> str:
    """The URI with the secret as its password."""
    parts = urllib.parse.urlsplit(uri)
    host = parts.netloc.rpartition("@")[2]
    user = user or parts.username or "guest"
    return urllib.parse.urlunsplit(parts._replace(netloc=f"{user}:{SECRET}@{host}"))


def pipe(end: IO[bytes] | None) -> IO[bytes]:
    """One of a process's, which it was started with."""
    assert end is not None
    return end


class CliTest(unittest.TestCase):
    def run_tool(self, *arguments: str, uri: str = URI, stdin: bytes = b"", expect: int | None = None) -> Done:
        done = subprocess.run(
            [_tool, *arguments],
            input=stdin,
            capture_output=True,
            check=False,
            env=environment(uri),
            timeout=PATIENCE_SECONDS,
        )
        self.assertNotIn(SECRET.encode(), done.stdout + done.stderr)
        if expect is not None:
            self.assertEqual(expect, done.returncode, (arguments, done.stdout[-2000:], done.stderr[-2000:]))
        return done

    def queue(self, *arguments: str) -> str:
        name = "haigha-cli-test-" + uuid.uuid4().hex
        self.run_tool("queue", "declare", name, *arguments, expect=OK)
        self.addCleanup(self.run_tool, "queue", "delete", name)
        return name

    def start_tool(
        self, *arguments: str, stdin: int | IO[Any] = subprocess.DEVNULL, own_group: bool = False
    ) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [_tool, *arguments],
            stdin=stdin,
            start_new_session=own_group,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(),
        )
        for end in (process.stdout, process.stderr):
            self.addCleanup(pipe(end).close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def assert_one_sentence(self, done: Done, *parts: str) -> None:
        lines = done.stderr.decode().splitlines()
        self.assertEqual(1, len(lines), lines)
        self.assertTrue(lines[0].startswith("haigha: "), lines)
        for part in parts:
            self.assertIn(part.lower(), lines[0].lower())


def main() -> None:
    """Runs the tests of the program that calls this."""
    global _tool
    if len(sys.argv) < 2 or not URI:
        print(f"usage: HAIGHA_TEST_URI=amqp://... {sys.argv[0]} TOOL [CLASS]...", file=sys.stderr)
        sys.exit(2)
    _tool = os.path.abspath(sys.argv.pop(1))
    result = unittest.main(exit=False).result
    # A test with several subtests that fail is one.
    failed = len({test.id().split(" ")[0] for test, _ in result.failures + result.errors})
    print(f"{result.testsRun - failed} passed, {failed} failed")
    sys.exit(0 if result.wasSuccessful() and result.testsRun > 0 else 1)
