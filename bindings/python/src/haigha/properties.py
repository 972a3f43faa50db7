"""The properties of a message, and the values that its headers may have."""

from __future__ import annotations

import datetime
import decimal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Union

FieldValue = Union[
    None,
    bool,
    int,
    float,
    str,
    bytes,
    bytearray,
    memoryview,
    decimal.Decimal,
    datetime.datetime,
    "Field",
    Sequence["FieldValue"],
    Mapping[str, "FieldValue"],
]
"""What a header can be. An int is written in 32 bits, or in 64 if it needs them, a float as a double;
Field has a value written as another type of AMQP's."""

Arguments = Mapping[str, FieldValue] | None


class Timestamp(int):
    """Seconds since the Unix epoch, as AMQP has times; a header that is one is sent as a time."""

    def utc(self) -> datetime.datetime:
        """The same as a datetime. OverflowError or ValueError where it is beyond what Python knows."""
        return datetime.datetime.fromtimestamp(self, datetime.UTC)

    @classmethod
    def of(cls, moment: datetime.datetime) -> Timestamp:
        """Of a moment; one without a zone is local time, as Python has it."""
        return cls(int(moment.timestamp()))


@dataclass(frozen=True, slots=True)
class Field:
    """A value with the letter of its type on the wire, for headers that have to be of that type:

    t bool, b B s u I i l integers of 8 to 64 bits, f float, d double, D decimal (value, divided by
    10 to the power of scale), S text, x bytes, T time, A array, F table, V nothing.
    """

    type: str
    value: Any
    scale: int = 0


@dataclass(frozen=True, slots=True)
class Properties:
    """AMQP's fourteen. None is absent, which an empty text is not."""

    content_type: str | None = None
    content_encoding: str | None = None
    headers: Mapping[str, Any] | None = None
    delivery_mode: int | None = None
    """1: transient, 2: persistent."""
    priority: int | None = None
    correlation_id: str | None = None
    reply_to: str | None = None
    expiration: str | None = None
    """RabbitMQ: milliseconds, as decimal text."""
    message_id: str | None = None
    timestamp: int | None = None
    """Seconds since the Unix epoch; Timestamp.of makes them of a datetime."""
    type: str | None = None
    user_id: str | None = None
    """RabbitMQ checks it against the connection's user."""
    app_id: str | None = None
    cluster_id: str | None = None


PERSISTENT = Properties(delivery_mode=2)
"""For messages that are to outlive a restart of the broker, in durable queues."""


def to_field(value: object) -> tuple[str, Any, int]:
    """Letter, value and scale of what is no plain value. Called by the extension."""
    match value:
        case Field():
            return value.type, value.value, value.scale
        case datetime.datetime():
            return "T", Timestamp.of(value), 0
        case Timestamp():
            return "T", value, 0
        case decimal.Decimal():
            return _decimal_field(value)
        case bytes() | bytearray() | memoryview():
            return "x", value, 0
        case int():
            return ("I" if -(1 << 31) <= value < 1 << 31 else "l"), value, 0
        case float():
            return "d", value, 0
        case Mapping():
            return "F", value, 0
        case Sequence():
            return "A", value, 0
    raise TypeError(f"a field of a table cannot be a {type(value).__name__}")


def _decimal_field(value: decimal.Decimal) -> tuple[str, int, int]:
    sign, digits, exponent = value.as_tuple()
    if not isinstance(exponent, int):
        raise ValueError(f"AMQP has no decimal {value}")
    number = int("".join(map(str, digits)) or "0") * (-1 if sign else 1)
    if exponent > 0:
        number, exponent = number * 10**exponent, 0
    return "D", number, -exponent


def from_field(letter: str, value: int, scale: int) -> Timestamp | decimal.Decimal:
    """A time or a decimal that was received. Called by the extension."""
    if letter == "T":
        return Timestamp(value)
    return decimal.Decimal(value).scaleb(-scale, decimal.Context(prec=28))
