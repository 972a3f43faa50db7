"""The behaviours that every binding has, by their names in tests/conformance/behaviours.json: of both
clients, on the stub broker and, where that takes no faults, on a real one."""

from __future__ import annotations

import asyncio
import contextlib
import decimal
import inspect
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any

import pytest
import stub
from conftest import ROOT, Api

import haigha
import haigha.asyncio
import haigha.blocking
from haigha import Field, Properties, errors, events

CONFORMANCE = ROOT / "tests/conformance"
LIST: list[dict[str, Any]] = json.loads((CONFORMANCE / "behaviours.json").read_text())["behaviours"]
CLIENTS = {"asyncio": haigha.asyncio, "blocking": haigha.blocking}


class Behaviour(Api):
    """A client, a broker that does what the behaviour wants of it, and the words of its test."""

    def __init__(
        self, entry: dict[str, Any], client: str, uri: str, broker: stub.Stub | None
    ) -> None:
        super().__init__(CLIENTS[client], uri)
        self.broker = broker
        self.commands: list[str] = entry.get("commands", [])
        self.q = "q" if broker else f"python.{entry['name']}.{client}.{os.getpid()}"

    async def command(self, nth: int) -> None:
        assert self.broker is not None
        await self.broker.say(self.commands[nth])

    def start(self, call: Callable[[], Any]) -> asyncio.Future[Any]:
        """A call that goes on beside this one."""
        if self.is_async:
            return asyncio.ensure_future(self.do(call()))
        return asyncio.get_running_loop().run_in_executor(None, call)

    @contextlib.asynccontextmanager
    async def declared(self, **options: Any) -> AsyncIterator[Any]:  # noqa: ANN401
        """A connection with a channel, and the queue `q`."""
        async with self.connection(**options) as connection:
            channel = await self.do(connection.channel())
            await self.declare(channel)
            yield channel

    async def declare(self, channel: Any) -> None:  # noqa: ANN401
        await self.do(channel.queue_declare(self.q, exclusive=True))

    async def publish(self, channel: Any, *bodies: bytes) -> None:  # noqa: ANN401
        for body in bodies:
            await self.do(channel.publish(body, self.q))

    async def holds(self, channel: Any, count: int) -> None:  # noqa: ANN401
        """How many messages wait in the queue."""
        assert (await self.do(channel.queue_declare(self.q, passive=True))).message_count == count

    async def next(self, consumer: Any) -> Any:  # noqa: ANN401
        message = await self.do(consumer.get(stub.PATIENCE))
        assert message is not None
        return message


Test = Callable[[Behaviour], Coroutine[Any, Any, None]]


async def publish_confirmed(b: Behaviour) -> None:
    async with b.declared() as channel:
        assert await b.do(channel.publish(b"one", b.q)) is None
        await b.holds(channel, 1)


async def publish_nacked(b: Behaviour) -> None:
    async with b.declared() as channel:
        one, two = [channel.start_publish(body, b.q) for body in (b"one", b"two")]
        with pytest.raises(errors.NackedError):
            await b.settle(one)
        await b.settle(two)
        assert (await b.do(channel.get(b.q, no_ack=True))).body == b"two"
        assert await b.do(channel.get(b.q)) is None


async def publish_returned(b: Behaviour) -> None:
    async with b.channel() as channel:
        with pytest.raises(errors.ReturnedError) as raised:
            await b.do(channel.publish(b"one", "nowhere", mandatory=True))
        assert (raised.value.reply_code, raised.value.reply_text) == (312, "NO_ROUTE")


async def publish_unknown(b: Behaviour) -> None:
    async with b.declared() as channel:
        with pytest.raises(errors.OutcomeUnknownError) as raised:
            await b.do(channel.publish(b"one", b.q))
        assert isinstance(raised.value.__cause__, errors.ConnectionLostError)


async def consume_and_ack(b: Behaviour) -> None:
    async with b.connection() as connection:
        channel = await b.do(connection.channel())
        await b.declare(channel)
        consumer = await b.do(channel.consume(b.q))
        await b.publish(channel, b"one", b"two", b"three")
        for number, body in enumerate((b"one", b"two", b"three"), 1):
            message = await b.next(consumer)
            assert (message.body, message.delivery_tag) == (body, number)
            assert (message.exchange, message.routing_key) == ("", b.q)
            assert message.consumer_tag == consumer.tag != ""
            assert not message.redelivered
            assert message.properties == Properties()
            message.ack()
        await b.do(channel.close())
        await b.holds(await b.do(connection.channel()), 0)


async def prefetch(b: Behaviour) -> None:
    async with b.declared() as channel:
        await b.publish(channel, b"one", b"two", b"three", b"four")
        await b.do(channel.qos(2))
        consumer = await b.do(channel.consume(b.q))
        first = await b.next(consumer)
        await b.next(consumer)
        # An answer comes after what the broker would have delivered.
        await b.holds(channel, 2)
        first.ack()
        assert (await b.next(consumer)).body == b"three"


async def requeued(b: Behaviour) -> None:
    async with b.declared() as channel:
        consumer = await b.do(channel.consume(b.q))
        await b.publish(channel, b"one")
        message = await b.next(consumer)
        assert not message.redelivered
        message.nack(requeue=True)
        message = await b.next(consumer)
        assert (message.body, message.redelivered) == (b"one", True)
        message.ack()


async def cancel(b: Behaviour) -> None:
    async with b.declared() as channel:
        consumer = await b.do(channel.consume(b.q))
        await b.do(consumer.cancel())
        await b.publish(channel, b"one")
        assert await b.do(consumer.get(stub.PATIENCE)) is None
        await b.holds(channel, 1)


async def cancelled_by_broker(b: Behaviour) -> None:
    async with b.declared() as channel:
        consumer = await b.do(channel.consume(b.q))
        await b.command(0)
        with pytest.raises(errors.ConsumerCancelledError):
            await b.do(consumer.get(stub.PATIENCE))
        assert channel.state == events.State.OPEN
        await b.holds(channel, 0)


async def not_found(b: Behaviour) -> None:
    async with b.connection() as connection:
        channel, other = [await b.do(connection.channel()) for _ in range(2)]
        with pytest.raises(errors.NotFoundError, match="NOT_FOUND") as raised:
            await b.do(channel.queue_declare("nowhere", passive=True))
        error = raised.value
        assert (error.reply_code, error.method) == (404, "queue.declare")
        assert error.reply_text.startswith("NOT_FOUND - no queue 'nowhere'")
        assert error.channel_id == channel.id
        assert channel.state == events.State.CLOSED
        with pytest.raises(errors.HaighaError, match="nowhere"):
            await b.do(channel.publish(b"too late"))
        await b.declare(other)


async def connection_closed(b: Behaviour) -> None:
    async with b.connection() as connection:
        channel = await b.do(connection.channel())
        with pytest.raises(errors.ConnectionClosedError) as raised:
            await b.declare(channel)
        for error in (raised.value, connection.last_error):
            assert (error.reply_code, error.reply_text) == (320, "CONNECTION_FORCED - by script")
        assert connection.state == events.State.CLOSED


async def broker_killed_while_waiting(b: Behaviour) -> None:
    async with b.connection(rpc_timeout_ms=3_600_000) as connection:
        channel = await b.do(connection.channel())
        with pytest.raises(errors.ConnectionLostError):
            await b.declare(channel)


async def answer_in_time(b: Behaviour) -> None:
    async with b.connection(rpc_timeout_ms=1000) as connection:
        channel = await b.do(connection.channel())
        with pytest.raises(errors.TimeoutError, match=r"queue\.declare"):
            await b.declare(channel)


async def late_answer(b: Behaviour) -> None:
    assert b.broker is not None
    async with b.channel() as channel:
        answer = b.start(lambda: channel.queue_declare("first"))
        await b.broker.fired()
        await b.command(0)
        assert (await answer).queue == "first"


async def reconnect(b: Behaviour) -> None:
    async with b.connection(recovery=1, recovery_delay_ms=1) as connection:
        seen: list[events.Event] = []
        connection.on_event(seen.append)
        channel = await b.do(connection.channel())
        await b.declare(channel)
        consumer = await b.do(channel.consume(b.q))
        await b.command(0)
        if not any(isinstance(event, events.Recovered) for event in seen):
            await b.do(connection.wait_for(events.Recovered, timeout=stub.PATIENCE))
        attempt = next(event for event in seen if isinstance(event, events.RecoveryAttempt))
        assert attempt.attempt == 1
        await b.command(1)
        assert (await b.next(consumer)).body == b"found"
        assert connection.info("recoveries") == 1


async def bad_password(b: Behaviour) -> None:
    with pytest.raises(errors.AuthError, match="ACCESS_REFUSED") as raised:
        await b.connect(password="a-wrong-secret")
    assert "a-wrong-secret" not in repr(raised.value) + repr(vars(raised.value))
    assert raised.value.stage == "handshake"


async def blocked(b: Behaviour) -> None:
    async with b.connection() as connection:
        seen: list[events.Event] = []
        connection.on_event(seen.append)
        await b.command(0)
        if not seen:
            await b.do(connection.wait_for(events.Blocked, timeout=stub.PATIENCE))
        assert [event.reason for event in seen if isinstance(event, events.Blocked)] == [
            "low on memory"
        ]
        await b.command(1)
        if not isinstance(seen[-1], events.Unblocked):
            await b.do(connection.wait_for(events.Unblocked, timeout=stub.PATIENCE))


async def bad_frame(b: Behaviour) -> None:
    assert b.broker is not None
    async with b.channel() as channel:
        with pytest.raises(errors.ProtocolError):
            await b.declare(channel)
        # Its code: ConformanceFrames of the library's tests.
        await b.broker.say(f"wait connection.close 1 {stub.PATIENCE * 1000}")


async def direct_reply(b: Behaviour) -> None:
    async with b.connection() as connection:
        server, client = [await b.do(connection.channel()) for _ in range(2)]
        await b.declare(server)
        requests = await b.do(server.consume(b.q, no_ack=True))
        answers = await b.do(client.consume("amq.rabbitmq.reply-to", no_ack=True))
        asking = Properties(reply_to="amq.rabbitmq.reply-to", correlation_id="7")
        await b.do(client.publish(b"ping", b.q, properties=asking))
        request = await b.next(requests)
        to, answering = request.properties.reply_to, request.properties.correlation_id
        await b.do(
            server.publish(bytes(request), to, properties=Properties(correlation_id=answering))
        )
        answer = await b.next(answers)
        assert (answer.body, answer.properties.correlation_id) == (b"ping", "7")


LEAVING = {
    "asyncio": """
import asyncio, sys, haigha.asyncio
kept = []
async def main():
    connection = await haigha.asyncio.connect(sys.argv[1])
    channel = await connection.channel()
    queue = (await channel.queue_declare(exclusive=True)).queue
    consumer = await channel.consume(queue)
    publishes = [channel.publish(b"x" * 20000, queue) for _ in range(1000)]
    kept.extend((connection, consumer, await anext(consumer), publishes))
asyncio.run(main())
""",
    "blocking": """
import sys, haigha.blocking
connection = haigha.blocking.connect(sys.argv[1])
channel = connection.channel()
queue = channel.queue_declare(exclusive=True).queue
consumer = channel.consume(queue)
publishes = [channel.start_publish(b"x" * 20000, queue) for _ in range(1000)]
message = next(consumer)
""",
}


async def exit_with_live_connection(b: Behaviour) -> None:
    program = LEAVING["asyncio" if b.is_async else "blocking"]
    for end, status in (("", 0), ("\nraise SystemExit(7)\n", 7)):
        done = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-c", program + end, b.uri],
            capture_output=True,
            text=True,
            timeout=stub.PATIENCE,
            check=False,
        )
        assert (done.returncode, done.stderr) == (status, "")


async def handler_fails(b: Behaviour) -> None:
    """A handler is the body of the loop: what it raises is raised there, and the consumer goes on."""
    async with b.declared() as channel:
        consumer = await b.do(channel.consume(b.q))
        await b.command(0)
        await b.command(1)
        seen = []

        def handle(message: haigha.Message) -> None:
            seen.append(bytes(message))
            message.ack()
            raise LookupError(message.text())

        async def loop() -> None:
            if b.is_async:
                async for message in consumer:
                    handle(message)
            else:
                for message in consumer:
                    handle(message)

        for body in ("one", "two"):
            with pytest.raises(LookupError, match=body):
                await loop()
        assert seen == [b"one", b"two"]
        assert channel.state == events.State.OPEN


def numbered(number: int) -> bytes:
    """The number, and the same number another way."""
    return b"%d %d" % (number, number * 0x9E3779B97F4A7C15 % (1 << 64))


async def hundred_thousand(b: Behaviour) -> None:
    total, at_once = 100_000, 2_000
    async with b.declared() as channel:
        consumer = await b.do(channel.consume(b.q))
        for first in range(0, total, at_once):
            bodies = [numbered(number) for number in range(first, first + at_once)]
            pending = [channel.start_publish(body, b.q) for body in bodies]
            for body in bodies:
                message = await b.next(consumer)
                assert message.body == body
                assert not message.redelivered
                message.ack()
            for publish in pending:
                await b.settle(publish)
        await b.holds(channel, 0)


def header(field: dict[str, Any]) -> tuple[Any, Any]:
    """What is sent for a field of headers.json, and what comes back."""
    letter, value = field["type"], field["value"]
    if letter in "bBsuIil":
        return Field(letter, int(value)), int(value)
    if letter in "fd":
        return Field(letter, value), float(value)
    if letter == "x":
        return bytes.fromhex(value["hex"]), bytes.fromhex(value["hex"])
    if letter == "T":
        return haigha.Timestamp(int(value)), haigha.Timestamp(int(value))
    if letter == "D":
        number = decimal.Decimal(value["unscaled"]).scaleb(-value["scale"])
        return number, number
    if letter == "F":
        return tuple({one["name"]: header(one)[side] for one in value} for side in (0, 1))  # type: ignore[return-value]
    if letter == "A":
        return tuple([header(one)[side] for one in value] for side in (0, 1))  # type: ignore[return-value]
    return value, value


async def every_header(b: Behaviour) -> None:
    valid = json.loads((CONFORMANCE / "headers.json").read_text())["valid"]
    entry = next(entry for entry in valid if entry["name"] == "headers of every type")
    fields = {field["name"]: header(field) for field in entry["properties"][0]["value"]}
    assert len(fields) >= 17
    sent = Properties(headers={name: sent for name, (sent, _) in fields.items()})
    async with b.declared() as channel:
        await b.do(channel.publish(b"", b.q, properties=sent))
        headers = (await b.do(channel.get(b.q))).headers
    wanted = {name: wanted for name, (_, wanted) in fields.items()}
    assert headers == wanted
    assert {name: type(value) for name, value in headers.items()} == {
        name: type(value) for name, value in wanted.items()
    }


async def large_body(b: Behaviour) -> None:
    body = bytes(number * number >> 8 & 0xFF for number in range(1 << 20))
    async with b.declared() as channel:
        await b.do(channel.publish(body, b.q))
        assert (await b.do(channel.get(b.q))).body == body


TESTS: dict[str, Test] = {
    name.replace("_", "-"): test
    for name, test in list(globals().items())
    if inspect.iscoroutinefunction(test) and test.__module__ == __name__
}


def test_there_is_one_for_each_behaviour() -> None:
    assert sorted(TESTS) == sorted(entry["name"] for entry in LIST)


@pytest.fixture
def broker() -> Iterator[stub.Stub]:
    with stub.started() as broker:
        yield broker


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("entry", LIST, ids=lambda entry: entry["name"])
async def test_on_the_stub_broker(entry: dict[str, Any], client: str, broker: stub.Stub) -> None:
    for line in entry["script"]:
        await broker.say(line)
    await TESTS[entry["name"]](Behaviour(entry, client, broker.uri, broker))
    assert await broker.say("violations") == "0"


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize(
    "entry",
    [entry for entry in LIST if not entry["script"] and "commands" not in entry],
    ids=lambda entry: entry["name"],
)
async def test_on_a_real_broker(entry: dict[str, Any], client: str, uri: str) -> None:
    await TESTS[entry["name"]](Behaviour(entry, client, uri, None))
