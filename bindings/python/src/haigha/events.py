"""What a connection tells its handlers (`Connection.on_event`)."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from haigha import _native


class State(enum.IntEnum):
    """Of a connection, or of a channel."""

    NEW = _native.STATE_NEW
    OPENING = _native.STATE_OPENING
    OPEN = _native.STATE_OPEN
    CLOSING = _native.STATE_CLOSING
    CLOSED = _native.STATE_CLOSED
    RECOVERING = _native.STATE_RECOVERING
    """Lost, and being brought back."""


@dataclass(frozen=True, slots=True)
class Event:
    """The root of them."""


@dataclass(frozen=True, slots=True)
class ConnectionState(Event):
    state: State
    previous: State
    error: BaseException | None
    """Why, where it was not asked for."""


@dataclass(frozen=True, slots=True)
class ChannelState(Event):
    channel_id: int
    state: State
    previous: State
    error: BaseException | None


@dataclass(frozen=True, slots=True)
class Blocked(Event):
    """The broker takes no publishes for now; they wait."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unblocked(Event):
    """It does again."""


@dataclass(frozen=True, slots=True)
class Returned(Event):
    """No queue took a mandatory message. On a confirm channel its publish raises, too."""

    message: _native.Message
    error: BaseException | None


@dataclass(frozen=True, slots=True)
class DeliveriesHeld(Event):
    """Deliveries were not settled for long; brokers close the channel of who keeps one too long."""

    channel_id: int
    consumer_tag: str
    oldest: int
    count: int
    held_ms: int


@dataclass(frozen=True, slots=True)
class QueueRenamed(Event):
    """The broker chose another name for a queue that it had named."""

    previous: str
    queue: str


@dataclass(frozen=True, slots=True)
class RecoveryAttempt(Event):
    """Before each attempt to connect again."""

    attempt: int
    host: str
    delay_ms: int
    error: BaseException | None


@dataclass(frozen=True, slots=True)
class TransportUp(Event):
    """The connection is open; what was on it is not back yet."""


@dataclass(frozen=True, slots=True)
class Recovered(Event):
    """Everything is back."""


@dataclass(frozen=True, slots=True)
class RecoveryFailed(Event):
    """There are no more attempts."""

    error: BaseException | None


@dataclass(frozen=True, slots=True)
class NotRestored(Event):
    """Something could not be brought back."""

    kind: str
    """exchange, queue, binding or consumer."""
    name: str
    error: BaseException | None


@dataclass(frozen=True, slots=True)
class Resubscribed(Event):
    """A consumer that the broker had cancelled consumes again."""

    consumer_tag: str
    queue: str
    error: BaseException | None


_KINDS = {1: "exchange", 2: "queue", 3: "binding", 4: "consumer"}


def _recovery(event: _native.Event) -> Event | None:
    match event.state:
        case _native.RECOVERY_ATTEMPT:
            return RecoveryAttempt(event.number, event.name, event.delay_ms, event.error)
        case _native.RECOVERY_TRANSPORT_UP:
            return TransportUp()
        case _native.RECOVERY_RECOVERED:
            return Recovered()
        case _native.RECOVERY_FAILED:
            return RecoveryFailed(event.error)
        case _native.RECOVERY_ENTITY:
            kind = _KINDS.get(event.number, "")
            return NotRestored(kind, event.name or event.consumer_tag, event.error)
        case _native.RECOVERY_RESUBSCRIBED:
            return Resubscribed(event.consumer_tag, event.name, event.error)
    return None


def _reason(error: BaseException | None) -> str:
    return getattr(error, "reply_text", "") or str(error or "")


def of_native(event: _native.Event) -> Event | None:
    """What is told of an event of the library's; None for what handlers need not know."""
    match event.type:
        case _native.EVENT_CONNECTION_STATE:
            return ConnectionState(State(event.state), State(event.previous_state), event.error)
        case _native.EVENT_CHANNEL_STATE:
            states = State(event.state), State(event.previous_state)
            return ChannelState(event.channel_id, *states, event.error)
        case _native.EVENT_BLOCKED:
            return Blocked(_reason(event.error))
        case _native.EVENT_UNBLOCKED:
            return Unblocked()
        case _native.EVENT_RETURN if event.message is not None:
            return Returned(event.message, event.error)
        case _native.EVENT_DELIVERY_HELD:
            return DeliveriesHeld(
                event.channel_id, event.consumer_tag, event.number, event.state, event.delay_ms
            )
        case _native.EVENT_QUEUE_RENAMED:
            return QueueRenamed(event.routing_key, event.name)
        case _native.EVENT_RECOVERY:
            return _recovery(event)
    return None
