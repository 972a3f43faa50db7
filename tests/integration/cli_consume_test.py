#!/usr/bin/env python3
"""haigha consume: what it prints, when it ends, and what it leaves."""

import signal

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


class Consume(CliTest):
    def test_lines_in_order(self) -> None:
        queue = self.queue()
        lines = b"".join(b"%d\n" % i for i in range(2000))
        self.run_tool("publish", "-r", queue, "--lines", stdin=lines, expect=OK)
        done = self.run_tool("consume", "-q", queue, "--count", "2000", expect=OK)
        self.assertEqual(lines, done.stdout)
        self.run_tool("get", "-q", queue, expect=EMPTY)

    def test_count_leaves_the_rest(self) -> None:
        queue = self.queue()
        self.run_tool("publish", "-r", queue, "--lines", stdin=b"a\nb\nc\n", expect=OK)
        self.assertEqual(b"a\n", self.run_tool("consume", "-q", queue, "-n", "1", expect=OK).stdout)
        self.assertEqual(b"b\n", self.run_tool("get", "-q", queue, expect=OK).stdout)

    def test_no_ack_and_idle(self) -> None:
        queue = self.queue()
        self.run_tool("publish", "-r", queue, "--lines", stdin=b"a\nb\n", expect=OK)
        done = self.run_tool("consume", "-q", queue, "--no-ack", "--idle", "1", expect=OK)
        self.assertEqual(b"a\nb\n", done.stdout)
        self.run_tool("consume", "-q", queue, "--idle", "0.2", expect=EMPTY)

    def test_ack_by_default_and_where_it_is_said(self) -> None:
        for arguments in ([], ["--ack"]):
            queue = self.queue()
            self.run_tool("publish", "-r", queue, "--lines", stdin=b"a\nb\n", expect=OK)
            self.run_tool("consume", "-q", queue, "-n", "2", *arguments, expect=OK)
            self.run_tool("get", "-q", queue, expect=EMPTY)

    def test_interrupted(self) -> None:
        queue = self.queue()
        for number in (signal.SIGINT, signal.SIGTERM):
            self.run_tool("publish", "-r", queue, "x", expect=OK)
            process = self.start_tool("consume", "-q", queue)
            self.assertEqual(b"x\n", pipe(process.stdout).readline())
            process.send_signal(number)
            process.communicate(timeout=PATIENCE_SECONDS)
            self.assertEqual(INTERRUPTED, process.returncode)
        self.run_tool("get", "-q", queue, expect=EMPTY)

    def test_the_queue_is_deleted_meanwhile(self) -> None:
        queue = self.queue()
        self.run_tool("publish", "-r", queue, "x", expect=OK)
        process = self.start_tool("consume", "-q", queue)
        self.assertEqual(b"x\n", pipe(process.stdout).readline())
        self.run_tool("queue", "delete", queue, expect=OK)
        _, stderr = process.communicate(timeout=PATIENCE_SECONDS)
        self.assertEqual(FAILED, process.returncode)
        self.assertIn(b"cancelled", stderr)

    def test_missing_queue(self) -> None:
        for command in ("get", "consume"):
            done = self.run_tool(command, "-q", "haigha-no-such-queue", expect=FAILED)
            self.assert_one_sentence(done, "haigha-no-such-queue")


if __name__ == "__main__":
    main()
