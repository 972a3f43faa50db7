#!/usr/bin/env python3
"""The command-line tool against a real broker: what it does, prints, and exits with.

usage: HAIGHA_TEST_URI=amqp://... cli_test.py TOOL
"""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.parse
import uuid

TOOL = ""
URI = os.environ.get("HAIGHA_TEST_URI", "")
# A password that stands nowhere else, to be looked for in whatever is printed.
SECRET = "s3cret-" + uuid.uuid4().hex
# The sanitizers slow the tool down.
PATIENCE_SECONDS = 120
OK, FAILED, USAGE, UNREACHABLE, EMPTY, INTERRUPTED = 0, 1, 2, 3, 4, 130


def environment(uri=URI):
    result = dict(os.environ, LC_ALL="C.UTF-8")
    result["AMQP_URL"] = uri
    return result


def with_secret(uri, user=None):
    """The URI with the secret as its password."""
    parts = urllib.parse.urlsplit(uri)
    host = parts.netloc.rpartition("@")[2]
    user = user or parts.username or "guest"
    return urllib.parse.urlunsplit(parts._replace(netloc=f"{user}:{SECRET}@{host}"))


class CliTest(unittest.TestCase):
    def run_tool(self, *arguments, uri=URI, stdin=b"", expect=None):
        done = subprocess.run(
            [TOOL, *arguments],
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(uri),
            timeout=PATIENCE_SECONDS,
        )
        self.assertNotIn(SECRET.encode(), done.stdout + done.stderr)
        if expect is not None:
            self.assertEqual(expect, done.returncode, (arguments, done.stdout[-2000:], done.stderr[-2000:]))
        return done

    def queue(self, *arguments):
        name = "haigha-cli-test-" + uuid.uuid4().hex
        self.run_tool("queue", "declare", name, *arguments, expect=OK)
        self.addCleanup(self.run_tool, "queue", "delete", name)
        return name

    def start_tool(self, *arguments, stdin=subprocess.DEVNULL, own_group=False):
        process = subprocess.Popen(
            [TOOL, *arguments],
            stdin=stdin,
            start_new_session=own_group,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(),
        )
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def assert_one_sentence(self, done, *parts):
        lines = done.stderr.decode().splitlines()
        self.assertEqual(1, len(lines), lines)
        self.assertTrue(lines[0].startswith("haigha: "), lines)
        for part in parts:
            self.assertIn(part.lower(), lines[0].lower())


class PublishAndGet(CliTest):
    def test_round_trip(self):
        queue = self.queue()
        self.run_tool("publish", "-r", queue, "hello", expect=OK)
        got = self.run_tool("get", "-q", queue, expect=OK)
        self.assertEqual(b"hello\n", got.stdout)
        got = self.run_tool("get", "-q", queue, expect=EMPTY)
        self.assertEqual(b"", got.stdout)
        self.assert_one_sentence(got, queue, "empty")

    def test_every_octet_from_standard_input_to_raw_output(self):
        queue = self.queue()
        body = bytes(range(256)) * 4096
        self.run_tool("publish", "-r", queue, stdin=body, expect=OK)
        self.assertEqual(body, self.run_tool("get", "-q", queue, "--format", "raw", expect=OK).stdout)

    def test_body_from_a_file_and_count(self):
        queue = self.queue()
        with tempfile.NamedTemporaryFile() as file:
            file.write(b"from a file")
            file.flush()
            self.run_tool("publish", "-r", queue, "-f", file.name, "--count", "3", expect=OK)
        shown = self.run_tool("queue", "show", queue, expect=OK).stdout
        self.assertIn(b"3 messages", shown)
        self.assertIn(b"3 messages", self.run_tool("queue", "purge", queue, expect=OK).stdout)

    def test_properties_and_headers(self):
        queue = self.queue()
        self.run_tool(
            "publish", "-r", queue, "--persistent", "--priority", "7", "--content-type", "text/plain",
            "--correlation-id", "c", "--reply-to", "r", "--expiration", "60000", "--message-id", "m",
            "--timestamp", "1234567890", "--type", "t", "--app-id", "a", "--content-encoding", "utf-8",
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
            },
            message["properties"],
        )  # fmt: skip

    def test_get_requeue_only_looks(self):
        queue = self.queue()
        self.run_tool("publish", "-r", queue, "x", expect=OK)
        self.run_tool("get", "-q", queue, "--requeue", expect=OK)
        message = json.loads(self.run_tool("get", "-q", queue, "--format", "json", expect=OK).stdout)
        self.assertTrue(message["redelivered"])

    def test_mandatory_message_without_a_queue(self):
        for confirm in ("--confirm", "--no-confirm"):
            nowhere = "haigha-cli-test-nowhere-" + uuid.uuid4().hex
            done = self.run_tool("publish", "-r", nowhere, "--mandatory", confirm, "x", expect=FAILED)
            self.assertIn(b"NO_ROUTE", done.stderr)

    def test_missing_exchange(self):
        for confirm in ("--confirm", "--no-confirm"):
            done = self.run_tool("publish", "-e", "haigha-no-such-exchange", confirm, "x", expect=FAILED)
            self.assertIn(b"haigha-no-such-exchange", done.stderr)

    def test_refused_by_a_full_queue(self):
        queue = self.queue("--argument", "x-max-length=1", "--argument", "x-overflow=reject-publish")
        done = self.run_tool("publish", "-r", queue, "--count", "50", "x", expect=FAILED)
        self.assertIn(b"refused", done.stderr)


class Consume(CliTest):
    def test_lines_in_order(self):
        queue = self.queue()
        lines = b"".join(b"%d\n" % i for i in range(2000))
        self.run_tool("publish", "-r", queue, "--lines", stdin=lines, expect=OK)
        done = self.run_tool("consume", "-q", queue, "--count", "2000", expect=OK)
        self.assertEqual(lines, done.stdout)
        self.run_tool("get", "-q", queue, expect=EMPTY)

    def test_count_leaves_the_rest(self):
        queue = self.queue()
        self.run_tool("publish", "-r", queue, "--lines", stdin=b"a\nb\nc\n", expect=OK)
        self.assertEqual(b"a\n", self.run_tool("consume", "-q", queue, "-n", "1", expect=OK).stdout)
        self.assertEqual(b"b\n", self.run_tool("get", "-q", queue, expect=OK).stdout)

    def test_no_ack_and_idle(self):
        queue = self.queue()
        self.run_tool("publish", "-r", queue, "--lines", stdin=b"a\nb\n", expect=OK)
        done = self.run_tool("consume", "-q", queue, "--no-ack", "--idle", "1", expect=OK)
        self.assertEqual(b"a\nb\n", done.stdout)
        self.run_tool("consume", "-q", queue, "--idle", "0.2", expect=EMPTY)

    def test_interrupted(self):
        queue = self.queue()
        self.run_tool("publish", "-r", queue, "x", expect=OK)
        for number in (signal.SIGINT, signal.SIGTERM):
            process = self.start_tool("consume", "-q", queue)
            if number == signal.SIGINT:
                self.assertEqual(b"x\n", process.stdout.readline())
            else:
                time.sleep(0.5)
            process.send_signal(number)
            process.communicate(timeout=PATIENCE_SECONDS)
            self.assertEqual(INTERRUPTED, process.returncode)
        self.run_tool("get", "-q", queue, expect=EMPTY)

    def test_the_queue_is_deleted_meanwhile(self):
        queue = self.queue()
        self.run_tool("publish", "-r", queue, "x", expect=OK)
        process = self.start_tool("consume", "-q", queue)
        self.assertEqual(b"x\n", process.stdout.readline())
        self.run_tool("queue", "delete", queue, expect=OK)
        _, stderr = process.communicate(timeout=PATIENCE_SECONDS)
        self.assertEqual(FAILED, process.returncode)
        self.assertIn(b"cancelled", stderr)

    def test_missing_queue(self):
        for command in ("get", "consume"):
            done = self.run_tool(command, "-q", "haigha-no-such-queue", expect=FAILED)
            self.assert_one_sentence(done, "haigha-no-such-queue")


class Interrupted(CliTest):
    """Ctrl-C loses nothing that was taken."""

    def test_lines_that_were_read_are_published(self):
        queue = self.queue()
        process = self.start_tool("publish", "-r", queue, "--lines", stdin=subprocess.PIPE)
        self.addCleanup(process.stdin.close)
        process.stdin.write(b"one\ntwo\nhalf of")
        process.stdin.flush()
        # Both are there while it waits for more.
        self.assertEqual(b"one\ntwo\n", self.run_tool("consume", "-q", queue, "-n", "2", expect=OK).stdout)
        process.send_signal(signal.SIGINT)
        self.assertEqual(INTERRUPTED, process.wait(PATIENCE_SECONDS))
        self.assertIn(b"of 2 messages: none failed", process.stderr.read())
        self.run_tool("get", "-q", queue, expect=EMPTY)

    def test_each_line_that_was_taken_is_published(self):
        """What is not published is still in the pipe."""
        queue = self.queue()
        read_end, write_end = os.pipe()
        self.addCleanup(os.close, read_end)
        process = self.start_tool("publish", "-r", queue, "--lines", stdin=read_end)
        with open(write_end, "wb") as pipe:
            pipe.write(b"first\n")
            pipe.flush()
            # It is at work, and does nothing but read.
            self.assertEqual(b"first\n", self.run_tool("consume", "-q", queue, "-n", "1", expect=OK).stdout)
            pipe.write(b"".join(b"%d\n" % i for i in range(5000)))
            pipe.flush()
            process.send_signal(signal.SIGINT)
            self.assertEqual(INTERRUPTED, process.wait(PATIENCE_SECONDS))
        with open(os.dup(read_end), "rb") as pipe:
            left = pipe.read()
        self.assertIn(b"none failed", process.stderr.read())
        shown = self.run_tool("queue", "show", queue, expect=OK).stdout.decode()
        # A line that was cut in two by a read is neither.
        published = int(re.search(r"(\d+) message", shown)[1])
        self.assertIn(5000 - published - left.count(b"\n"), (0, 1))

    def test_consume_ends_with_its_reader(self):
        """What no pipe took comes again, and in order."""
        queue = self.queue()
        lines = b"".join(b"%d\n" % i for i in range(1000))
        self.run_tool("publish", "-r", queue, "--lines", stdin=lines, expect=OK)
        process = self.start_tool("consume", "-q", queue, "--prefetch", "1")
        self.assertEqual(b"0\n", process.stdout.readline())
        process.stdout.close()
        self.assertEqual(-signal.SIGPIPE, process.wait(PATIENCE_SECONDS))
        left = self.run_tool("consume", "-q", queue, "--idle", "2", expect=OK).stdout.split()
        self.assertEqual(list(range(int(left[0]), 1000)), [int(line) for line in left])


class ReadErrors(CliTest):
    def test_a_folder_has_no_lines(self):
        with tempfile.TemporaryDirectory() as folder:
            for lines in ([], ["--lines"]):
                done = self.run_tool("publish", "-r", "nobody", "-f", folder, *lines, expect=FAILED)
                self.assert_one_sentence(done, "cannot read", "directory")


class Rpc(CliTest):
    def test_a_program_answers(self):
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

    def test_a_terminals_interruption_does_not_reach_the_program(self):
        queue = self.queue()
        with tempfile.TemporaryDirectory() as folder:
            begun = os.path.join(folder, "begun")
            os.mkfifo(begun)
            script = f"echo begun > {begun}; cat {begun}.go; echo answered"
            os.mkfifo(begun + ".go")
            server = self.start_tool("serve", "-q", queue, "--", "sh", "-c", script, own_group=True)
            client = self.start_tool("rpc", "-r", queue, "x")
            with open(begun) as pipe:
                self.assertEqual("begun\n", pipe.read())
            os.killpg(server.pid, signal.SIGINT)
            with open(begun + ".go", "w"):
                pass
            self.assertEqual(b"answered\n\n", client.communicate(timeout=PATIENCE_SECONDS)[0])
            self.assertEqual(INTERRUPTED, server.wait(PATIENCE_SECONDS))

    def test_a_program_that_fails_has_its_request_rejected(self):
        queue = self.queue()
        server = self.start_tool("serve", "-q", queue, "--count", "1", "--", "false")
        self.run_tool("rpc", "-r", queue, "--timeout", "2", "x", expect=FAILED)
        self.assertEqual(OK, server.wait(PATIENCE_SECONDS))
        self.assertIn(b"false ended with status 1", server.stderr.read())
        self.run_tool("get", "-q", queue, expect=EMPTY)

    def test_nobody_serves(self):
        done = self.run_tool("rpc", "-r", "haigha-no-such-queue", "x", expect=FAILED)
        self.assert_one_sentence(done, "no queue took the request")

    def test_a_program_that_is_not_there(self):
        queue = self.queue()
        server = self.start_tool("serve", "-q", queue, "--", "/no/such/program")
        self.run_tool("publish", "-r", queue, "x", expect=OK)
        self.assertEqual(FAILED, server.wait(PATIENCE_SECONDS))
        # What it could not serve is there for another one.
        self.run_tool("get", "-q", queue, expect=OK)


class Ping(CliTest):
    def test_round_trips(self):
        done = self.run_tool("ping", "-n", "2", "-i", "0", expect=OK).stdout.decode().splitlines()
        self.assertIn("RabbitMQ", done[0])
        self.assertRegex(done[0], r"open in [\d.]+ ms$")
        self.assertRegex(done[2], r"^channel.flow 2: [\d.]+ ms$")
        self.assertRegex(done[3], r"^round trip min/avg/max/stddev = [\d./]+ ms$")


class Description(CliTest):
    """What shells and man are told is what --help tells."""

    COMMANDS = ("publish", "consume", "get", "rpc", "serve", "ping", "queue", "bench", "check")

    def complete(self, *words):
        """What bash offers for the last of these words."""
        script = self.run_tool("completion", "bash", expect=OK).stdout.decode()
        quoted = " ".join("'" + word + "'" for word in ("haigha", *words))
        script += f"COMP_WORDS=({quoted}); COMP_CWORD={len(words)}; _haigha; printf '%s\\n' \"${{COMPREPLY[@]}}\""
        done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=PATIENCE_SECONDS)
        self.assertEqual("", done.stderr)
        return done.stdout.split()

    def test_bash_completes(self):
        for command in self.COMMANDS:
            self.assertIn(command, self.complete(""))
        self.assertEqual(["publish"], self.complete("pub"))
        self.assertEqual(["--mandatory"], self.complete("publish", "--mand"))
        self.assertEqual(["declare", "delete"], sorted(self.complete("queue", "de")))
        self.assertEqual(["--type"], self.complete("queue", "declare", "--ty"))
        self.assertEqual(["json"], self.complete("get", "--format", "j"))

    def test_each_option_is_in_the_manual_and_in_fish(self):
        manual = self.run_tool("manual", expect=OK).stdout.decode().replace("\\-", "-")
        fish = self.run_tool("completion", "fish", expect=OK).stdout.decode()
        for command in self.COMMANDS:
            self.assertIn(f".SS haigha {command}\n", manual)
            self.assertIn(f" -a {command} ", fish)
            for option in re.findall(r"--([a-z-]+)", self.run_tool(command, "--help", expect=OK).stdout.decode()):
                self.assertIn("--" + option, manual, command)
        self.assertIn("-l mandatory", fish)
        self.run_tool("completion", "tcsh", expect=USAGE)

    @unittest.skipUnless(shutil.which("man"), "there is no man")
    def test_man_reads_the_manual_without_a_warning(self):
        manual = self.run_tool("manual", expect=OK).stdout
        done = subprocess.run(
            ["man", "--warnings=all", "-l", "-"], input=manual, capture_output=True, timeout=PATIENCE_SECONDS
        )
        self.assertEqual(b"", done.stderr)
        self.assertIn(b"haigha publish", done.stdout)


class Bench(CliTest):
    def bench(self, *arguments, expect=OK):
        done = self.run_tool("bench", "--json", *arguments, expect=expect)
        return json.loads(done.stdout)

    def assert_all_well(self, result, count):
        self.assertTrue(result["ok"], result)
        self.assertEqual(count, result["published"]["messages"])
        self.assertEqual(count, result["consumed"]["messages"])
        for trouble in ("missing", "duplicate", "corrupt"):
            self.assertEqual(0, result["verify"][trouble])

    def test_verified(self):
        result = self.bench("-n", "3000", "--confirm", "--ack", "--persistent", "--verify")
        self.assert_all_well(result, 3000)
        self.assertEqual(3000, result["confirmed"]["messages"])
        for latency in result["latency_us"].values():
            self.assertLessEqual(latency["p50"], latency["p99"])
            self.assertLessEqual(latency["p99"], latency["max"])

    def test_modes(self):
        for arguments in (
            ["--verify"],
            ["--verify", "--tx", "100"],
            ["--verify", "--confirm", "--channels", "4", "--consumers", "3", "--window", "7"],
            ["--verify", "--confirm", "--ack", "--size", "300000", "--prefetch", "5"],
            ["--size", "0"],
            ["--size", "16", "--ack", "--prefetch", "1"],
        ):
            with self.subTest(arguments):
                self.assert_all_well(self.bench("-n", "250", *arguments), 250)

    def test_rate_and_duration(self):
        result = self.bench("--rate", "200", "--duration", "1", "--confirm", "--verify")
        self.assertTrue(result["ok"], result)
        self.assertAlmostEqual(200, result["published"]["messages"], delta=60)

    def test_publish_first_and_consume_later(self):
        queue = self.queue()
        self.bench("-q", queue, "--consumers", "0", "-n", "500", "--confirm")
        result = self.bench("-q", queue, "--channels", "0", "-n", "500", "--ack", "--verify")
        self.assertEqual(500, result["consumed"]["messages"])
        self.run_tool("get", "-q", queue, expect=EMPTY)

    def test_what_lay_in_the_queue_is_no_part_of_the_run(self):
        queue = self.queue()
        self.run_tool("publish", "-r", queue, "--count", "3", "x" * 1024, expect=OK)
        result = self.bench("-q", queue, "-n", "100", "--verify", "--confirm")
        self.assert_all_well(result, 100)
        self.assertEqual(3, result["verify"]["foreign"])

    def test_missing_messages_are_found(self):
        # Another consumer takes its share.
        queue = self.queue()
        self.start_tool("consume", "-q", queue, "--no-ack")
        time.sleep(0.5)
        result = self.bench(
            "-q", queue, "-n", "200", "--verify", "--confirm", "--timeout", "2", expect=FAILED
        )
        self.assertFalse(result["ok"])
        self.assertGreater(result["verify"]["missing"], 0)
        self.assertEqual(200, result["verify"]["missing"] + result["consumed"]["messages"])

    def test_interrupted(self):
        process = self.start_tool("bench", "--rate", "100", "--duration", "100", "--confirm", "--json")
        time.sleep(1.5)
        process.send_signal(signal.SIGINT)
        stdout, _ = process.communicate(timeout=PATIENCE_SECONDS)
        self.assertEqual(INTERRUPTED, process.returncode)
        result = json.loads(stdout)
        self.assertEqual(result["published"]["messages"], result["confirmed"]["messages"])
        self.assertGreater(result["published"]["messages"], 0)

    def test_table(self):
        done = self.run_tool("bench", "-n", "100", "--confirm", "--ack", "--verify", expect=OK)
        text = done.stdout.decode()
        for part in ("published", "confirmed", "consumed", "p99.9", "each arrived exactly once, intact"):
            self.assertIn(part, text)
        self.assertNotIn("\033", text)


class Check(CliTest):
    def test_all_is_well(self):
        done = self.run_tool("check", expect=OK)
        text = done.stdout.decode()
        self.assertRegex(text, r"\n\d+ ok, \d+ no, 0 failed\n$")
        for part in ("product", "frame_max", "user_id", "decimal", "publisher confirms"):
            self.assertIn(part, text)
        self.assertNotIn("FAIL", text)


class BadInput(CliTest):
    def test_bad_password(self):
        done = self.run_tool("get", "-q", "x", uri=with_secret(URI), expect=UNREACHABLE)
        self.assert_one_sentence(done, "refused")

    def test_password_file(self):
        # The URI's own password is wrong; the file's is right.
        password = urllib.parse.unquote(urllib.parse.urlsplit(URI).password or "guest")
        with tempfile.NamedTemporaryFile("w") as file:
            file.write(password + "\n")
            file.flush()
            name = self.queue()
            self.run_tool(
                "queue", "show", name, "--password-file", file.name, uri=with_secret(URI), expect=OK
            )
        done = self.run_tool("check", "--password-file", "/no/such/file", expect=USAGE)
        self.assert_one_sentence(done, "/no/such/file")

    def test_the_flag_wins_over_the_environment(self):
        name = self.queue()
        self.run_tool("queue", "show", name, "--uri", URI, uri="amqp://localhost:1/", expect=OK)

    def test_refused_port(self):
        with socket.socket() as taken:
            # Bound and not listening: nobody else can be there.
            taken.bind(("127.0.0.1", 0))
            uri = with_secret(f"amqp://127.0.0.1:{taken.getsockname()[1]}/")
            done = self.run_tool("get", "-q", "x", uri=uri, expect=UNREACHABLE)
        self.assert_one_sentence(done, "connect", "refused")

    def test_unknown_host(self):
        uri = with_secret("amqp://no-such-host.invalid/")
        done = self.run_tool("get", "-q", "x", uri=uri, expect=UNREACHABLE)
        self.assert_one_sentence(done, "resolve", "no-such-host.invalid")

    def test_a_peer_that_says_nothing(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            uri = with_secret(f"amqp://127.0.0.1:{server.getsockname()[1]}/")
            begun = time.monotonic()
            done = self.run_tool("get", "-q", "x", "--timeout", "1", uri=uri, expect=UNREACHABLE)
            self.assertLess(time.monotonic() - begun, 10)
        self.assert_one_sentence(done, "handshake")

    def test_interrupted_while_connecting(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            process = self.start_tool("get", "-q", "x", "-u", f"amqp://127.0.0.1:{server.getsockname()[1]}/")
            with server.accept()[0] as accepted:
                accepted.recv(8)
                process.send_signal(signal.SIGINT)
                self.assertEqual(INTERRUPTED, process.wait(PATIENCE_SECONDS))

    def test_missing_vhost(self):
        parts = urllib.parse.urlsplit(URI)
        uri = urllib.parse.urlunsplit(parts._replace(path="/haigha-no-such-vhost"))
        done = self.run_tool("get", "-q", "x", uri=uri, expect=UNREACHABLE)
        self.assert_one_sentence(done, "open", "haigha-no-such-vhost")

    def test_the_last_of_two_options_counts(self):
        queue = self.queue()
        self.run_tool("publish", "-r", "elsewhere", "-r", queue, "--count", "9", "--count", "2", "x", expect=OK)
        done = self.run_tool("consume", "-q", queue, "-n", "2", "--format", "raw", expect=OK)
        self.assertEqual(b"xx", done.stdout)

    def test_usage(self):
        for arguments in (
            [],
            ["no-such-command"],
            ["get"],
            ["get", "-q", "x", "--no-such-flag"],
            ["publish", "--priority", "256", "x"],
            ["publish", "--header", "without", "x"],
            ["publish", "-f", "/no/such/file"],
            ["consume", "-q", "x", "--no-ack", "--count", "1"],
            ["bench", "--confirm", "--tx", "5"],
            ["bench", "--verify", "--size", "8"],
            ["bench", "--channels", "0"],
            ["check", with_secret(URI)],
            ["check", "--uri", "http://user:" + SECRET + "@localhost/"],
            ["check", "--uri", "amqp://localhost/?no_such_option=1&password=" + SECRET],
        ):
            with self.subTest(arguments):
                done = self.run_tool(*arguments, expect=USAGE)
                self.assertTrue(done.stderr.startswith(b"haigha: "), done.stderr)
                self.assertEqual(b"", done.stdout)

    def test_help_and_version(self):
        overview = self.run_tool("--help", expect=OK).stdout.decode()
        for command in ("publish", "consume", "get", "rpc", "serve", "ping", "queue", "bench", "check"):
            self.assertIn(command, overview)
            text = self.run_tool(command, "--help", expect=OK).stdout.decode()
            self.assertIn("Examples:", text)
            self.assertLessEqual(max(map(len, text.splitlines())), 100, command)
        self.assertRegex(self.run_tool("--version", expect=OK).stdout, rb"^haigha \d+\.\d+\.\d+\n$")

    def test_verbose_tells_everything_but_the_password(self):
        done = self.run_tool("get", "-q", "x", "-vv", uri=with_secret(URI), expect=UNREACHABLE)
        self.assertGreater(len(done.stderr.splitlines()), 1)

    def test_the_process_list_does_not_show_the_password(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            uri = with_secret(f"amqp://127.0.0.1:{server.getsockname()[1]}/")
            process = self.start_tool("get", "-q", "x", "-u", uri)
            with server.accept()[0] as accepted:
                accepted.recv(8)
                with open(f"/proc/{process.pid}/cmdline", "rb") as file:
                    line = file.read()
            self.assertIn(b"amqp://", line)
            self.assertNotIn(SECRET.encode(), line)


def main():
    global TOOL
    if len(sys.argv) < 2 or not URI:
        print(__doc__.strip(), file=sys.stderr)
        sys.exit(2)
    TOOL = os.path.abspath(sys.argv.pop(1))
    result = unittest.main(exit=False).result
    # A test with several subtests that fail is one.
    failed = len({test.id().split(" ")[0] for test, _ in result.failures + result.errors})
    print(f"{result.testsRun - failed} passed, {failed} failed")
    sys.exit(0 if result.wasSuccessful() and result.testsRun > 0 else 1)


if __name__ == "__main__":
    main()
