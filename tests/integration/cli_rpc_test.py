#!/usr/bin/env python3
"""haigha rpc and haigha serve."""

import os
import signal
import tempfile

from cli_support import (
    EMPTY,
    FAILED,
    INTERRUPTED,
    OK,
    PATIENCE_SECONDS,
    CliTest,
    main,
    pipe,
)


class Rpc(CliTest):
    def test_a_program_answers(self) -> None:
        queue = self.queue()
        server = self.start_tool("serve", "-q", queue, "--", "tr", "a-z", "A-Z")
        done = self.run_tool("rpc", "-r", queue, "hello", expect=OK)
        self.assertEqual(b"HELLO\n", done.stdout)
        done = self.run_tool("rpc", "-r", queue, "--lines", stdin=b"one\ntwo\n", expect=OK)
        self.assertEqual(b"ONE\nTWO\n", done.stdout)
        every_octet = bytes(range(256)) * 1000
        done = self.run_tool("rpc", "-r", queue, "--format", "raw", stdin=every_octet, expect=OK)
        self.assertEqual(every_octet.upper(), done.stdout)
        server.send_signal(signal.SIGINT)
        self.assertEqual(INTERRUPTED, server.wait(PATIENCE_SECONDS))

    def test_a_terminals_interruption_does_not_reach_the_program(self) -> None:
        queue = self.queue()
        with tempfile.TemporaryDirectory() as folder:
            begun = os.path.join(folder, "begun")
            os.mkfifo(begun)
            script = f"echo begun > {begun}; cat {begun}.go; echo answered"
            os.mkfifo(begun + ".go")
            server = self.start_tool("serve", "-q", queue, "--", "sh", "-c", script, own_group=True)
            client = self.start_tool("rpc", "-r", queue, "x")
            with open(begun) as told:
                self.assertEqual("begun\n", told.read())
            os.killpg(server.pid, signal.SIGINT)
            with open(begun + ".go", "w"):
                pass
            self.assertEqual(b"answered\n\n", client.communicate(timeout=PATIENCE_SECONDS)[0])
            self.assertEqual(INTERRUPTED, server.wait(PATIENCE_SECONDS))

    def test_a_program_that_fails_has_its_request_rejected(self) -> None:
        queue = self.queue()
        server = self.start_tool("serve", "-q", queue, "--count", "1", "--", "false")
        self.run_tool("rpc", "-r", queue, "--timeout", "2", "x", expect=FAILED)
        self.assertEqual(OK, server.wait(PATIENCE_SECONDS))
        self.assertIn(b"false ended with status 1", pipe(server.stderr).read())
        self.run_tool("get", "-q", queue, expect=EMPTY)

    def test_nobody_serves(self) -> None:
        done = self.run_tool("rpc", "-r", "haigha-no-such-queue", "x", expect=FAILED)
        self.assert_one_sentence(done, "no queue took the request")

    def test_a_program_that_is_not_there(self) -> None:
        queue = self.queue()
        server = self.start_tool("serve", "-q", queue, "--", "/no/such/program")
        self.run_tool("publish", "-r", queue, "x", expect=OK)
        self.assertEqual(FAILED, server.wait(PATIENCE_SECONDS))
        # What it could not serve is there for another one.
        self.run_tool("get", "-q", queue, expect=OK)


if __name__ == "__main__":
    main()
