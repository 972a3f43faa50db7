"""The stub broker, docs/testing.md: lines to its standard input, lines from its standard output."""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import subprocess
import threading
from collections.abc import Iterator

PATIENCE = 60
PROGRAM = os.environ.get("HAIGHA_STUB_BROKER", "haigha-stub-broker")


class Stub:
    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        self.uri = self._line()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line.rstrip("\n"))

    def _line(self) -> str:
        try:
            return self._lines.get(timeout=PATIENCE)
        except queue.Empty:
            raise AssertionError("the stub broker says nothing") from None

    def say_now(self, line: str) -> str:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        while True:
            answer = self._line()
            if answer.startswith("fired "):
                continue
            assert answer == "ok" or answer.startswith("ok "), f"{line}: {answer}"
            return answer.removeprefix("ok").strip()

    async def say(self, line: str) -> str:
        """Says a command and gives the answer's value. What was fired before is passed over."""
        return await asyncio.to_thread(self.say_now, line)

    async def fired(self) -> None:
        """Waits until a rule of the script is followed."""
        line = await asyncio.to_thread(self._line)
        assert line.startswith("fired "), line

    def end(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(PATIENCE)
        self._reader.join()


@contextlib.contextmanager
def started() -> Iterator[Stub]:
    with subprocess.Popen(
        [PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            stub = Stub(process)
            try:
                yield stub
            finally:
                stub.end()
        finally:
            process.kill()
