"""What the asyncio and the blocking connection have in common: the answers to come, by their tags,
and who hears what. It neither waits nor blocks: its owner says when events are to be fetched."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from haigha import _native, errors, events

T = TypeVar("T")
T_contra = TypeVar("T_contra", contravariant=True)

Sink = Callable[[int, Any], None]
"""Takes the type of an event, and its payload."""
Handler = Callable[[events.Event], None]
OptionValue = str | bytes | int


class Completion(Protocol[T_contra]):
    """What is told how something ended, once: a future of asyncio's, or one that a thread waits for."""

    def done(self) -> bool: ...
    def set_result(self, result: T_contra, /) -> None: ...
    def set_exception(self, exception: BaseException, /) -> None: ...


def nothing(_reply: _native.Reply | None) -> None:
    """Of calls that answer nothing but that it was done."""


@dataclass(slots=True)
class Operation(Generic[T]):
    """A call that the library answers later."""

    start: Callable[[int], None]
    """Given the tag that the answer will have."""
    convert: Callable[[_native.Reply | None], T]
    unclaimed: Callable[[T], None] | None = None
    """What is done with an answer when nobody waits for it any more."""
    failed: Callable[[], None] | None = None
    """What is done when it is answered with an error."""

    def drop(self, result: T) -> None:
        """Of an answer that nobody takes."""
        if self.unclaimed is not None:
            self.unclaimed(result)


class Core:
    """A connection without a way to wait."""

    def __init__(
        self, uri: str, options: dict[str, OptionValue], report: Callable[[BaseException], None]
    ) -> None:
        self._tags: Iterator[int] = itertools.count(1)
        self._sinks: dict[int, Sink] = {}
        self._handlers: list[Handler] = []
        self._report = report
        self.writable: dict[int, Callable[[], None]] = {}
        """Of each channel with publishes that wait: has it try again."""
        self.ended: BaseException | None = None
        """Once nothing can be asked of it any more: why."""
        self.native = _native.Connection(uri, options, self.sink(self._on_event))

    # ---- who hears what ----

    def sink(self, sink: Sink) -> int:
        """A tag whose events go to `sink`, until it is forgotten."""
        tag = next(self._tags)
        self._sinks[tag] = sink
        return tag

    def forget(self, tag: int) -> None:
        self._sinks.pop(tag, None)

    def check(self) -> None:
        if self.ended is not None:
            raise errors.ClosedError(str(self.ended)) from self.ended

    def start(self, operation: Operation[T], completion: Completion[T]) -> None:
        """Starts it; `completion` hears the end, unless this raises."""
        self.check()

        def on_reply(_type: int, event: _native.Event | errors.HaighaError) -> None:
            self.forget(tag)
            error = event if isinstance(event, errors.HaighaError) else event.error
            if error is not None:
                if operation.failed is not None:
                    operation.failed()
                if not completion.done():
                    completion.set_exception(error)
                return
            assert isinstance(event, _native.Event)
            result = operation.convert(event.reply)
            if not completion.done():
                completion.set_result(result)
            else:
                operation.drop(result)

        tag = self.sink(on_reply)
        try:
            operation.start(tag)
        except BaseException:
            self.forget(tag)
            raise

    def drain(self, timeout_ms: int = 0) -> bool:
        """Fetches one batch and tells who it is for. False: there was nothing."""
        batch = self.native.poll(timeout_ms)
        for kind, tag, payload in batch:
            sink = self._sinks.get(tag)
            if sink is not None:
                sink(kind, payload)
            elif kind == _native.EVENT_DELIVERY:
                give_back(payload)
        return bool(batch)

    # ---- events ----

    def add_handler(self, handler: Handler) -> None:
        self._handlers.append(handler)

    def remove_handler(self, handler: Handler) -> None:
        if handler in self._handlers:
            self._handlers.remove(handler)

    def tell(self, event: _native.Event) -> None:
        """Tells the handlers. One that raises is reported, and changes nothing."""
        if not self._handlers:
            return
        told = events.of_native(event)
        if told is None:
            return
        for handler in tuple(self._handlers):
            try:
                handler(told)
            except Exception as error:
                self._report(error)

    def _on_event(self, kind: int, event: _native.Event) -> None:
        if kind in (_native.EVENT_WRITABLE, _native.EVENT_UNBLOCKED):
            for try_again in tuple(self.writable.values()):
                try_again()
        self.tell(event)

    # ---- operations ----

    def open(self) -> Operation[None]:
        return Operation(self.native.open, nothing)

    def close(self) -> Operation[None]:
        return Operation(self.native.close, nothing)

    def flush(self) -> Operation[None]:
        return Operation(self.native.flush, nothing)

    def stop(self, settle: float, publish: float, close: float) -> Operation[None]:
        times = (milliseconds(settle), milliseconds(publish), milliseconds(close))
        return Operation(lambda tag: self.native.stop(*times, tag), nothing)

    def update_secret(self, secret: str, reason: str) -> Operation[None]:
        return Operation(lambda tag: self.native.update_secret(secret, reason, tag), nothing)

    def end(self, why: BaseException | None = None) -> None:
        """Ends it at once; what still waits for an answer hears why. Idempotent."""
        if self.ended is not None:
            return
        self.ended = why or errors.ClosedError("the connection was closed")
        self.native.abort()
        waiting, self._sinks = self._sinks, {}
        for sink in waiting.values():
            try:
                sink(0, self.ended)
            except Exception as error:
                self._report(error)
        self._handlers.clear()
        self.writable.clear()


def milliseconds(seconds: float) -> int:
    return max(0, int(seconds * 1000))


def give_back(messages: list[_native.Message]) -> None:
    """To the broker: deliveries that nobody is there for."""
    for message in messages:
        try:
            message.nack(requeue=True)
        except errors.HaighaError:
            # Its channel has ended, and the broker has it already; or it needs no ack.
            return
