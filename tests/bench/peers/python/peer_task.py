"""What the Python drivers have in common: the arguments, the stamp of a message, and the meter."""

from __future__ import annotations

import struct
import sys
import time
from dataclasses import dataclass, field
from typing import NoReturn

FILLER = b"x"
COMPLEMENT = (1 << 64) - 1
STAMP = struct.Struct("<Q")


def give_up(why: str) -> NoReturn:
    sys.exit(f"{sys.argv[0]}: {why}")


@dataclass
class Task:
    """One work. Is measured from message `warm` + 1 on."""

    uri: str
    work: str
    size: int
    count: int
    warm: int
    window: int
    prefetch: int
    queue: str
    _cpu: float = field(default=0, init=False)
    _wall: float = field(default=0, init=False)

    @property
    def publishes(self) -> bool:
        return self.work.startswith("publish")

    @property
    def confirms(self) -> bool:
        return self.work == "publish+confirm"

    @property
    def acks(self) -> bool:
        return self.work == "consume+ack"

    def before(self, number: int) -> None:
        if number == self.warm + 1:
            # User and system, of all threads.
            self._cpu, self._wall = time.process_time(), time.monotonic()

    def report(self) -> None:
        messages = self.count - self.warm
        cpu, wall = time.process_time() - self._cpu, time.monotonic() - self._wall
        print(f"{cpu / messages * 1e6:.6f} {messages / wall:.0f}")

    def body(self, number: int) -> bytes:
        middle = FILLER * (self.size - 2 * STAMP.size)
        return STAMP.pack(number) + middle + STAMP.pack(COMPLEMENT ^ number)

    def check(self, body: bytes | memoryview, tag: int | None, number: int) -> None:
        right = (
            tag == number
            and len(body) == self.size
            and STAMP.unpack_from(body)[0] == number
            and STAMP.unpack_from(body, self.size - STAMP.size)[0] == COMPLEMENT ^ number
            and (self.size == 2 * STAMP.size or body[self.size // 2] == FILLER[0])
        )
        if not right:
            give_up("a delivery is not what was sent")


def parse_task() -> Task:
    if len(sys.argv) != 9:
        give_up("usage: URI WORK BYTES COUNT WARM WINDOW PREFETCH QUEUE")
    uri, work, *numbers, queue = sys.argv[1:]
    size, count, warm, window, prefetch = map(int, numbers)
    return Task(uri, work, size, count, warm, window, prefetch, queue)
