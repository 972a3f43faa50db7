#!/usr/bin/env python3
"""haigha publish and haigha get: what is sent comes back, and each failure is told."""

import json
import os
import re
import signal
import subprocess
import tempfile
import urllib.parse
import uuid

from cli_support import (
    EMPTY,
    FAILED,
    INTERRUPTED,
    OK,
    PATIENCE_SECONDS,
    URI,
    USAGE,
    CliTest,
    main,
    pipe,
)


class PublishAndGet(CliTest):
    def test_round_trip(self) -> None:
        queue = self.queue()
        self.run_tool("publish", "-r", queue, "hello", expect=OK)
        got = self.run_tool("get", "-q", queue, expect=OK)
        self.assertEqual(b"hello\n", got.stdout)
        got = self.run_tool("get", "-q", queue, expect=EMPTY)
        self.assertEqual(b"", got.stdout)
        self.assert_one_sentence(got, queue, "empty")

    def test_every_octet_from_standard_input_to_raw_output(self) -> None:
        queue = self.queue()
        body = bytes(range(256)) * 4096
        self.run_tool("publish", "-r", queue, stdin=body, expect=OK)
        self.assertEqual(body, self.run_tool("get", "-q", queue, "--format", "raw", expect=OK).stdout)

    def test_body_from_a_file_and_count(self) -> None:
        queue = self.queue()
        with tempfile.NamedTemporaryFile() as file:
            file.write(b"from a file")
            file.flush()
            self.run_tool("publish", "-r", queue, "-f", file.name, "--count", "3", expect=OK)
        shown = self.run_tool("queue", "show", queue, expect=OK).stdout
        self.assertIn(b"3 messages", shown)
        self.assertIn(b"3 messages", self.run_tool("queue", "purge", queue, expect=OK).stdout)

    def test_properties_and_headers(self) -> None:
        queue = self.queue()
        user = urllib.parse.unquote(urllib.parse.urlsplit(URI).username or "guest")
        self.run_tool(
            "publish", "-r", queue, "--persistent", "--priority", "7", "--content-type", "text/plain",
            "--correlation-id", "c", "--reply-to", "r", "--expiration", "60000", "--message-id", "m",
            "--timestamp", "1234567890", "--type", "t", "--app-id", "a", "--content-encoding", "utf-8",
            "--cluster-id", "k", "--user-id", user,
            "--header", "one=1", "--header", "two=a=b", "b\u00f6dy", expect=OK,
        )  # fmt: skip
        message = json.loads(self.run_tool("get", "-q", queue, "--format", "json", expect=OK).stdout)
        self.assertEqual("b\u00f6dy", message["body"])
        self.assertEqual(queue, message["routing_key"])
        self.assertEqual({"one": "1", "two": "a=b"}, message["headers"])
        self.assertEqual(
            {
                "content_type": "text/plain", "content_encoding": "utf-8", "delivery_mode": 2,
                "priority": 7, "correlation_id": "c", "reply_to": "r", "expiration": "60000",
                "message_id": "m", "timestamp": 1234567890, "type": "t", "app_id": "a",
                "cluster_id": "k", "user_id": user,
            },
            message["properties"],
        )  # fmt: skip

    def test_persistent_and_transient(self) -> None:
        queue = self.queue()
        for option, mode in (("--transient", 1), ("--persistent", 2)):
            self.run_tool("publish", "-r", queue, option, "x", expect=OK)
            message = json.loads(self.run_tool("get", "-q", queue, "--json", expect=OK).stdout)
            self.assertEqual({"delivery_mode": mode}, message["properties"])
        self.run_tool("publish", "-r", queue, "--transient", "--persistent", "x", expect=USAGE)

    def test_get_requeue_only_looks(self) -> None:
        queue = self.queue()
        self.run_tool("publish", "-r", queue, "x", expect=OK)
        self.run_tool("get", "-q", queue, "--requeue", expect=OK)
        message = json.loads(self.run_tool("get", "-q", queue, "--format", "json", expect=OK).stdout)
        self.assertTrue(message["redelivered"])

    def test_mandatory_message_without_a_queue(self) -> None:
        for confirm in ("--confirm", "--no-confirm"):
            nowhere = "haigha-cli-test-nowhere-" + uuid.uuid4().hex
            done = self.run_tool("publish", "-r", nowhere, "--mandatory", confirm, "x", expect=FAILED)
            self.assertIn(b"NO_ROUTE", done.stderr)

    def test_missing_exchange(self) -> None:
        for confirm in ("--confirm", "--no-confirm"):
            done = self.run_tool("publish", "-e", "haigha-no-such-exchange", confirm, "x", expect=FAILED)
            self.assertIn(b"haigha-no-such-exchange", done.stderr)

    def test_refused_by_a_full_queue(self) -> None:
        queue = self.queue("--argument", "x-max-length=1", "--argument", "x-overflow=reject-publish")
        done = self.run_tool("publish", "-r", queue, "--count", "50", "x", expect=FAILED)
        self.assertIn(b"refused", done.stderr)


class Interrupted(CliTest):
    """Ctrl-C loses nothing that was taken."""

    def test_lines_that_were_read_are_published(self) -> None:
        queue = self.queue()
        process = self.start_tool("publish", "-r", queue, "--lines", stdin=subprocess.PIPE)
        self.addCleanup(pipe(process.stdin).close)
        pipe(process.stdin).write(b"one\ntwo\nhalf of")
        pipe(process.stdin).flush()
        # Both are there while it waits for more.
        self.assertEqual(b"one\ntwo\n", self.run_tool("consume", "-q", queue, "-n", "2", expect=OK).stdout)
        process.send_signal(signal.SIGINT)
        self.assertEqual(INTERRUPTED, process.wait(PATIENCE_SECONDS))
        self.assertIn(b"of 2 messages: none failed", pipe(process.stderr).read())
        self.run_tool("get", "-q", queue, expect=EMPTY)

    def test_each_line_that_was_taken_is_published(self) -> None:
        """What is not published is still in the pipe."""
        queue = self.queue()
        read_end, write_end = os.pipe()
        self.addCleanup(os.close, read_end)
        process = self.start_tool("publish", "-r", queue, "--lines", stdin=read_end)
        with open(write_end, "wb") as sink:
            sink.write(b"first\n")
            sink.flush()
            # It is at work, and does nothing but read.
            self.assertEqual(b"first\n", self.run_tool("consume", "-q", queue, "-n", "1", expect=OK).stdout)
            sink.write(b"".join(b"%d\n" % i for i in range(5000)))
            sink.flush()
            process.send_signal(signal.SIGINT)
            self.assertEqual(INTERRUPTED, process.wait(PATIENCE_SECONDS))
        with open(os.dup(read_end), "rb") as source:
            left = source.read()
        self.assertIn(b"none failed", pipe(process.stderr).read())
        shown = self.run_tool("queue", "show", queue, expect=OK).stdout.decode()
        # A line that was cut in two by a read is neither.
        counted = re.search(r"(\d+) message", shown)
        assert counted is not None
        published = int(counted[1])
        self.assertIn(5000 - published - left.count(b"\n"), (0, 1))

    def test_consume_ends_with_its_reader(self) -> None:
        """What no pipe took comes again, and in order."""
        queue = self.queue()
        lines = b"".join(b"%d\n" % i for i in range(1000))
        self.run_tool("publish", "-r", queue, "--lines", stdin=lines, expect=OK)
        process = self.start_tool("consume", "-q", queue, "--prefetch", "1")
        self.assertEqual(b"0\n", pipe(process.stdout).readline())
        pipe(process.stdout).close()
        self.assertEqual(-signal.SIGPIPE, process.wait(PATIENCE_SECONDS))
        left_over = self.run_tool("consume", "-q", queue, "--idle", "2", expect=OK).stdout.split()
        self.assertEqual(list(range(int(left_over[0]), 1000)), [int(line) for line in left_over])


class ReadErrors(CliTest):
    def test_a_folder_has_no_lines(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            for lines in ([], ["--lines"]):
                done = self.run_tool("publish", "-r", "nobody", "-f", folder, *lines, expect=FAILED)
                self.assert_one_sentence(done, "cannot read", "directory")


if __name__ == "__main__":
    main()
