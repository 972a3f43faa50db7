"""The client for programs without an event loop: the same names as haigha.asyncio, and each call
waits. Threads may share a connection; Ctrl-C ends a call that waits."""

from __future__ import annotations

import logging
import threading
import time
import warnings
import weakref
from typing import Any, TypeVar

from haigha import errors, events
from haigha.blocking_channel import (
    Channel,
    Consumer,
    Context,
    Pending,
    Pool,
    Publisher,
    Waiter,
)
from haigha.channel import ChannelCore, PublishPolicy, RecoveryPolicy
from haigha.connection import Core, Handler, Operation, OptionValue, milliseconds
from haigha.pool import PoolCore, PoolMode, PoolRetry

__all__ = ["Channel", "Connection", "Consumer", "Pending", "Pool", "Publisher", "connect"]

T = TypeVar("T")


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


class Connection(Context):
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
        try:
            self._wait_until_done(waiter)
        except BaseException as error:
            # A signal's handler raised. Nobody waits any more.
            if waiter.has_result():
                operation.drop(waiter.result())
            elif not waiter.done():
                waiter.set_exception(error)
            raise
        return waiter.result()

    def _wait(self, waiter: Waiter[T], timeout: float | None = None) -> T:
        self._wait_until_done(waiter, timeout)
        return waiter.result()

    def _wait_until_done(self, waiter: Waiter[T], timeout: float | None = None) -> None:
        deadline = None if timeout is None else time.monotonic() + timeout
        while not waiter.done():
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                self._fetch(waiter, 0)
                if not waiter.done():
                    raise errors.TimeoutError(f"it took longer than {timeout} s")
                break
            self._fetch(waiter, left)

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
            finalizer()

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
            try:
                self._drain_all()
            finally:
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
