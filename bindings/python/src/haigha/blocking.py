"""The client for programs without an event loop: the same names as haigha.asyncio, and each call
waits. Threads may share a connection; Ctrl-C ends a call that waits."""

from __future__ import annotations

import logging
import threading
import time
import warnings
import weakref
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from haigha import _native, errors, events
from haigha.channel import (
    Body,
    ChannelCore,
    Publishes,
    PublishPolicy,
    QueueDeclared,
    RecoveryPolicy,
    Take,
    count,
    declared,
)
from haigha.connection import Core, Handler, Operation, OptionValue, milliseconds, nothing
from haigha.consumer import ConsumerCore
from haigha.pool import PoolCore, PoolMode, PoolRetry
from haigha.properties import Arguments, Properties

__all__ = ["Channel", "Connection", "Consumer", "Pending", "Pool", "Publisher", "connect"]

T = TypeVar("T")


class Waiter(Generic[T]):
    """What a thread waits for."""

    __slots__ = ("_done", "_exception", "_result")

    def __init__(self) -> None:
        self._done = False
        self._result: T
        self._exception: BaseException | None = None

    def done(self) -> bool:
        return self._done

    def set_result(self, result: T, /) -> None:
        self._result = result
        self._done = True

    def set_exception(self, exception: BaseException, /) -> None:
        self._exception = exception
        self._done = True

    def result(self) -> T:
        if self._exception is not None:
            raise self._exception
        return self._result


class Pending:
    """A publish without an outcome yet, by `start_publish`."""

    __slots__ = ("_connection", "_waiter")

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._waiter: Waiter[None] = Waiter()

    def done(self) -> bool:
        return self._waiter.done()

    def wait(self, timeout: float | None = None) -> None:
        """Until it is confirmed; raises when it is not."""
        self._connection._wait(self._waiter, timeout)


class _Context:
    """What is closed by `with`."""

    def close(self) -> None:
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self.close()


def _report(error: BaseException) -> None:
    logging.getLogger("haigha").error("a handler of events raised", exc_info=error)


def connect(uri: str = "amqp://localhost", /, **options: OptionValue) -> Connection:
    """Connects. The URI's query and the keywords are options, which `haigha.options()` tells, such as
    recovery=1."""
    core = Core(uri, options, _report)
    connection = Connection(core)
    try:
        connection._run(core.open())
    except BaseException:
        connection._end()
        raise
    return connection


class Connection(_Context):
    """Made by `connect`."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._turn = threading.Condition()
        self._fetching: int | None = None
        """The thread that fetches events, for all."""
        self._finalizer = weakref.finalize(self, core.end)
        # The process may end at any moment, and needs no help with it.
        self._finalizer.atexit = False

    # ---- waiting: one thread fetches the events, of whoever waits ----

    def _run(self, operation: Operation[T]) -> T:
        waiter: Waiter[T] = Waiter()
        self._core.start(operation, waiter)
        return self._wait(waiter)

    def _wait(self, waiter: Waiter[T], timeout: float | None = None) -> T:
        deadline = None if timeout is None else time.monotonic() + timeout
        while not waiter.done():
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                self._fetch(waiter, 0)
                if not waiter.done():
                    raise errors.TimeoutError(f"it took longer than {timeout} s")
                break
            self._fetch(waiter, left)
        return waiter.result()

    def _fetch(self, waiter: Waiter[Any] | None, timeout: float | None) -> None:
        """Fetches one batch, unless another thread does or the waiter is done meanwhile."""
        mine = threading.get_ident()
        with self._turn:
            if self._fetching is not None and self._fetching != mine:
                if waiter is None or not waiter.done():
                    self._turn.wait(timeout)
                return
            if waiter is not None and waiter.done():
                return
            outer, self._fetching = self._fetching, mine
        try:
            if self._core.ended is None:
                self._core.drain(-1 if timeout is None else milliseconds(timeout))
            elif waiter is not None and not waiter.done():
                waiter.set_exception(self._core.ended)
        finally:
            with self._turn:
                self._fetching = outer
                self._turn.notify_all()

    def process_events(self, timeout: float | None = 0) -> None:
        """Has the handlers told what has happened, which other calls do when they wait. Waits up to
        `timeout` seconds for something to happen."""
        self._core.check()
        self._fetch(None, timeout)

    def _end(self) -> None:
        self._finalizer.detach()
        self._core.end()
        with self._turn:
            self._turn.notify_all()

    def __del__(self) -> None:
        finalizer = getattr(self, "_finalizer", None)
        if finalizer is not None and finalizer.alive and self._core.ended is None:
            warnings.warn(f"{self!r} was not closed", ResourceWarning, source=self, stacklevel=2)

    # ---- its life ----

    def close(self) -> None:
        """Writes what was taken and says goodbye. What waits for an answer fails."""
        self._finish(self._core.close())

    def stop(
        self, *, settle_timeout: float = 0, publish_timeout: float = 0, close_timeout: float = 0
    ) -> None:
        """Closes it so that nothing is left: consumers are cancelled, what was delivered is settled
        and what was published has its outcome first, each within a time (0: the option's)."""
        self._core.check()
        self._finish(self._core.stop(settle_timeout, publish_timeout, close_timeout))

    def _finish(self, operation: Operation[None]) -> None:
        if self._core.ended is not None:
            return
        try:
            self._run(operation)
        finally:
            self._drain_all()
            self._end()

    def _drain_all(self) -> None:
        with self._turn:
            self._turn.wait_for(lambda: self._fetching in (None, threading.get_ident()), 1)
            if self._fetching is not None and self._fetching != threading.get_ident():
                return
            while self._core.drain():
                pass

    def flush(self) -> None:
        """Ends when everything so far was handed to the operating system."""
        self._run(self._core.flush())

    def update_secret(self, secret: str, reason: str = "") -> None:
        """Gives the broker a new secret, such as an OAuth 2 token."""
        self._run(self._core.update_secret(secret, reason))

    def channel(
        self,
        *,
        confirm: bool = True,
        recovery_policy: RecoveryPolicy = RecoveryPolicy.REPORT,
        publish_policy: PublishPolicy = PublishPolicy.FAIL,
        correlate_returns: bool = False,
        max_in_flight: int = 0,
        max_in_flight_bytes: int = 0,
        publish_max_age: float = 0,
    ) -> Channel:
        """Opens a channel, with publisher confirms unless told otherwise."""
        core = ChannelCore(self._core)
        self._run(
            core.open(
                confirm=confirm,
                recovery_policy=recovery_policy,
                publish_policy=publish_policy,
                correlate_returns=correlate_returns,
                max_in_flight=max_in_flight,
                max_in_flight_bytes=max_in_flight_bytes,
                publish_max_age=publish_max_age,
            )
        )
        return Channel(self, core)

    def pool(
        self,
        *,
        mode: PoolMode = PoolMode.CONFIRM,
        retry: PoolRetry = PoolRetry.ALL,
        correlate_returns: bool = False,
        max_channels: int = 0,
        max_attempts: int = 0,
        max_in_flight: int = 0,
        max_messages: int = 0,
        max_bytes: int = 0,
    ) -> Pool:
        """A pool of channels that publishes."""
        core = PoolCore(
            self._core,
            mode=mode,
            retry=retry,
            correlate_returns=correlate_returns,
            max_channels=max_channels,
            max_attempts=max_attempts,
            max_in_flight=max_in_flight,
            max_messages=max_messages,
            max_bytes=max_bytes,
        )
        return Pool(self, core)

    # ---- what happens to it ----

    def on_event(self, handler: Handler) -> None:
        """Has `handler` called with each event (haigha.events) of the connection and its channels.
        They are told while a call waits; what they raise is logged."""
        self._core.add_handler(handler)

    def remove_handler(self, handler: Handler) -> None:
        self._core.remove_handler(handler)

    def wait_for(self, *kinds: type[events.Event], timeout: float | None = None) -> events.Event:
        """The next event of one of these kinds."""
        self._core.check()
        waiter: Waiter[events.Event] = Waiter()

        def handler(event: events.Event) -> None:
            if isinstance(event, kinds) and not waiter.done():
                waiter.set_result(event)

        self._core.add_handler(handler)
        try:
            return self._wait(waiter, timeout)
        finally:
            self._core.remove_handler(handler)

    @property
    def state(self) -> events.State:
        if self._core.ended is not None:
            return events.State.CLOSED
        return events.State(self._core.native.state())

    @property
    def last_error(self) -> BaseException | None:
        """Why it ended, or is recovering."""
        return self._core.native.last_error() if self._core.ended is None else None

    def info(self, name: str) -> int:
        """A number by name, as haigha_connection_info has it: "heartbeat", "channels", ..."""
        self._core.check()
        return self._core.native.info(name)

    @property
    def server_properties(self) -> dict[str, Any]:
        self._core.check()
        return self._core.native.server_properties()

    @property
    def peer_info(self) -> dict[str, Any]:
        """Of the other end: its address, TLS's version, the certificate's subject, ..."""
        self._core.check()
        return self._core.native.peer_info()


class _Publishing:
    """Publishing, as a channel and a pool have it."""

    connection: Connection
    _publishes: Publishes
    _take: Take

    def publish(
        self,
        body: Body,
        routing_key: str = "",
        *,
        exchange: str = "",
        properties: Properties | None = None,
        mandatory: bool = False,
    ) -> None:
        """Sends a message and waits until the broker has confirmed it; raises NackedError,
        ReturnedError, ... when it does not. Without confirms it waits until the message was taken. A
        large bytes object is not copied; what can change is."""
        self.start_publish(
            body, routing_key, exchange=exchange, properties=properties, mandatory=mandatory
        ).wait()

    def start_publish(
        self,
        body: Body,
        routing_key: str = "",
        *,
        exchange: str = "",
        properties: Properties | None = None,
        mandatory: bool = False,
    ) -> Pending:
        """The same without waiting, which is much faster for many: wait for each one later."""
        pending = Pending(self.connection)
        args = (exchange, routing_key, body, properties, mandatory)
        self._publishes.publish(pending._waiter, self._take, args)
        return pending


class Channel(_Context, _Publishing):
    """Made by `Connection.channel`."""

    def __init__(self, connection: Connection, core: ChannelCore) -> None:
        self.connection = connection
        self._core = core
        self._publishes = core.publishes
        self._take = core.native.publish
        self._run = connection._run

    def close(self) -> None:
        if not self._core.is_closed:
            self._run(self._core.call("close", convert=nothing))

    @property
    def id(self) -> int:
        return self._core.native.id()

    @property
    def is_closed(self) -> bool:
        return self._core.is_closed

    @property
    def last_error(self) -> BaseException | None:
        """Why it ended."""
        return self._core.native.last_error()

    def publisher(
        self,
        routing_key: str = "",
        *,
        exchange: str = "",
        properties: Properties | None = None,
        mandatory: bool = False,
    ) -> Publisher:
        """For many messages that differ in their bodies alone: the rest is encoded once."""
        native = _native.Publisher(
            self._core.native, exchange, routing_key, properties, mandatory
        )
        return Publisher(self, native.publish)

    # ---- exchanges and queues ----

    def exchange_declare(
        self,
        exchange: str,
        type: str = "direct",  # noqa: A002
        *,
        passive: bool = False,
        durable: bool = False,
        auto_delete: bool = False,
        internal: bool = False,
        arguments: Arguments = None,
    ) -> None:
        flags = (passive, durable, auto_delete, internal)
        self._run(
            self._core.call(
                "exchange_declare", exchange, type, *flags, arguments, convert=nothing
            )
        )

    def exchange_delete(self, exchange: str, *, if_unused: bool = False) -> None:
        self._run(self._core.call("exchange_delete", exchange, if_unused, convert=nothing))

    def exchange_bind(
        self, destination: str, source: str, routing_key: str = "", *, arguments: Arguments = None
    ) -> None:
        """What `source` gets goes to `destination` as well."""
        given = (destination, source, routing_key, arguments)
        self._run(self._core.call("exchange_bind", *given, convert=nothing))

    def exchange_unbind(
        self, destination: str, source: str, routing_key: str = "", *, arguments: Arguments = None
    ) -> None:
        given = (destination, source, routing_key, arguments)
        self._run(self._core.call("exchange_unbind", *given, convert=nothing))

    def queue_declare(
        self,
        queue: str = "",
        *,
        passive: bool = False,
        durable: bool = False,
        exclusive: bool = False,
        auto_delete: bool = False,
        arguments: Arguments = None,
    ) -> QueueDeclared:
        """A queue; with no name the broker gives it one."""
        flags = (passive, durable, exclusive, auto_delete)
        return self._run(
            self._core.call("queue_declare", queue, *flags, arguments, convert=declared)
        )

    def queue_bind(
        self, queue: str, exchange: str, routing_key: str = "", *, arguments: Arguments = None
    ) -> None:
        given = (queue, exchange, routing_key, arguments)
        self._run(self._core.call("queue_bind", *given, convert=nothing))

    def queue_unbind(
        self, queue: str, exchange: str, routing_key: str = "", *, arguments: Arguments = None
    ) -> None:
        given = (queue, exchange, routing_key, arguments)
        self._run(self._core.call("queue_unbind", *given, convert=nothing))

    def queue_purge(self, queue: str) -> int:
        """How many messages were dropped."""
        return self._run(self._core.call("queue_purge", queue, convert=count))

    def queue_delete(
        self, queue: str, *, if_unused: bool = False, if_empty: bool = False
    ) -> int:
        """How many messages were dropped."""
        given = (queue, if_unused, if_empty)
        return self._run(self._core.call("queue_delete", *given, convert=count))

    # ---- consuming ----

    def qos(self, prefetch: int, *, channel_wide: bool = False) -> None:
        """How many deliveries may be unsettled at a time, for each consumer that comes."""
        self._run(self._core.call("qos", prefetch, channel_wide, convert=nothing))

    def consume(
        self,
        queue: str,
        *,
        consumer_tag: str = "",
        no_ack: bool = False,
        exclusive: bool = False,
        no_local: bool = False,
        pause_when_full: bool = True,
        arguments: Arguments = None,
    ) -> Consumer:
        """Messages as they come: `for message in channel.consume(queue)`. Without acks,
        it is paused (basic.cancel) while thousands wait to be taken, unless told otherwise: turn that
        off for queues that are deleted when nobody consumes."""
        core = self._run(
            self._core.consume(
                queue,
                consumer_tag,
                no_ack=no_ack,
                exclusive=exclusive,
                no_local=no_local,
                pauses=pause_when_full,
                arguments=arguments,
            )
        )
        return Consumer(self, core)

    def get(self, queue: str, *, no_ack: bool = False) -> _native.Message | None:
        """One message, if there is one."""
        return self._run(self._core.get(queue, no_ack=no_ack))

    def ack_all(self) -> None:
        """Acks whatever is open."""
        self._core.native.ack(0, _native.MULTIPLE)

    def nack_all(self, *, requeue: bool = True) -> None:
        self._core.native.nack(0, _native.MULTIPLE | (_native.REQUEUE if requeue else 0))

    def recover(self, *, requeue: bool = True) -> None:
        """Has what is not settled delivered again."""
        self._run(self._core.call("recover", requeue, convert=nothing))

    # ---- modes ----

    def confirm_select(self) -> None:
        self._run(self._core.call("confirm_select", convert=nothing))

    def tx_select(self) -> None:
        self._run(self._core.call("tx_select", convert=nothing))

    def tx_commit(self) -> None:
        self._run(self._core.call("tx_commit", convert=nothing))

    def tx_rollback(self) -> None:
        self._run(self._core.call("tx_rollback", convert=nothing))


class Publisher:
    """Made by `Channel.publisher`."""

    def __init__(self, channel: Channel, take: Take) -> None:
        self.channel = channel
        self._take = take

    def publish(self, body: Body) -> None:
        """As Channel.publish."""
        self.start_publish(body).wait()

    def start_publish(self, body: Body) -> Pending:
        """As Channel.start_publish."""
        pending = Pending(self.channel.connection)
        self.channel._publishes.publish(pending._waiter, self._take, (body,))
        return pending


class Consumer(_Context, Iterator[_native.Message]):
    """Made by `Channel.consume`. Ends after `cancel`; raises when the broker cancelled it, or its
    channel ended."""

    def __init__(self, channel: Channel, core: ConsumerCore) -> None:
        self.channel = channel
        self._core = core
        self._buffer = core.buffer

    @property
    def tag(self) -> str:
        return self._core.tag

    @property
    def queue(self) -> str:
        return self._core.queue

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> _native.Message:
        message = self._next(None)
        if message is None:
            raise StopIteration
        return message

    def _next(self, timeout: float | None) -> _native.Message | None:
        message = self._core.take()
        while message is None and not self._core.ended:
            waiter: Waiter[None] = Waiter()
            self._core.waiters.append(waiter)
            # What came before it was there to be told.
            if not self._buffer and not self._core.ended:
                try:
                    self.channel.connection._wait(waiter, timeout)
                finally:
                    if not waiter.done():
                        waiter.set_result(None)  # nobody waits: others are told in its place
            message = self._core.take()
        return message

    def get(self, timeout: float | None = None) -> _native.Message | None:
        """The next message; None once it has ended. TimeoutError: none came in time."""
        return self._next(timeout)

    def cancel(self) -> None:
        """Has the broker deliver no more. What has come can still be taken."""
        if not self._core.ended:
            self.channel._run(self._core.cancelled())

    def drain(self, timeout: float = 20) -> int:
        """Cancels it and waits until each delivery is settled; how many were not, in time."""
        given = (self._core.tag, int(timeout * 1000))
        return self.channel._run(self.channel._core.call("drain", *given, convert=count))

    def pause(self) -> None:
        self.channel._run(self.channel._core.call("pause", self._core.tag, convert=nothing))

    def resume(self) -> None:
        self.channel._run(self.channel._core.call("resume", self._core.tag, convert=nothing))

    def close(self) -> None:
        """Cancels it; gives back what was not taken."""
        if not self._core.ended and not self._core.channel.is_closed:
            self.cancel()
        self._core.give_back()


class Pool(_Context, _Publishing):
    """Made by `Connection.pool`."""

    def __init__(self, connection: Connection, core: PoolCore) -> None:
        self.connection = connection
        self._core = core
        self._publishes = core.publishes
        self._take = core.native.publish

    def drain(self) -> None:
        """Ends when each message so far has its outcome."""
        self.connection._run(self._core.drain())

    def close(self) -> None:
        """Takes no more messages, and closes the channels; what waits is not sent: drain before."""
        if not self._core.is_closed:
            self.connection._run(self._core.close())

    def info(self, name: str) -> int:
        """A number by name, as haigha_pool_info has it: "channels", "confirmed", ..."""
        return self._core.native.info(name)
