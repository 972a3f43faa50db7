"""`python -m haigha URI`: an interactive interpreter with a live connection."""

from __future__ import annotations

import argparse
import code
import contextlib
import sys

import haigha
from haigha import blocking, errors, events

# Line editing, where Python has it.
with contextlib.suppress(ImportError):
    import readline  # noqa: F401

HELP = """\
  connection   a haigha.blocking.Connection to {where}
  channel      a channel of it, with publisher confirms
  haigha       the module

  channel.queue_declare("greetings")
  channel.publish(b"hello", "greetings")
  channel.get("greetings").text()
"""


def announce(event: events.Event) -> None:
    if not isinstance(event, events.ChannelState):
        print(f"-- {event}", file=sys.stderr)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m haigha", description=__doc__)
    parser.add_argument("uri", nargs="?", default="amqp://localhost", metavar="URI")
    parser.add_argument("--version", action="version", version=versions())
    uri = parser.parse_args(arguments).uri
    try:
        connection = blocking.connect(uri)
    except errors.HaighaError as error:
        print(f"python -m haigha: {error}", file=sys.stderr)
        return 1
    connection.on_event(announce)
    with connection, connection.channel() as channel:
        names = {"connection": connection, "channel": channel, "haigha": haigha}
        where = "{product} {version}".format(
            **{"product": "a broker", "version": ""} | connection.server_properties
        )
        code.interact(f"{versions()}\n\n{HELP.format(where=where)}", local=names, exitmsg="")
    return 0


def versions() -> str:
    python = ".".join(map(str, sys.version_info[:3]))
    return f"haigha {haigha.__version__}, libhaigha {haigha.library_version()}, Python {python}"
