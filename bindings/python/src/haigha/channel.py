"""What the two channels have in common: publishes without an outcome, and those that wait."""

from __future__ import annotations

import enum
import threading
from collections import deque
from collections.abc import Callable
from typing import NamedTuple, TypeVar

from haigha import _native, errors
from haigha.connection import Completion, Core, Operation, nothing
from haigha.consumer import ConsumerCore, Then
from haigha.properties import Arguments

T = TypeVar("T")
Body = bytes | bytearray | memoryview
# The extension's publish of a channel, a publisher or a pool. False: there is no room.
Take = Callable[..., bool]

# How many publishes wait for the broker to take more, before one is refused.
MAX_WAITING = 65536


class RecoveryPolicy(enum.IntEnum):
    """What is done about a channel that the broker closes while its connection lives."""

    REPORT = 0
    """Its end is the end."""
    REOPEN = 1
    """It is opened again; its consumers have ended."""
    RESUBSCRIBE = 2
    """And its consumers consume again."""


class PublishPolicy(enum.IntEnum):
    """What becomes of publishes without an outcome when the channel is lost and comes back."""

    FAIL = 0
    """They end as UNKNOWN or NOT_SENT; meanwhile publishes are refused."""
    KEEP_UNSENT = 1
    """What never left is kept and sent when the channel is back."""
    RESEND = 2
    """What was on the wire is sent again, too: it may arrive twice."""


class QueueDeclared(NamedTuple):
    queue: str
    """Its name, by the broker where none was given."""
    message_count: int
    consumer_count: int


def declared(reply: _native.Reply | None) -> QueueDeclared:
    assert reply is not None
    return QueueDeclared(reply.queue, reply.message_count, reply.consumer_count)


def count(reply: _native.Reply | None) -> int:
    assert reply is not None
    return reply.message_count


def message(reply: _native.Reply | None) -> _native.Message | None:
    assert reply is not None
    return reply.message


class Publishes:
    """Publishes of a channel or a pool: those without an outcome, and those that wait for room."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self.pending: dict[int, Completion[None]] = {}
        self.waiting: deque[tuple[Completion[None], Take, tuple[object, ...]]] = deque()
        self._lock = threading.RLock()

    def wait(self, completion: Completion[None], take: Take, args: tuple[object, ...]) -> None:
        """Has a publish for which there is no room, or which others go before, wait in order."""
        if len(self.waiting) >= MAX_WAITING:
            raise errors.WouldBlockError(
                f"{MAX_WAITING} publishes wait for the broker to take more: wait for some of them"
            )
        # What may change before it is taken is copied.
        args = tuple(bytes(arg) if isinstance(arg, bytearray | memoryview) else arg for arg in args)
        with self._lock:
            self.waiting.append((completion, take, args))
            self._core.writable[id(self)] = self.try_again
        # Another thread may have been told meanwhile that there is room.
        self.try_again()

    def try_again(self) -> None:
        with self._lock:
            while self.waiting:
                completion, take, args = self.waiting[0]
                if not completion.done():
                    try:
                        taken = take(*args, self.pending, completion)
                    except Exception as error:
                        completion.set_exception(error)
                    else:
                        if not taken:
                            return
                self.waiting.popleft()
            self._core.writable.pop(id(self), None)

    def settle(self, outcomes: list[int | _native.Outcome]) -> None:
        pending = self.pending
        for outcome in outcomes:
            if type(outcome) is int:
                completion = pending.pop(outcome, None)
                if completion is not None and not completion.done():
                    completion.set_result(None)
                continue
            assert isinstance(outcome, _native.Outcome)
            completion = pending.pop(outcome.number, None)
            if completion is not None and not completion.done():
                why = errors.outcome_error(outcome.outcome, outcome.error)
                completion.set_exception(why)

    def fail(self, why: BaseException) -> None:
        """What waited was not sent, and what was pending is not known."""
        with self._lock:
            waiting, self.waiting = self.waiting, deque()
            self._core.writable.pop(id(self), None)
        for completion, *_ in waiting:
            if not completion.done():
                completion.set_exception(errors.outcome_error(_native.OUTCOME_NOT_SENT, why))
        pending = list(self.pending.values())
        self.pending.clear()
        for completion in pending:
            if not completion.done():
                completion.set_exception(errors.outcome_error(_native.OUTCOME_UNKNOWN, why))


class ChannelCore:
    """A channel without a way to wait."""

    def __init__(self, core: Core) -> None:
        self.core = core
        self.native: _native.Channel
        self.publishes = Publishes(core)
        self.consumers: dict[int, ConsumerCore] = {}
        self.abandoned: list[ConsumerCore] = []
        """Consumers that nobody wants, and that could not be cancelled yet."""
        self.is_closed = False
        self._sink = core.sink(self._on_event)

    def open(
        self,
        *,
        confirm: bool,
        recovery_policy: RecoveryPolicy,
        publish_policy: PublishPolicy,
        correlate_returns: bool,
        max_in_flight: int,
        max_in_flight_bytes: int,
        publish_max_age: float,
    ) -> Operation[None]:
        def start(tag: int) -> None:
            try:
                self.native = _native.Channel(
                    self.core.native,
                    self._sink,
                    confirm,
                    recovery_policy,
                    publish_policy,
                    correlate_returns,
                    max_in_flight,
                    max_in_flight_bytes,
                    int(publish_max_age * 1000),
                    tag,
                )
            except BaseException:
                self.core.forget(self._sink)
                raise

        return Operation(
            start, nothing, lambda _: self.abandon(), lambda: self.core.forget(self._sink)
        )

    def abandon(self) -> None:
        """Of a channel that nobody waits for any more: the broker has a limit of them."""
        try:
            self.core.start(self.call("close", convert=nothing), Then(None))
        except errors.HaighaError:
            # It has ended; or it goes with its last reference, and does not come back.
            self.core.forget(self._sink)

    def call(
        self, name: str, *args: object, convert: Callable[[_native.Reply | None], T]
    ) -> Operation[T]:
        return Operation(lambda tag: self.native.call(name, (*args, tag)), convert)

    def get(self, queue: str, *, no_ack: bool) -> Operation[_native.Message | None]:
        operation = self.call("get", queue, no_ack, convert=message)
        if not no_ack:
            operation.unclaimed = lambda got: got.nack(requeue=True) if got is not None else None
        return operation

    def consume(
        self,
        queue: str,
        consumer_tag: str,
        *,
        no_ack: bool,
        exclusive: bool,
        no_local: bool,
        pauses: bool,
        arguments: Arguments,
    ) -> Operation[ConsumerCore]:
        consumer = ConsumerCore(self, queue, no_ack=no_ack, pauses=pauses)

        def start(tag: int) -> None:
            given = (queue, consumer_tag, no_local, no_ack, exclusive, arguments)
            try:
                self.native.call("consume", (*given, consumer.sink, tag))
            except BaseException:
                self.core.forget(consumer.sink)
                raise
            self.consumers[consumer.sink] = consumer

        def convert(reply: _native.Reply | None) -> ConsumerCore:
            assert reply is not None
            consumer.tag = reply.consumer_tag
            return consumer

        return Operation(start, convert, ConsumerCore.abandon, lambda: consumer.end(None))

    def _on_event(self, kind: int, payload: object) -> None:
        if kind == _native.EVENT_OUTCOME:
            assert isinstance(payload, list)
            self.publishes.settle(payload)
        elif isinstance(payload, BaseException):
            self._end(payload)
        elif isinstance(payload, _native.Event):
            if kind == _native.EVENT_WRITABLE:
                self.publishes.try_again()
            elif kind == _native.EVENT_CHANNEL_STATE:
                self._on_state(payload)
            abandoned, self.abandoned = self.abandoned, []
            for consumer in abandoned:
                consumer.abandon()
            self.core.tell(payload)

    def _on_state(self, event: _native.Event) -> None:
        if event.state == _native.STATE_RECOVERING:
            for consumer in self.consumers.values():
                consumer.drop_stale()
        elif event.state == _native.STATE_CLOSED:
            self._end(event.error or errors.ClosedError("the channel was closed"))

    def _end(self, why: BaseException) -> None:
        self.is_closed = True
        self.core.forget(self._sink)
        self.publishes.fail(why)
        for consumer in list(self.consumers.values()):
            consumer.end(why)
