"""The channels of haigha.asyncio, and what publishes and consumes on them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from types import TracebackType
from typing import TYPE_CHECKING, Self

from haigha import _native, errors
from haigha.channel import Body, ChannelCore, Publishes, QueueDeclared, Take, count, declared
from haigha.connection import nothing
from haigha.consumer import ConsumerCore
from haigha.events import State
from haigha.pool import PoolCore
from haigha.properties import Arguments, Properties

if TYPE_CHECKING:
    from haigha.asyncio import Connection


class Context:
    """What is closed by `async with`."""

    async def close(self) -> None:
        raise NotImplementedError

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        await self.close()


class _Publishing:
    """Publishing, as a channel and a pool have it."""

    _publishes: Publishes
    _take: Take
    _loop: asyncio.AbstractEventLoop

    def publish(
        self,
        body: Body,
        routing_key: str = "",
        *,
        exchange: str = "",
        properties: Properties | None = None,
        mandatory: bool = False,
    ) -> asyncio.Future[None]:
        """Sends a message at once, and gives what ends when the broker has confirmed it; raises
        NackedError, ReturnedError, ... when it does not. Without confirms it ends when the message
        was taken. While the broker takes none the message waits, in order. A large bytes object is
        not copied; what can change is."""
        future: asyncio.Future[None] = self._loop.create_future()
        publishes = self._publishes
        # Written out, since this is what most of a publish's time goes into.
        if publishes.waiting or not self._take(
            exchange, routing_key, body, properties, mandatory, publishes.pending, future
        ):
            args = (exchange, routing_key, body, properties, mandatory)
            publishes.wait(future, self._take, args)
        return future

    start_publish = publish


class Channel(Context, _Publishing):
    """Made by `Connection.channel`."""

    def __init__(self, connection: Connection, core: ChannelCore) -> None:
        self.connection = connection
        self._core = core
        self._publishes = core.publishes
        self._take = core.native.publish
        self._loop = connection._loop
        self._run = connection._run

    async def close(self) -> None:
        if not self._core.is_closed:
            await self._run(self._core.call("close", convert=nothing))

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

    async def exchange_declare(
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
        await self._run(
            self._core.call("exchange_declare", exchange, type, *flags, arguments, convert=nothing)
        )

    async def exchange_delete(self, exchange: str, *, if_unused: bool = False) -> None:
        await self._run(self._core.call("exchange_delete", exchange, if_unused, convert=nothing))

    async def exchange_bind(
        self, destination: str, source: str, routing_key: str = "", *, arguments: Arguments = None
    ) -> None:
        """What `source` gets goes to `destination` as well."""
        given = (destination, source, routing_key, arguments)
        await self._run(self._core.call("exchange_bind", *given, convert=nothing))

    async def exchange_unbind(
        self, destination: str, source: str, routing_key: str = "", *, arguments: Arguments = None
    ) -> None:
        given = (destination, source, routing_key, arguments)
        await self._run(self._core.call("exchange_unbind", *given, convert=nothing))

    async def queue_declare(
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
        return await self._run(
            self._core.call("queue_declare", queue, *flags, arguments, convert=declared)
        )

    async def queue_bind(
        self, queue: str, exchange: str, routing_key: str = "", *, arguments: Arguments = None
    ) -> None:
        given = (queue, exchange, routing_key, arguments)
        await self._run(self._core.call("queue_bind", *given, convert=nothing))

    async def queue_unbind(
        self, queue: str, exchange: str, routing_key: str = "", *, arguments: Arguments = None
    ) -> None:
        given = (queue, exchange, routing_key, arguments)
        await self._run(self._core.call("queue_unbind", *given, convert=nothing))

    async def queue_purge(self, queue: str) -> int:
        """How many messages were dropped."""
        return await self._run(self._core.call("queue_purge", queue, convert=count))

    async def queue_delete(
        self, queue: str, *, if_unused: bool = False, if_empty: bool = False
    ) -> int:
        """How many messages were dropped."""
        given = (queue, if_unused, if_empty)
        return await self._run(self._core.call("queue_delete", *given, convert=count))

    # ---- consuming ----

    async def qos(self, prefetch: int, *, channel_wide: bool = False) -> None:
        """How many deliveries may be unsettled at a time, for each consumer that comes."""
        await self._run(self._core.call("qos", prefetch, channel_wide, convert=nothing))

    async def consume(
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
        """Messages as they come: `async for message in await channel.consume(queue)`. Without acks,
        it is paused (basic.cancel) while thousands wait to be taken, unless told otherwise: turn that
        off for queues that are deleted when nobody consumes."""
        core = await self._run(
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

    async def get(self, queue: str, *, no_ack: bool = False) -> _native.Message | None:
        """One message, if there is one."""
        return await self._run(self._core.get(queue, no_ack=no_ack))

    def ack_all(self) -> None:
        """Acks whatever is open."""
        self._core.native.ack(0, _native.MULTIPLE)

    def nack_all(self, *, requeue: bool = True) -> None:
        self._core.native.nack(0, _native.MULTIPLE | (_native.REQUEUE if requeue else 0))

    async def recover(self, *, requeue: bool = True) -> None:
        """Has what is not settled delivered again."""
        await self._run(self._core.call("recover", requeue, convert=nothing))

    # ---- modes ----

    async def confirm_select(self) -> None:
        await self._run(self._core.call("confirm_select", convert=nothing))

    async def tx_select(self) -> None:
        await self._run(self._core.call("tx_select", convert=nothing))

    async def tx_commit(self) -> None:
        await self._run(self._core.call("tx_commit", convert=nothing))

    async def tx_rollback(self) -> None:
        await self._run(self._core.call("tx_rollback", convert=nothing))


class Publisher:
    """Made by `Channel.publisher`."""

    def __init__(self, channel: Channel, take: Take) -> None:
        self.channel = channel
        self._take = take

    def publish(self, body: Body) -> asyncio.Future[None]:
        """As Channel.publish."""
        future: asyncio.Future[None] = self.channel._loop.create_future()
        publishes = self.channel._publishes
        if publishes.waiting or not self._take(body, publishes.pending, future):
            publishes.wait(future, self._take, (body,))
        return future

    start_publish = publish


class Consumer(Context, AsyncIterator[_native.Message]):
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

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> _native.Message:
        if self._buffer and not self._core.pauses:
            return self._buffer.popleft()
        message = self._core.take()
        while message is None:
            if self._core.ended:
                raise StopAsyncIteration
            await self._wait()
            message = self._core.take()
        return message

    async def _wait(self) -> None:
        future: asyncio.Future[None] = self.channel._loop.create_future()
        self._core.waiters.append(future)
        try:
            await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled():
                self._core.wake(1)
            raise

    async def get(self, timeout: float | None = None) -> _native.Message | None:
        """The next message; None once it has ended. TimeoutError: none came in time."""
        try:
            async with asyncio.timeout(timeout):
                return await self.__anext__()
        except StopAsyncIteration:
            return None
        except errors.HaighaError:
            raise
        except TimeoutError as error:
            raise errors.TimeoutError(f"no message came within {timeout} s") from error

    async def cancel(self) -> None:
        """Has the broker deliver no more. What has come can still be taken. RecoveringError,
        WouldBlockError: the broker was not asked, and it goes on."""
        if not self._core.ended:
            await self.channel._run(self._core.cancelled())

    async def drain(self, timeout: float = 20) -> int:
        """Cancels it and waits until each delivery is settled, `timeout` seconds at most; how many
        were not. TimeoutError: the broker has not answered the cancel by then. UnsupportedError: in
        a transaction."""
        given = (self._core.tag, int(timeout * 1000))
        return await self.channel._run(self.channel._core.call("drain", *given, convert=count))

    async def pause(self) -> None:
        """Has the broker deliver no more until `resume`. ArgumentError: it is not running."""
        await self.channel._run(self.channel._core.call("pause", self._core.tag, convert=nothing))

    async def resume(self) -> None:
        """Undoes `pause`. ArgumentError: it is not paused."""
        await self.channel._run(self.channel._core.call("resume", self._core.tag, convert=nothing))

    async def close(self) -> None:
        """Cancels it; gives back what was not taken. RecoveringError, WouldBlockError: the broker
        cannot be asked now, and it goes on until it is closed again."""
        if not self._core.ended and not self._core.channel.is_closed:
            await self.cancel()
        self._core.give_back()


class Pool(Context, _Publishing):
    """Made by `Connection.pool`."""

    def __init__(self, connection: Connection, core: PoolCore) -> None:
        self.connection = connection
        self._core = core
        self._publishes = core.publishes
        self._take = core.native.publish
        self._loop = connection._loop

    async def drain(self) -> None:
        """Ends when each message so far has its outcome."""
        await self.connection._run(self._core.drain())

    async def close(self) -> None:
        """Takes no more messages, and closes the channels; what waits is not sent: drain before."""
        if not self._core.is_closed:
            await self.connection._run(self._core.close())

    def info(self, name: str) -> int:
        """A number by name, as haigha_pool_info has it: "channels", "confirmed", ..."""
        return self._core.native.info(name)
