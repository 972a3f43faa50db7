#!/usr/bin/env python3
"""Runs example programs against the broker of HAIGHA_TEST_URI and checks what they print.

usage: run_examples.py says LINE PROGRAM     the program is given the URI and prints the line
       run_examples.py fetches LINE PROGRAM  the same, with a page of a web server's too
       run_examples.py tutorials FOLDER...   the tutorials' programs, as their texts tell it
       run_examples.py sends_file PROGRAM    files go through the broker and come back
       run_examples.py serves_metrics PROGRAM  prints the metrics, and serves them
"""

import os
import select
import subprocess
import sys
import tempfile
import threading
import urllib.request
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

LONG_S = 60


class Failed(Exception):
    """What an example did otherwise than it should."""


def says(uri, line, program, *more):
    done = subprocess.run([program, uri, *more], capture_output=True, text=True, timeout=LONG_S)
    if done.returncode != 0 or done.stdout != line + "\n":
        raise Failed(f"exit status {done.returncode}, output {done.stdout!r}, errors {done.stderr!r}")


class Page(BaseHTTPRequestHandler):
    """The same for every path."""

    def do_GET(self):  # noqa: N802
        body = b"a page\n" * 1000
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


def fetches(uri, line, program):
    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        says(uri, line, program, f"http://127.0.0.1:{server.server_port}/")
        server.shutdown()


def sends_file(uri, program):
    """A file of some pieces, and an empty one, come back as they were."""
    with tempfile.TemporaryDirectory() as folder:
        sent, came = Path(folder, "sent"), Path(folder, "came")
        for size in (0, 300_001):
            sent.write_bytes(bytes(number * 7 % 251 for number in range(size)))
            done = subprocess.run(
                [program, uri, sent, came], capture_output=True, text=True, timeout=LONG_S
            )
            if done.stdout != f"{size} octets came back\n":
                raise Failed(f"exit status {done.returncode}, errors {done.stderr!r}")
            if came.read_bytes() != sent.read_bytes():
                raise Failed("the file that came back is another")


def check_metrics(text):
    labels = 'connection="orders",messaging_system="rabbitmq",messaging_operation_name="publish"'
    for line in (
        f"messaging_client_sent_messages_total{{{labels}}} 100",
        'haigha_publish_outcomes_total{connection="orders",outcome="confirmed"} 100',
        "# TYPE messaging_client_operation_duration_seconds histogram",
    ):
        if line not in text.splitlines():
            raise Failed(f"there is no line {line!r} in {text!r}")


def serves_metrics(uri, program):
    """The same on standard output and by HTTP, again and again."""
    check_metrics(
        subprocess.run(
            [program, uri], capture_output=True, text=True, timeout=LONG_S, check=True
        ).stdout
    )
    with subprocess.Popen([program, uri, "0"], stdout=subprocess.PIPE, text=True) as server:
        try:
            page = server.stdout.readline().strip()
            for _ in range(2):
                with urllib.request.urlopen(page, timeout=LONG_S) as answer:
                    check_metrics(answer.read().decode())
        finally:
            server.kill()


class Tutorials:
    def __init__(self, uri, folder):
        self.folder = Path(folder)
        self.environment = os.environ | {"HAIGHA_URI": uri}

    def run(self, name, *arguments):
        """Runs a program to its end and returns what it has printed."""
        done = subprocess.run(
            [self.folder / name, *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=LONG_S,
        )
        if done.returncode != 0:
            raise Failed(f"{name}: exit status {done.returncode}, errors {done.stderr!r}")
        return done.stdout

    @contextmanager
    def listening(self, name, *arguments):
        """A program that goes on until it is ended; gives what waits for lines of its output."""
        program = subprocess.Popen(
            [self.folder / name, *arguments],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        output = program.stdout.fileno()
        seen = bytearray()

        def wait_for(line):
            while line.encode() not in seen:
                ready, _, _ = select.select([output], [], [], LONG_S)
                more = os.read(output, 4096) if ready else b""
                if not more:
                    raise Failed(f"{name} did not print {line!r} but {seen.decode()!r}")
                seen.extend(more)

        try:
            wait_for("] ")  # it waits
            yield wait_for
            if b"HAIGHA_ERR" in seen:
                raise Failed(f"{name}: {seen.decode()!r}")
        finally:
            program.kill()
            program.wait()
            program.stdout.close()

    def hello_world(self):
        with self.listening("receive") as wait_for:
            self.run("send")
            wait_for(" [x] Received 'Hello World!'\n")

    def work_queues(self):
        """The task of a worker that dies is done by another."""
        task = "takes a while."
        self.run("new_task", task)
        with self.listening("worker") as first:
            first(f" [x] Received '{task}'\n")
        with self.listening("worker") as second:
            second(f" [x] Received '{task}'\n")
            second(" [x] Done\n")

    def logs(self):
        with self.listening("receive_logs", "fanout", "") as everything:
            self.run("emit_log", "fanout", "", "to everybody")
            everything(" [x] :to everybody\n")
        with self.listening("receive_logs", "direct", "warning", "error") as some:
            self.run("emit_log", "direct", "info", "not for it")
            self.run("emit_log", "direct", "error", "for it")
            some(" [x] error:for it\n")
        with self.listening("receive_logs", "topic", "kern.*", "*.critical") as matching:
            self.run("emit_log", "topic", "mail.info", "not for it")
            self.run("emit_log", "topic", "kern.critical", "for it, once")
            matching(" [x] kern.critical:for it, once\n")

    def remote_procedure_calls(self):
        nobody = subprocess.run(
            [self.folder / "rpc_client", "5"],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=LONG_S,
        )
        if nobody.returncode == 0 or "HAIGHA_ERR_RETURNED" not in nobody.stderr:
            raise Failed(f"rpc_client without a server: {nobody.stderr!r}")
        with self.listening("rpc_server"):
            printed = self.run("rpc_client", "20")
            if " [.] Got 6765\n" not in printed:
                raise Failed(f"rpc_client printed {printed!r}")

    def publisher_confirms(self):
        printed = self.run("publisher_confirms").splitlines()
        if len(printed) < 2 or not all(line.endswith("00 confirmed") for line in printed):
            raise Failed(f"publisher_confirms printed {printed!r}")


def tutorials(uri, *folders):
    for folder in folders:
        all_of_them = Tutorials(uri, folder)
        all_of_them.hello_world()
        all_of_them.work_queues()
        all_of_them.logs()
        all_of_them.remote_procedure_calls()
        all_of_them.publisher_confirms()


def main() -> int:
    uri = os.environ.get("HAIGHA_TEST_URI")
    if not uri:
        print("HAIGHA_TEST_URI is not set: nothing to run against")
        return 77
    try:
        {
            "says": says,
            "fetches": fetches,
            "sends_file": sends_file,
            "serves_metrics": serves_metrics,
            "tutorials": tutorials,
        }[sys.argv[1]](uri, *sys.argv[2:])
    except Failed as failed:
        print(failed)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
