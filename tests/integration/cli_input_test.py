#!/usr/bin/env python3
"""What the tool does about wrong command lines, brokers that are not there, and passwords."""

import signal
import socket
import tempfile
import time
import urllib.parse

from cli_support import (
    INTERRUPTED,
    OK,
    PATIENCE_SECONDS,
    SECRET,
    UNREACHABLE,
    URI,
    USAGE,
    CliTest,
    main,
    with_secret,
)


class BadInput(CliTest):
    def test_bad_password(self) -> None:
        done = self.run_tool("get", "-q", "x", uri=with_secret(URI), expect=UNREACHABLE)
        self.assert_one_sentence(done, "refused")

    def test_password_file(self) -> None:
        # The URI's own password is wrong; the file's is right.
        password = urllib.parse.unquote(urllib.parse.urlsplit(URI).password or "guest")
        with tempfile.NamedTemporaryFile("w") as file:
            file.write(password + "\n")
            file.flush()
            name = self.queue()
            self.run_tool("queue", "show", name, "--password-file", file.name, uri=with_secret(URI), expect=OK)
        done = self.run_tool("check", "--password-file", "/no/such/file", expect=USAGE)
        self.assert_one_sentence(done, "/no/such/file")

    def test_the_flag_wins_over_the_environment(self) -> None:
        name = self.queue()
        self.run_tool("queue", "show", name, "--uri", URI, uri="amqp://localhost:1/", expect=OK)

    def test_refused_port(self) -> None:
        with socket.socket() as taken:
            # Bound and not listening: nobody else can be there.
            taken.bind(("127.0.0.1", 0))
            uri = with_secret(f"amqp://127.0.0.1:{taken.getsockname()[1]}/")
            done = self.run_tool("get", "-q", "x", uri=uri, expect=UNREACHABLE)
        self.assert_one_sentence(done, "connect", "refused")

    def test_unknown_host(self) -> None:
        uri = with_secret("amqp://no-such-host.invalid/")
        done = self.run_tool("get", "-q", "x", uri=uri, expect=UNREACHABLE)
        self.assert_one_sentence(done, "resolve", "no-such-host.invalid")

    def test_a_peer_that_says_nothing(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            uri = with_secret(f"amqp://127.0.0.1:{server.getsockname()[1]}/")
            begun = time.monotonic()
            done = self.run_tool("get", "-q", "x", "--timeout", "1", uri=uri, expect=UNREACHABLE)
            self.assertLess(time.monotonic() - begun, 10)
        self.assert_one_sentence(done, "handshake")

    def test_interrupted_while_connecting(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            process = self.start_tool("get", "-q", "x", "-u", f"amqp://127.0.0.1:{server.getsockname()[1]}/")
            with server.accept()[0] as accepted:
                accepted.recv(8)
                process.send_signal(signal.SIGINT)
                self.assertEqual(INTERRUPTED, process.wait(PATIENCE_SECONDS))

    def test_missing_vhost(self) -> None:
        parts = urllib.parse.urlsplit(URI)
        uri = urllib.parse.urlunsplit(parts._replace(path="/haigha-no-such-vhost"))
        done = self.run_tool("get", "-q", "x", uri=uri, expect=UNREACHABLE)
        self.assert_one_sentence(done, "open", "haigha-no-such-vhost")

    def test_the_last_of_two_options_counts(self) -> None:
        queue = self.queue()
        self.run_tool("publish", "-r", "elsewhere", "-r", queue, "--count", "9", "--count", "2", "x", expect=OK)
        done = self.run_tool("consume", "-q", queue, "-n", "2", "--format", "raw", expect=OK)
        self.assertEqual(b"xx", done.stdout)

    def test_usage(self) -> None:
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

    def test_help_and_version(self) -> None:
        overview = self.run_tool("--help", expect=OK).stdout.decode()
        for command in ("publish", "consume", "get", "rpc", "serve", "ping", "queue", "bench", "check"):
            self.assertIn(command, overview)
            text = self.run_tool(command, "--help", expect=OK).stdout.decode()
            self.assertIn("Examples:", text)
            self.assertLessEqual(max(map(len, text.splitlines())), 100, command)
        self.assertRegex(self.run_tool("--version", expect=OK).stdout, rb"^haigha \d+\.\d+\.\d+\n$")

    def test_verbose_tells_everything_but_the_password(self) -> None:
        done = self.run_tool("get", "-q", "x", "-vv", uri=with_secret(URI), expect=UNREACHABLE)
        self.assertGreater(len(done.stderr.splitlines()), 1)

    def test_the_process_list_does_not_show_the_password(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            uri = with_secret(f"amqp://127.0.0.1:{server.getsockname()[1]}/")
            process = self.start_tool("get", "-q", "x", "-u", uri)
            with server.accept()[0] as accepted:
                accepted.recv(8)
                with open(f"/proc/{process.pid}/cmdline", "rb") as file:
                    line = file.read()
            self.assertIn(b"amqp://", line)
            self.assertNotIn(SECRET.encode(), line)


if __name__ == "__main__":
    main()
