"""The extension: src/_haigha."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, final

from haigha.properties import Properties

EVENT_REPLY: int
EVENT_DELIVERY: int
EVENT_OUTCOME: int
EVENT_RETURN: int
EVENT_CONNECTION_STATE: int
EVENT_CHANNEL_STATE: int
EVENT_CONSUMER_CANCELLED: int
EVENT_WRITABLE: int
EVENT_BLOCKED: int
EVENT_UNBLOCKED: int
EVENT_FLOW: int
EVENT_RECOVERY: int
EVENT_QUEUE_RENAMED: int
EVENT_DELIVERY_HELD: int
EVENT_POOL_STATE: int
RECOVERY_ATTEMPT: int
RECOVERY_TRANSPORT_UP: int
RECOVERY_RECOVERED: int
RECOVERY_FAILED: int
RECOVERY_ENTITY: int
RECOVERY_RESUBSCRIBED: int
OUTCOME_CONFIRMED: int
OUTCOME_NACKED: int
OUTCOME_RETURNED: int
OUTCOME_NOT_SENT: int
OUTCOME_UNKNOWN: int
OUTCOME_REFUSED: int
STATE_NEW: int
STATE_OPENING: int
STATE_OPEN: int
STATE_CLOSING: int
STATE_CLOSED: int
STATE_RECOVERING: int
MULTIPLE: int
REQUEUE: int
ERR_ARGUMENT: int
ERR_WOULD_BLOCK: int
ERR_WRONG_THREAD: int
ERR_CLOSED: int
ERR_STALE: int
ERR_NO_MEMORY: int
ERR_STRUCT_VERSION: int
ERR_CHANNEL_LIMIT: int
ERR_FORKED: int
ERR_UNSUPPORTED: int
ERR_MALFORMED: int
ERR_RECOVERING: int
ERR_TIMEOUT: int
ERR_IO: int
ERR_TLS: int
ERR_PROTOCOL: int
ERR_AUTH: int
ERR_CHANNEL_CLOSED_BY_BROKER: int
ERR_CONNECTION_CLOSED_BY_BROKER: int
ERR_RESOLVE: int
ERR_HEARTBEAT: int
ERR_RETURNED: int
ERR_INTERNAL: int
VERSION: int
BATCH: int
LENT_BYTES: int

def configure(
    make_error: Callable[..., BaseException],
    to_field: Callable[[Any], tuple[str, Any, int]],
    from_field: Callable[[str, int, int], Any],
    make_properties: Callable[..., Properties],
    /,
) -> None: ...
def library_version() -> str: ...
def options() -> list[tuple[str, str, str | int, int, int, bool]]: ...

# Struct sequences in truth, which only C makes.
class Event(NamedTuple):
    type: int
    number: int
    channel_id: int
    state: int
    previous_state: int
    delay_ms: int
    error: BaseException | None
    reply: Reply | None
    message: Message | None
    exchange: str
    routing_key: str
    consumer_tag: str
    name: str

class Reply(NamedTuple):
    queue: str
    message_count: int
    consumer_count: int
    consumer_tag: str
    message: Message | None
    unwritten_bytes: int
    unconfirmed: int
    unsettled: int
    mechanism: str

class Outcome(NamedTuple):
    number: int
    outcome: int
    error: BaseException | None

@final
class Message:
    """A message that was received; memoryview(message) and bytes(message) are its body."""

    @property
    def body(self) -> memoryview: ...
    @property
    def exchange(self) -> str: ...
    @property
    def routing_key(self) -> str: ...
    @property
    def delivery_tag(self) -> int: ...
    @property
    def redelivered(self) -> bool: ...
    @property
    def consumer_tag(self) -> str: ...
    @property
    def properties(self) -> Properties: ...
    @property
    def headers(self) -> Mapping[str, Any]: ...
    def ack(self, *, multiple: bool = False) -> None: ...
    def nack(self, *, requeue: bool = True, multiple: bool = False) -> None: ...
    def reject(self, *, requeue: bool = False) -> None: ...
    def text(self) -> str: ...
    def __len__(self) -> int: ...
    def __bool__(self) -> bool: ...
    def __buffer__(self, flags: int, /) -> memoryview: ...

@final
class Connection:
    def __new__(cls, uri: str, options: dict[str, Any], tag: int, /) -> Connection: ...
    def poll(self, timeout_ms: int, /) -> list[tuple[int, int, Any]]: ...
    def fileno(self) -> int: ...
    def open(self, tag: int, /) -> None: ...
    def close(self, tag: int, /) -> None: ...
    def flush(self, tag: int, /) -> None: ...
    def stop(self, settle_ms: int, publish_ms: int, close_ms: int, tag: int, /) -> None: ...
    def update_secret(self, secret: str, reason: str, tag: int, /) -> None: ...
    def abort(self) -> None: ...
    def state(self) -> int: ...
    def last_error(self) -> BaseException | None: ...
    def info(self, name: str, /) -> int: ...
    def server_properties(self) -> dict[str, Any]: ...
    def peer_info(self) -> dict[str, Any]: ...

@final
class Channel:
    def __new__(cls, connection: Connection, /, *args: Any) -> Channel: ...
    def publish(self, *args: Any) -> bool: ...
    def id(self) -> int: ...
    def state(self) -> int: ...
    def last_error(self) -> BaseException | None: ...
    def ack(self, number: int, flags: int, /) -> None: ...
    def nack(self, number: int, flags: int, /) -> None: ...
    def call(self, name: str, args: tuple[Any, ...], /) -> None: ...

@final
class Publisher:
    def __new__(cls, channel: Channel, /, *args: Any) -> Publisher: ...
    def publish(self, *args: Any) -> bool: ...

@final
class Pool:
    def __new__(cls, connection: Connection, /, *args: Any) -> Pool: ...
    def publish(self, *args: Any) -> bool: ...
    def drain(self, tag: int, /) -> None: ...
    def close(self, tag: int, /) -> None: ...
    def info(self, name: str, /) -> int: ...
