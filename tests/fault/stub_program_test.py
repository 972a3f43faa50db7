#!/usr/bin/env python3
"""haigha-stub-broker as a program: its lines, its script file, its end; and `haigha` against it.

usage: stub_program_test.py HAIGHA_STUB_BROKER [HAIGHA]
"""

import os
import signal
import subprocess
import sys
import tempfile
import unittest

PROGRAM = sys.argv[1]
HAIGHA = sys.argv[2] if len(sys.argv) > 2 else None
LONG_S = 60


class Stub:
    """The program, which ends with the block."""

    def __init__(self, *arguments, script=None):
        self.file = None
        if script is not None:
            with tempfile.NamedTemporaryFile("w", suffix=".stub", delete=False) as self.file:
                self.file.write(script)
            arguments = (*arguments, "--script", self.file.name)
        self.process = subprocess.Popen(
            [PROGRAM, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def __enter__(self):
        self.uri = self.line()
        return self

    def __exit__(self, *_):
        self.end()

    def end(self):
        """Closes what it reads from, and gives its status and what it has said since."""
        said, wrong = self.process.communicate(timeout=LONG_S)
        if self.file is not None and os.path.exists(self.file.name):
            os.unlink(self.file.name)
        return self.process.returncode, said, wrong

    def line(self):
        return self.process.stdout.readline().rstrip("\n")

    def say(self, text):
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()

    def ask(self, text):
        """The answer to a line, and what was told before it."""
        self.say(text)
        told = []
        while (line := self.line()).startswith("fired "):
            told.append(line)
        return line, told


def run(uri, *arguments, **options):
    return subprocess.run(
        [HAIGHA, *arguments, "--uri", uri],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=LONG_S, check=False, **options,
    )  # fmt: skip


class Program(unittest.TestCase):
    def test_it_says_its_uri_and_answers_each_line(self):
        with Stub("--user", "a b", "--password", "p/w", "--vhost", "v/h") as stub:
            self.assertRegex(stub.uri, r"^amqp://a%20b:p%2Fw@127\.0\.0\.1:\d+/v%2Fh$")
            port = stub.uri.split(":")[-1].split("/")[0]
            self.assertEqual(stub.ask("port"), (f"ok {port}", []))
            self.assertEqual(stub.ask("count basic.publish"), ("ok 0", []))
            self.assertEqual(stub.ask("violations"), ("ok 0", []))
            self.assertEqual(stub.ask("methods"), ("ok 0", []))
            self.assertEqual(stub.ask("put jobs one"), ("ok", []))
            self.assertEqual(stub.ask("queue jobs"), ("ok 1", []))
            self.assertEqual(stub.ask("# a comment"), ("ok", []))
            self.assertEqual(stub.ask("wait connect 1 1"), ("error connect came 0 times", []))
            self.assertEqual(stub.ask("dance"), ('error there is no command "dance"', []))
            self.assertEqual(stub.end()[0], 0)

    def test_a_wrong_script_is_refused_with_its_line(self):
        stub = Stub(script="# a script\non queue.declare nack\n")
        status, said, wrong = stub.end()
        self.assertEqual((status, said), (2, ""))
        self.assertRegex(wrong, r"^haigha-stub-broker: .*\.stub:2: nack is for basic\.publish\n$")
        for arguments in (["--port", "x"], ["--port"], ["--dance", "1"], ["--script", "/nowhere/at/all"]):
            self.assertEqual(Stub(*arguments).end()[0], 2, arguments)

    def test_help_tells_the_language(self):
        told = subprocess.run([PROGRAM, "--help"], stdout=subprocess.PIPE, text=True, timeout=LONG_S, check=True)
        for word in ("usage:", "refuse-login", "stall accept", "fired CONNECTION CHANNEL RULE"):
            self.assertIn(word, told.stdout)

    def test_it_stays_until_it_is_asked_to_go(self):
        with Stub("--stay") as stub:
            stub.process.stdin.close()
            stub.process.stdin = None
            stub.process.send_signal(signal.SIGTERM)
            self.assertEqual(stub.process.wait(timeout=LONG_S), 0)


@unittest.skipIf(HAIGHA is None, "without the tool")
class WithHaigha(unittest.TestCase):
    def test_messages_go_through(self):
        with Stub() as stub:
            self.assertEqual(run(stub.uri, "queue", "declare", "jobs").returncode, 0)
            sent = run(stub.uri, "publish", "--routing-key", "jobs", "hello")
            self.assertEqual((sent.returncode, sent.stderr), (0, ""))
            self.assertEqual(stub.ask("queue jobs"), ("ok 1", []))
            got = run(stub.uri, "consume", "--queue", "jobs", "--count", "1")
            self.assertEqual(got.returncode, 0, got.stderr)
            self.assertIn("hello", got.stdout)
            self.assertEqual(stub.ask("queue jobs"), ("ok 0", []))
            self.assertEqual(stub.ask("violations"), ("ok 0", []))

    def test_a_rule_that_is_followed_is_told(self):
        with Stub(script="on basic.publish#1 nack\non connect tell\n") as stub:
            stub.ask("put jobs before")
            sent = run(stub.uri, "publish", "--routing-key", "jobs", "hello")
            self.assertNotEqual(sent.returncode, 0)
            self.assertEqual(
                stub.ask("queue jobs"),
                ("ok 1", ["fired 1 0 connect tell", "fired 1 1 basic.publish#1 nack"]),
            )

    def test_a_login_is_refused(self):
        with Stub("--password", "secret") as stub:
            wrong = stub.uri.replace("secret", "guess")
            told = run(wrong, "ping")
            self.assertNotEqual(told.returncode, 0)
            self.assertIn("ACCESS_REFUSED", told.stderr)
            self.assertEqual(run(stub.uri, "ping").returncode, 0)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
