"""What the two consumers have in common: the messages that have come and were not taken."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from haigha import _native, errors
from haigha.connection import Completion, Operation, give_back, nothing

if TYPE_CHECKING:
    from haigha.channel import ChannelCore

# Of messages without acks, which nothing else holds back: from how many that wait on the consumer is
# paused, and how few have it go on.
PAUSE_AT = 4096
RESUME_AT = 1024


class ConsumerCore:
    def __init__(self, channel: ChannelCore, queue: str, *, no_ack: bool, pauses: bool) -> None:
        self.channel = channel
        self.queue = queue
        self.no_ack = no_ack
        self.tag = ""
        self.buffer: deque[_native.Message] = deque()
        self.ended = False
        self.error: BaseException | None = None
        """Why it ended, where the program did not ask for it."""
        self.waiters: deque[Completion[None]] = deque()
        self.pauses = pauses and no_ack
        """Whether what is taken may have it go on: then messages are to be had by `take` alone."""
        self._pause_state = "running"
        self.sink = channel.core.sink(self._on_event)

    def _on_event(self, kind: int, payload: object) -> None:
        if kind == _native.EVENT_DELIVERY:
            assert isinstance(payload, list)
            self.buffer.extend(payload)
            self.wake(len(payload))
            if self.pauses and len(self.buffer) >= PAUSE_AT and self._pause_state == "running":
                self._pause()
        elif isinstance(payload, BaseException):
            self.end(payload)
        elif kind == _native.EVENT_CONSUMER_CANCELLED:
            assert isinstance(payload, _native.Event)
            error = payload.error
            # By the broker, and not by its channel's end.
            if isinstance(error, errors.HaighaError) and error.method == "basic.cancel":
                error = errors.cancelled_error(error)
            self.end(error)

    def wake(self, count: int) -> None:
        while self.waiters and count > 0:
            waiter = self.waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                count -= 1

    def end(self, error: BaseException | None) -> None:
        if self.ended:
            return
        self.ended, self.error = True, error
        self.channel.core.forget(self.sink)
        self.channel.consumers.pop(self.sink, None)
        self.wake(len(self.waiters))

    def drop_stale(self) -> None:
        """Of a channel that was lost: what was not taken will be delivered again."""
        if not self.no_ack:
            self.buffer.clear()

    def take(self) -> _native.Message | None:
        """The next message; None: there is none now. Raises once it has ended."""
        if self.buffer:
            message = self.buffer.popleft()
            if self._pause_state == "paused" and len(self.buffer) <= RESUME_AT:
                self._resume()
            return message
        if self.ended and self.error is not None:
            raise self.error
        return None

    # ---- holding back ----

    def _pause(self) -> None:
        self._pause_state = "pausing"
        self._start("pause", self._paused)

    def _paused(self) -> None:
        self._pause_state = "paused"
        if len(self.buffer) <= RESUME_AT:
            self._resume()

    def _resume(self) -> None:
        self._pause_state = "resuming"
        self._start("resume", self._resumed)

    def _resumed(self) -> None:
        self._pause_state = "running"

    def _start(self, call: str, then: object) -> None:
        try:
            self.channel.core.start(self.channel.call(call, self.tag, convert=nothing), Then(then))
        except errors.HaighaError:
            self._pause_state = "running"  # it is ending, which is told otherwise

    def cancelled(self) -> Operation[None]:
        """Has the broker deliver no more; what has come stays here to be taken."""
        return self.channel.call("cancel", self.tag, convert=nothing)

    def abandon(self) -> None:
        """Of a consumer that nobody waits for any more."""
        try:
            # Deliveries may come until it is cancelled.
            self.channel.core.start(self.cancelled(), Then(self.give_back))
        except (errors.RecoveringError, errors.WouldBlockError):
            self.channel.abandoned.append(self)  # it goes on, or comes back
        except errors.HaighaError:
            return  # it has ended

    def give_back(self) -> None:
        """What has come and was not taken goes to the broker, to be delivered to others."""
        if not self.no_ack:
            give_back(list(self.buffer))
        self.buffer.clear()


class Then:
    """A completion that goes on with something, or with nothing."""

    def __init__(self, then: object) -> None:
        self._then = then

    def done(self) -> bool:
        return False

    def set_result(self, _result: object, /) -> None:
        if callable(self._then):
            self._then()

    def set_exception(self, _exception: BaseException, /) -> None:
        """The consumer ends, which it is told otherwise."""
