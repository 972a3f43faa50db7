#!/usr/bin/env python3
"""haigha ping."""

import os
import re
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
import urllib.parse

from cli_support import (
    OK,
    PATIENCE_SECONDS,
    UNREACHABLE,
    URI,
    CliTest,
    Done,
    main,
    with_secret,
)


class Ping(CliTest):
    def test_round_trips(self) -> None:
        done = self.run_tool("ping", "-n", "2", "-i", "0", expect=OK).stdout.decode().splitlines()
        self.assertIn("RabbitMQ", done[0])
        self.assertRegex(done[-4], r"open in [\d.]+ ms$")
        self.assertRegex(done[-2], r"^channel.flow 2: [\d.]+ ms$")
        self.assertRegex(done[-1], r"^round trip min/avg/max/stddev = [\d./]+ ms$")

    def stages(self, done: Done) -> list[tuple[str, str]]:
        """The names of the stages, and what is said of them."""
        return re.findall(r"(?m)^  (\w[\w ]*\w) +[\d.]+ ms *(.*)$", done.stdout.decode())

    def test_stages(self) -> None:
        begun = time.monotonic()
        done = self.run_tool("ping", "-n", "0", expect=OK)
        took_ms = (time.monotonic() - begun) * 1000
        stages = self.stages(done)
        self.assertEqual(["resolve", "connect", "handshake", "open", "open channel"], [name for name, _ in stages])
        parts = urllib.parse.urlsplit(URI)
        self.assertTrue(stages[1][1].endswith(f":{parts.port}"), stages)
        self.assertEqual("PLAIN", stages[2][1])
        times = [float(ms) for ms in re.findall(r"([\d.]+) ms", done.stdout.decode())]
        self.assertLessEqual(sum(times[:-1]), took_ms)
        # The last one is that of all of them, rounded.
        self.assertLessEqual(sum(times[:-1]), times[-1] + 0.1)

    def test_interval(self) -> None:
        begun = time.monotonic()
        self.run_tool("ping", "-n", "3", "-i", "0.2", expect=OK)
        self.assertGreaterEqual(time.monotonic() - begun, 0.4)

    def test_where_it_fails(self) -> None:
        def fails(uri: str, *arguments: str) -> list[tuple[str, str]]:
            return self.stages(self.run_tool("ping", *arguments, uri=uri, expect=UNREACHABLE))

        self.assertEqual([("resolve", "FAILED")], fails("amqp://no-such-host.invalid/"))
        with socket.socket() as taken:
            # Bound and not listening: nobody else can be there.
            taken.bind(("127.0.0.1", 0))
            stages = fails(f"amqp://127.0.0.1:{taken.getsockname()[1]}/")
        self.assertEqual(("connect", "FAILED"), stages[-1])
        with socket.create_server(("127.0.0.1", 0)) as server:
            address = f"127.0.0.1:{server.getsockname()[1]}/"
            self.assertEqual(("handshake", "FAILED"), fails("amqp://" + address, "--timeout", "1")[-1])
            stages = fails("amqps://" + address, "--timeout", "1")
        self.assertEqual(["resolve", "connect", "TLS"], [name for name, _ in stages])
        self.assertEqual("FAILED", stages[-1][1])
        self.assertEqual(("handshake", "FAILED"), fails(with_secret(URI))[-1])
        nowhere = urllib.parse.urlsplit(URI)._replace(path="/haigha-no-such-vhost")
        self.assertEqual(("open", "FAILED"), fails(urllib.parse.urlunsplit(nowhere))[-1])

    def test_tls(self) -> None:
        # A broker's TLS is tested elsewhere; here is one that only shakes hands.
        if shutil.which("openssl") is None:
            self.skipTest("there is no openssl")
        with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as server:
            key, certificate = os.path.join(folder, "key.pem"), os.path.join(folder, "cert.pem")
            subprocess.run(
                ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                 "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", certificate],
                check=True, capture_output=True, timeout=PATIENCE_SECONDS,
            )  # fmt: skip
            server.settimeout(PATIENCE_SECONDS)
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate, key)
            options = urllib.parse.urlencode({"cacertfile": certificate})
            uri = f"amqps://localhost:{server.getsockname()[1]}/?{options}"
            process = self.start_tool("ping", "--uri", uri, "--timeout", "5")
            with server.accept()[0] as accepted, context.wrap_socket(accepted, server_side=True) as secured:
                self.assertEqual(b"AMQP\0\0\x09\x01", secured.recv(8))
            stdout, _ = process.communicate(timeout=PATIENCE_SECONDS)
        self.assertEqual(UNREACHABLE, process.returncode)
        self.assertRegex(stdout.decode(), r"(?m)^  TLS +[\d.]+ ms   TLSv1.3, \w+, verified: chain and name$")
        self.assertRegex(stdout.decode(), r"(?m)^  handshake +[\d.]+ ms   FAILED$")


if __name__ == "__main__":
    main()
