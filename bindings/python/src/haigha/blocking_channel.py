"""The channels of haigha.blocking, and what publishes and consumes on them."""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Generic, Self, TypeVar

from haigha import _native
from haigha.channel import Body, ChannelCore, Publishes, QueueDeclared, Take, count, declared
from haigha.connection import nothing
from haigha.consumer import ConsumerCore
from haigha.events import State
from haigha.pool import PoolCore
from haigha.properties import Arguments, Properties

if TYPE_CHECKING:
    from haigha.blocking import Connection

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

    def has_result(self) -> bool:
        return self._done and self._exception is None

    def result(self) -> T:
        if self._exception is not None:
            raise self._exception
        return self._result


class Pending(Waiter[None]):
    """A publish without an outcome yet, by `start_publish`."""

    __slots__ = ("_connection",)

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._done = False
        self._exception = None

    def wait(self, timeout: float | None = None) -> None:
        """Until it is confirmed; raises when it is not."""
        if not self._done:
            self._connection._wait(self, timeout)
        elif self._exception is not None:
            raise self._exception


class Context:
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
        publishes = self._publishes
        # Written out, since this is what most of a publish's time goes into.
        if publishes.waiting or not self._take(
            exchange, routing_key, body, properties, mandatory, publishes.pending, pending
        ):
            args = (exchange, routing_key, body, properties, mandatory)
            publishes.wait(pending, self._take, args)
        return pending


class Channel(Context, _Publishing):
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
    def state(self) -> State:
        return State(self._core.native.state())

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
        native = _native.Publisher(self._core.native, exchange, routing_key, properties, mandatory)
        return Publisher(self, native.publish)

    # ---- exchanges and queues ----

    def exchange_declare(
        self,
        exchange: str,
        type: str = "direct",
        *,
        passive: bool = False,
        durable: bool = False,
        auto_delete: bool = False,
        internal: bool = False,
        arguments: Arguments = None,
    ) -> None:
        flags = (passive, durable, auto_delete, internal)
        self._run(
            self._core.call("exchange_declare", exchange, type, *flags, arguments, convert=nothing)
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

    def queue_delete(self, queue: str, *, if_unused: bool = False, if_empty: bool = False) -> int:
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
        publishes = self.channel._publishes
        if publishes.waiting or not self._take(body, publishes.pending, pending):
            publishes.wait(pending, self._take, (body,))
        return pending


class Consumer(Context, Iterator[_native.Message]):
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
        if self._buffer and not self._core.pauses:
            return self._buffer.popleft()
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
        """Has the broker deliver no more. What has come can still be taken. RecoveringError,
        WouldBlockError: the broker was not asked, and it goes on."""
        if not self._core.ended:
            self.channel._run(self._core.cancelled())

    def drain(self, timeout: float = 20) -> int:
        """Cancels it and waits until each delivery is settled, `timeout` seconds at most; how many
        were not. TimeoutError: the broker has not answered the cancel by then. UnsupportedError: in
        a transaction."""
        given = (self._core.tag, int(timeout * 1000))
        return self.channel._run(self.channel._core.call("drain", *given, convert=count))

    def pause(self) -> None:
        """Has the broker deliver no more until `resume`. ArgumentError: it is not running."""
        self.channel._run(self.channel._core.call("pause", self._core.tag, convert=nothing))

    def resume(self) -> None:
        """Undoes `pause`. ArgumentError: it is not paused."""
        self.channel._run(self.channel._core.call("resume", self._core.tag, convert=nothing))

    def close(self) -> None:
        """Cancels it; gives back what was not taken. RecoveringError, WouldBlockError: the broker
        cannot be asked now, and it goes on until it is closed again."""
        if not self._core.ended and not self._core.channel.is_closed:
            self.cancel()
        self._core.give_back()


class Pool(Context, _Publishing):
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
