"""The client for programs with an asyncio event loop, uvloop's included. All of a connection is used
from its loop's thread."""

from __future__ import annotations

import asyncio
import warnings
import weakref
from collections.abc import Awaitable, Callable, Generator
from types import TracebackType
from typing import Any, Generic, Protocol, Self, TypeVar

from haigha import errors, events
from haigha.asyncio_channel import Channel, Consumer, Context, Pool, Publisher
from haigha.channel import ChannelCore, PublishPolicy, RecoveryPolicy
from haigha.connection import Core, Handler, Operation, OptionValue
from haigha.pool import PoolCore, PoolMode, PoolRetry

__all__ = ["Channel", "Connection", "Consumer", "Pool", "Publisher", "connect"]

T = TypeVar("T")


class _Closable(Protocol):
    async def close(self) -> None: ...


C = TypeVar("C", bound=_Closable)


class Opening(Generic[C]):
    """What is being opened: to be awaited, or entered by `async with`, which closes it too."""

    def __init__(self, opening: Callable[[], Awaitable[C]]) -> None:
        self._opening = opening
        self._opened: C

    def __await__(self) -> Generator[Any, None, C]:
        return self._opening().__await__()

    async def __aenter__(self) -> C:
        self._opened = await self._opening()
        return self._opened

    async def __aexit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        await self._opened.close()


def _drain(core: Core) -> None:
    core.drain()


def _abandon(core: Core, loop: asyncio.AbstractEventLoop) -> None:
    """Of a connection that nobody holds any more; on any thread."""
    if core.ended is None and not loop.is_closed():
        loop.call_soon_threadsafe(_forget, core, loop)
    else:
        core.end()


def _forget(core: Core, loop: asyncio.AbstractEventLoop) -> None:
    loop.remove_reader(core.native.fileno())
    core.end()


def connect(uri: str = "amqp://localhost", /, **options: OptionValue) -> Opening[Connection]:
    """Connects: `await connect(uri)`, or `async with connect(uri) as connection`. The URI's query and
    the keywords are options, which `haigha.options()` tells, such as recovery=1."""
    return Opening(lambda: Connection.open(uri, options))


class Connection(Context):
    """Made by `connect`."""

    def __init__(self, core: Core, loop: asyncio.AbstractEventLoop) -> None:
        self._core = core
        self._loop = loop
        self._finalizer = weakref.finalize(self, _abandon, core, loop)
        # The process may end at any moment, and needs no help with it.
        self._finalizer.atexit = False

    @classmethod
    async def open(cls, uri: str, options: dict[str, OptionValue]) -> Self:
        loop = asyncio.get_running_loop()

        def report(error: BaseException) -> None:
            loop.call_exception_handler(
                {"message": "a handler of haigha's events raised", "exception": error}
            )

        core = Core(uri, options, report)
        loop.add_reader(core.native.fileno(), _drain, core)
        self = cls(core, loop)
        try:
            await self._run(core.open())
        except BaseException:
            self._end()
            raise
        return self

    async def _run(self, operation: Operation[T]) -> T:
        future: asyncio.Future[T] = self._loop.create_future()
        self._core.start(operation, future)
        try:
            return await future
        except asyncio.CancelledError:
            # Answered already: the task was cancelled before it went on.
            if future.done() and not future.cancelled() and future.exception() is None:
                operation.drop(future.result())
            raise

    def _end(self) -> None:
        self._finalizer.detach()
        _forget(self._core, self._loop)

    def __del__(self) -> None:
        finalizer = getattr(self, "_finalizer", None)
        if finalizer is not None and finalizer.alive and self._core.ended is None:
            warnings.warn(f"{self!r} was not closed", ResourceWarning, source=self, stacklevel=2)
            finalizer()

    # ---- its life ----

    async def close(self) -> None:
        """Writes what was taken and says goodbye. What waits for an answer fails."""
        if self._core.ended is not None:
            return
        try:
            await self._run(self._core.close())
        finally:
            while self._core.drain():
                pass
            self._end()

    async def stop(
        self, *, settle_timeout: float = 0, publish_timeout: float = 0, close_timeout: float = 0
    ) -> None:
        """Closes it so that nothing is left: consumers are cancelled, what was delivered is settled
        and what was published has its outcome first, each within a time (0: the option's)."""
        self._core.check()
        try:
            await self._run(self._core.stop(settle_timeout, publish_timeout, close_timeout))
        finally:
            while self._core.drain():
                pass
            self._end()

    async def flush(self) -> None:
        """Ends when everything so far was handed to the operating system."""
        await self._run(self._core.flush())

    async def update_secret(self, secret: str, reason: str = "") -> None:
        """Gives the broker a new secret, such as an OAuth 2 token."""
        await self._run(self._core.update_secret(secret, reason))

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
    ) -> Opening[Channel]:
        """Opens a channel, with publisher confirms unless told otherwise. To be awaited or entered,
        as `connect`."""
        self._core.check()

        async def opening() -> Channel:
            core = ChannelCore(self._core)
            await self._run(
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

        return Opening(opening)

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
        What it raises goes to the loop's exception handler."""
        self._core.add_handler(handler)

    def remove_handler(self, handler: Handler) -> None:
        self._core.remove_handler(handler)

    async def wait_for(
        self, *kinds: type[events.Event], timeout: float | None = None
    ) -> events.Event:
        """The next event of one of these kinds."""
        self._core.check()
        future: asyncio.Future[events.Event] = self._loop.create_future()

        def handler(event: events.Event) -> None:
            if isinstance(event, kinds) and not future.done():
                future.set_result(event)

        def end(_kind: int, why: BaseException) -> None:
            if not future.done():
                future.set_exception(why)

        self._core.add_handler(handler)
        ending = self._core.sink(end)
        try:
            async with asyncio.timeout(timeout):
                return await future
        except errors.HaighaError:
            raise
        except TimeoutError as error:
            raise errors.TimeoutError(f"no such event came within {timeout} s") from error
        finally:
            self._core.remove_handler(handler)
            self._core.forget(ending)

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
