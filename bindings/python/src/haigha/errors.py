"""What can go wrong, as exceptions that carry the broker's code and text."""

from __future__ import annotations

import builtins

from haigha import _native


class HaighaError(Exception):
    """The root. What is not known is 0 or empty."""

    code: int = 0
    """The library's, a HAIGHA_ERR_* of haigha.h."""
    reply_code: int = 0
    """The broker's, such as 404."""
    reply_text: str = ""
    """The broker's, word for word."""
    method: str = ""
    """The AMQP method that the broker blames, such as "queue.declare"."""
    stage: str = ""
    """Where in a connection's life: resolve, connect, tls, handshake, open, ready."""
    channel_id: int = 0
    host: str = ""
    os_errno: int = 0


# ---- refused by the library: nothing was sent ----


class ArgumentError(HaighaError, ValueError):
    """An argument is wrong; the message names it."""


class WouldBlockError(HaighaError):
    """There is no room: too many publishes wait already."""


class ClosedError(HaighaError):
    """The connection or the channel is not open; the message says how it ended."""


class StaleError(HaighaError):
    """The delivery came before the channel was lost: the broker delivers it again."""


class RecoveringError(HaighaError):
    """The connection is lost and not yet back."""


class ChannelLimitError(HaighaError):
    """As many channels are open as the broker allows."""


class ForkedError(HaighaError):
    """The process was forked after the connection was made."""


class UnsupportedError(HaighaError):
    """The library, or the broker, cannot do this."""


class MalformedError(HaighaError, ValueError):
    """Headers or properties that cannot be decoded."""


class InternalError(HaighaError):
    """A bug in the library."""


# ---- tried and failed ----


class TimeoutError(HaighaError, builtins.TimeoutError):  # noqa: A001
    """It took too long."""


class ConnectionLostError(HaighaError, builtins.ConnectionError):
    """The connection could not be made, or was lost."""


class ResolveError(ConnectionLostError):
    """The host's name has no address."""


class TlsError(ConnectionLostError):
    """TLS failed: a certificate that is not trusted, say."""


class HeartbeatError(ConnectionLostError):
    """Nothing was heard from the broker for two heartbeats."""


class ProtocolError(ConnectionLostError):
    """The peer broke the protocol, or speaks another one."""


class AuthError(HaighaError):
    """The broker refused the credentials."""


class ConnectionClosedError(ConnectionLostError):
    """The broker closed the connection; it says why."""


class ChannelClosedError(HaighaError):
    """The broker closed the channel; it says why."""


class AccessRefusedError(ChannelClosedError):
    """403"""


class NotFoundError(ChannelClosedError):
    """404"""


class ResourceLockedError(ChannelClosedError):
    """405"""


class PreconditionFailedError(ChannelClosedError):
    """406"""


class ConsumerCancelledError(HaighaError):
    """The broker cancelled the consumer: its queue was deleted, say."""


# ---- what became of a publish ----


class PublishError(HaighaError):
    """The message was not confirmed."""


class NackedError(PublishError):
    """The broker refused to take responsibility for it."""


class ReturnedError(PublishError):
    """It was mandatory, and no queue took it."""


class NotSentError(PublishError):
    """It never left this process whole: it is safe to send it again."""


class OutcomeUnknownError(PublishError):
    """It was on the wire when its channel ended: it may have arrived."""


class RefusedError(PublishError):
    """Of a pool: the broker closed a channel over it."""


_BY_CODE: dict[int, type[HaighaError]] = {
    _native.ERR_ARGUMENT: ArgumentError,
    _native.ERR_WOULD_BLOCK: WouldBlockError,
    _native.ERR_CLOSED: ClosedError,
    _native.ERR_STALE: StaleError,
    _native.ERR_CHANNEL_LIMIT: ChannelLimitError,
    _native.ERR_FORKED: ForkedError,
    _native.ERR_UNSUPPORTED: UnsupportedError,
    _native.ERR_MALFORMED: MalformedError,
    _native.ERR_RECOVERING: RecoveringError,
    _native.ERR_TIMEOUT: TimeoutError,
    _native.ERR_IO: ConnectionLostError,
    _native.ERR_TLS: TlsError,
    _native.ERR_PROTOCOL: ProtocolError,
    _native.ERR_AUTH: AuthError,
    _native.ERR_CHANNEL_CLOSED_BY_BROKER: ChannelClosedError,
    _native.ERR_CONNECTION_CLOSED_BY_BROKER: ConnectionClosedError,
    _native.ERR_RESOLVE: ResolveError,
    _native.ERR_HEARTBEAT: HeartbeatError,
    _native.ERR_RETURNED: ReturnedError,
    _native.ERR_INTERNAL: InternalError,
}
_BY_REPLY_CODE: dict[int, type[ChannelClosedError]] = {
    403: AccessRefusedError,
    404: NotFoundError,
    405: ResourceLockedError,
    406: PreconditionFailedError,
}
_BY_OUTCOME: dict[int, tuple[type[PublishError], str]] = {
    _native.OUTCOME_NACKED: (NackedError, "the broker refused the message (basic.nack)"),
    _native.OUTCOME_RETURNED: (ReturnedError, "no queue took the message"),
    _native.OUTCOME_NOT_SENT: (NotSentError, "the message was not sent"),
    _native.OUTCOME_UNKNOWN: (
        OutcomeUnknownError,
        "the channel ended before the broker had confirmed the message",
    ),
    _native.OUTCOME_REFUSED: (RefusedError, "the broker closed a channel over the message"),
}


def make_error(
    code: int,
    message: str,
    reply_code: int,
    reply_text: str,
    method: str,
    stage: str,
    channel_id: int,
    host: str,
    os_errno: int,
) -> HaighaError | MemoryError:
    """The exception of an error of the library's. Called by the extension."""
    if code == _native.ERR_NO_MEMORY:
        return MemoryError(message)
    kind = _BY_CODE.get(code, HaighaError)
    if kind is ChannelClosedError:
        kind = _BY_REPLY_CODE.get(reply_code, kind)
    error = kind(message)
    error.code, error.reply_code, error.reply_text = code, reply_code, reply_text
    error.method, error.stage, error.channel_id = method, stage, channel_id
    error.host, error.os_errno = host, os_errno
    return error


def _like(kind: type[HaighaError], sentence: str, cause: BaseException | None) -> HaighaError:
    """An error that tells what its cause does, of another kind."""
    error = kind(sentence)
    if isinstance(cause, HaighaError):
        error.__dict__.update(cause.__dict__)
    error.__cause__ = cause
    return error


def outcome_error(outcome: int, cause: BaseException | None) -> HaighaError:
    """Why a publish was not confirmed."""
    kind, sentence = _BY_OUTCOME.get(outcome, (PublishError, "the message was not confirmed"))
    return _like(kind, f"{sentence}: {cause}" if cause else sentence, cause)


def cancelled_error(cause: BaseException) -> BaseException:
    """Why a consumer ended whose channel did not."""
    return _like(ConsumerCancelledError, str(cause), cause)
