"""What the two channel pools have in common."""

from __future__ import annotations

import enum

from haigha import _native, errors
from haigha.channel import Publishes
from haigha.connection import Core, Operation, nothing


class PoolMode(enum.IntEnum):
    CONFIRM = 0
    """Publisher confirms."""
    TX = 1
    """Transactions: what waits is published and committed together, on each channel."""


class PoolRetry(enum.IntEnum):
    """What is published again when its channel has died."""

    ALL = 0
    """Everything: at least once."""
    SAFE = 1
    """What certainly has not arrived; the rest ends as UNKNOWN."""
    NONE = 2


class PoolCore:
    """A pool without a way to wait."""

    def __init__(
        self,
        core: Core,
        *,
        mode: PoolMode,
        retry: PoolRetry,
        correlate_returns: bool,
        max_channels: int,
        max_attempts: int,
        max_in_flight: int,
        max_messages: int,
        max_bytes: int,
    ) -> None:
        core.check()
        self.core = core
        self.is_closed = False
        self.publishes = Publishes(core)
        self._sink = core.sink(self._on_event)
        try:
            self.native = _native.Pool(
                core.native,
                self._sink,
                mode,
                retry,
                correlate_returns,
                max_channels,
                max_attempts,
                max_in_flight,
                max_messages,
                max_bytes,
            )
        except BaseException:
            core.forget(self._sink)
            raise

    def drain(self) -> Operation[None]:
        return Operation(self.native.drain, nothing)

    def close(self) -> Operation[None]:
        return Operation(self.native.close, nothing)

    def _on_event(self, kind: int, payload: object) -> None:
        if kind == _native.EVENT_OUTCOME:
            assert isinstance(payload, list)
            self.publishes.settle(payload)
        elif isinstance(payload, BaseException):
            self._end(payload)
        elif kind == _native.EVENT_WRITABLE:
            self.publishes.try_again()
        elif isinstance(payload, _native.Event) and kind == _native.EVENT_POOL_STATE:
            self._end(payload.error or errors.ClosedError("the pool was closed"))

    def _end(self, why: BaseException) -> None:
        self.is_closed = True
        self.core.forget(self._sink)
        self.publishes.fail(why)
