"""The extension alone, without a broker."""

from __future__ import annotations

import decimal
import re
from pathlib import Path

import pytest

import haigha
from haigha import Field, Properties, Timestamp, errors, properties
from haigha._native import ERR_NO_MEMORY

ROOT = Path(__file__).resolve().parents[3]
SOURCES = sorted((ROOT / "bindings/python/src/_haigha").glob("*.c"))
ALLOWED = re.compile(r"Py_BEGIN_ALLOW_THREADS.*?Py_END_ALLOW_THREADS", re.DOTALL)


def test_what_may_wait_is_called_without_the_gil() -> None:
    headers = "".join(
        (ROOT / "include/haigha" / name).read_text() for name in ("haigha.h", "pool.h")
    )
    blocking = set(re.findall(r"HAIGHA_BLOCKING\s+haigha_status\s+(haigha_\w+)\(", headers))
    assert "haigha_inbox_poll" in blocking
    used = set()
    for source in SOURCES:
        text = source.read_text()
        used |= blocking & set(re.findall(r"haigha_\w+", text))
        assert not blocking & set(re.findall(r"haigha_\w+", ALLOWED.sub("", text))), source.name
    assert used == {"haigha_inbox_poll"}


def test_the_library_never_calls_python() -> None:
    """All but the hook that a lent body is released by is told by the inbox."""
    for source in SOURCES:
        assert not re.search(r"PyGILState|\.fn\s*=", source.read_text()), source.name


def test_versions() -> None:
    assert haigha.__version__ in haigha.library_version()
    assert f"version: '{haigha.__version__}'" in (ROOT / "bindings/python/meson.build").read_text()


@pytest.mark.parametrize(
    ("code", "reply_code", "kind"),
    [
        (-1, 0, errors.ArgumentError),
        (-4, 0, errors.ClosedError),
        (-5, 0, errors.StaleError),
        (-12, 0, errors.RecoveringError),
        (-100, 0, errors.TimeoutError),
        (-101, 0, errors.ConnectionLostError),
        (-105, 403, errors.AccessRefusedError),
        (-105, 404, errors.NotFoundError),
        (-105, 405, errors.ResourceLockedError),
        (-105, 406, errors.PreconditionFailedError),
        (-105, 541, errors.ChannelClosedError),
        (-106, 320, errors.ConnectionClosedError),
        (-4242, 0, errors.HaighaError),
    ],
)
def test_errors_by_their_codes(code: int, reply_code: int, kind: type[errors.HaighaError]) -> None:
    error = errors.make_error(
        code, "it failed", reply_code, "why", "queue.bind", "ready", 3, "h:1", 4
    )
    assert type(error) is kind
    assert isinstance(error, errors.HaighaError)
    assert (str(error), error.code, error.reply_code) == ("it failed", code, reply_code)
    assert (error.reply_text, error.method, error.stage) == ("why", "queue.bind", "ready")
    assert (error.channel_id, error.host, error.os_errno) == (3, "h:1", 4)


def test_no_memory_is_pythons() -> None:
    assert type(errors.make_error(ERR_NO_MEMORY, "none", 0, "", "", "", 0, "", 0)) is MemoryError


def test_every_error_code_has_its_kind() -> None:
    header = (ROOT / "include/haigha/haigha.h").read_text()
    codes = {name: int(code) for name, code in re.findall(r"HAIGHA_(ERR_\w+) = (-\d+)", header)}
    without = {"ERR_NO_MEMORY", "ERR_WRONG_THREAD", "ERR_STRUCT_VERSION"}
    for name, code in codes.items():
        assert (code in errors._BY_CODE) != (name in without), name


@pytest.mark.parametrize("value", ["1E+3", "0", "-0.001", "2147483647"])
def test_decimals(value: str) -> None:
    given = decimal.Decimal(value)
    letter, number, scale = properties.to_field(given)
    assert (letter, properties.from_field(letter, number, scale)) == ("D", given)


def test_decimal_that_is_none() -> None:
    with pytest.raises(ValueError, match="AMQP has no decimal"):
        properties.to_field(decimal.Decimal("NaN"))


def test_timestamps() -> None:
    assert Timestamp.of(Timestamp(1).utc()) == Timestamp(1)
    assert properties.to_field(Timestamp(5)) == ("T", 5, 0)


def test_properties_are_values() -> None:
    assert Properties(type="a") == Properties(type="a") != Properties()
    assert Field("b", 1) == Field("b", 1)
