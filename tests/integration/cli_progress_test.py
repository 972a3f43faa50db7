#!/usr/bin/env python3
"""How far long work has come: on a terminal's standard error, or where it is asked for, and never
in what a program reads."""

import json
import os
import pty
import re
import subprocess

from cli_support import OK, PATIENCE_SECONDS, CliTest, environment, main, tool


class Progress(CliTest):
    def on_terminal(self, *arguments: str, stdin: bytes = b"") -> tuple[bytes, bytes]:
        """(standard output, what a terminal as standard error got) of the tool."""
        ours, terminal = pty.openpty()
        # Filled before it starts: nobody writes while the terminal is read.
        read_end, write_end = os.pipe()
        os.write(write_end, stdin)
        os.close(write_end)
        with open(ours, "rb", buffering=0) as screen, open(read_end, "rb") as source:
            process = subprocess.Popen(
                [tool(), *arguments], stdin=source, stdout=subprocess.PIPE, stderr=terminal, env=environment()
            )
            os.close(terminal)
            shown = b""
            try:
                while part := screen.read(4096):
                    shown += part
            except OSError:  # EIO: the tool has closed the other end
                pass
            stdout, _ = process.communicate(timeout=PATIENCE_SECONDS)
        self.assertEqual(OK, process.returncode, shown)
        return stdout, shown

    def test_publish_and_consume_say_what_they_did_where_asked(self) -> None:
        queue = self.queue()
        lines = b"".join(b"%d\n" % i for i in range(2000))
        done = self.run_tool("publish", "-r", queue, "--lines", "--progress", stdin=lines, expect=OK)
        self.assertRegex(done.stderr.decode().splitlines()[-1], r"^[\d.]+ s   confirmed 2,000 \([\d,]+/s\)$")
        done = self.run_tool("consume", "-q", queue, "-n", "2000", "--progress", expect=OK)
        self.assertEqual(lines, done.stdout)
        self.assertRegex(done.stderr.decode().splitlines()[-1], r"^[\d.]+ s   consumed 2,000 \([\d,]+/s\)$")

    def test_nothing_is_said_where_nobody_looks(self) -> None:
        queue = self.queue()
        self.assertEqual(b"", self.run_tool("publish", "-r", queue, "--count", "500", "x", expect=OK).stderr)
        self.assertEqual(b"", self.run_tool("consume", "-q", queue, "-n", "500", expect=OK).stderr)
        self.assertEqual(b"", self.run_tool("bench", "-n", "500", expect=OK).stderr)
        self.assertEqual(b"", self.run_tool("check", expect=OK).stderr)

    def test_bench_and_check_say_what_they_did_where_asked(self) -> None:
        done = self.run_tool("bench", "-n", "500", "--confirm", "--json", "--progress", expect=OK)
        self.assertTrue(json.loads(done.stdout)["ok"])
        self.assertIn(b"confirmed 500 (", done.stderr)
        done = self.run_tool("check", "--progress", expect=OK)
        counted = re.search(r"tried (\d+) \(", done.stderr.decode())
        assert counted is not None
        self.assertGreater(int(counted[1]), 50)

    def test_a_terminal_sees_one_line_that_is_gone_at_the_end(self) -> None:
        # Longer than the line takes to be drawn.
        stdout, shown = self.on_terminal("bench", "--rate", "200", "--duration", "1.5", "--confirm", "--json")
        self.assertTrue(json.loads(stdout)["ok"])
        self.assertNotIn(b"\n", shown)
        self.assertRegex(shown.decode(), r"\r[\d.]+ s +\d+ %   published [\d,]+ \([\d,]+/s\)   confirmed ")
        self.assertTrue(shown.endswith(b"\r\033[K"), shown)

    def test_a_terminal_sees_nothing_where_it_is_not_wanted(self) -> None:
        stdout, shown = self.on_terminal("bench", "--rate", "200", "--duration", "1.5", "--json", "--no-progress")
        self.assertTrue(json.loads(stdout)["ok"])
        self.assertEqual(b"", shown)

    def test_publish_has_nothing_to_show_for_short_work(self) -> None:
        queue = self.queue()
        self.assertEqual((b"", b""), self.on_terminal("publish", "-r", queue, "--lines", stdin=b"one\ntwo\n"))
        self.assertEqual(b"one\ntwo\n", self.on_terminal("consume", "-q", queue, "-n", "2")[0])


if __name__ == "__main__":
    main()
