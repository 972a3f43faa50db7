"""haigha: an AMQP 0-9-1 client, over libhaigha.

`haigha.asyncio` is for programs with an event loop, `haigha.blocking` for those without. Both have the
same names, and what is here in common.
"""

from haigha import _native, errors, events, properties
from haigha._native import Message
from haigha.channel import PublishPolicy, QueueDeclared, RecoveryPolicy
from haigha.errors import HaighaError
from haigha.events import Event, State
from haigha.pool import PoolMode, PoolRetry
from haigha.properties import PERSISTENT, Field, Properties, Timestamp

_native.configure(
    errors.make_error, properties.to_field, properties.from_field, properties.Properties
)

__version__ = "0.1.0"
library_version = _native.library_version

__all__ = [
    "PERSISTENT",
    "Event",
    "Field",
    "HaighaError",
    "Message",
    "PoolMode",
    "PoolRetry",
    "Properties",
    "PublishPolicy",
    "QueueDeclared",
    "RecoveryPolicy",
    "State",
    "Timestamp",
    "__version__",
    "errors",
    "events",
    "library_version",
    "options",
]


def options() -> dict[str, str]:
    """What `connect` takes beside a URI, by name, with what it means."""
    return {name: meaning for name, meaning, *_ in _native.options()}
