"""What a real broker does and the stub broker does not: faults of a node, its limits, its words."""

from __future__ import annotations

import asyncio
import datetime
import decimal
import logging
import threading
from typing import Any

import pytest
from conftest import Api, Both, Node

import haigha
from haigha import Field, Properties, errors, events


async def test_publish_nacked(api: Api) -> None:
    async with api.channel() as channel:
        full = {"x-max-length": 1, "x-overflow": "reject-publish"}
        queue = await api.queue(channel, b"first", arguments=full)
        with pytest.raises(errors.NackedError):
            await api.do(channel.publish(b"second", queue))
        assert (await api.do(channel.get(queue))).body == b"first"


async def test_ack(api: Api) -> None:
    async with api.connection() as connection:
        channel = await api.do(connection.channel())
        queue = await api.queue(channel, b"acked", b"not acked")
        consumer = await api.do(channel.consume(queue))
        (await api.do(consumer.get(10))).ack()
        await api.do(consumer.get(10))
        await api.do(channel.close())
        channel = await api.do(connection.channel())
        left = await api.do(channel.get(queue))
        assert (left.body, left.redelivered) == (b"not acked", True)
        left.ack()
        with pytest.raises(errors.ArgumentError):
            left.ack()
        assert await api.do(channel.get(queue)) is None


async def test_broker_cancel(api: Api) -> None:
    async with api.channel() as channel:
        queue = await api.queue(channel)
        consumer = await api.do(channel.consume(queue))
        await api.do(channel.queue_delete(queue))
        with pytest.raises(errors.ConsumerCancelledError):
            await api.do(consumer.get(10))
        assert not channel.is_closed
        await api.queue(channel, b"the channel goes on")


async def test_broker_killed_while_waiting(both: Both, node: Node) -> None:
    killer = threading.Thread(target=node.kill)

    async def body(api: Api) -> None:
        connection = await api.connect(node.uri)
        channel = await api.do(connection.channel())
        consumer = await api.do(channel.consume(await api.queue(channel)))
        await both.together(killer.start)
        with pytest.raises(errors.ConnectionLostError):
            await api.do(consumer.get(60))
        with pytest.raises(errors.HaighaError):
            await api.do(channel.publish(b"too late"))
        await api.do(connection.close())
        assert connection.state == events.State.CLOSED

    try:
        await both.run(body)
    finally:
        killer.join()
        node.start()


async def test_reconnect_restores_consumer(both: Both, node: Node) -> None:
    async def body(api: Api) -> None:
        async with api.connection(node.uri, recovery=1, recovery_delay_ms=10) as connection:
            seen: list[events.Event] = []
            connection.on_event(seen.append)
            channel = await api.do(connection.channel())
            queue = (await api.do(channel.queue_declare(auto_delete=True, durable=True))).queue
            consumer = await api.do(channel.consume(queue))
            await api.do(channel.publish(b"before", queue))
            stale = await api.do(consumer.get(10))
            await both.together(lambda: node.ctl("close_all_connections", "of the test"))
            if not any(isinstance(event, events.Recovered) for event in seen):
                await api.do(connection.wait_for(events.Recovered, timeout=60))
            with pytest.raises(errors.StaleError):
                stale.ack()
            renamed = (event.queue for event in seen if isinstance(event, events.QueueRenamed))
            await api.do(channel.publish(b"after", next(renamed, queue)))
            bodies = []
            while b"after" not in bodies:
                message = await api.do(consumer.get(10))
                bodies.append(bytes(message))
                message.ack()
            attempt = next(event for event in seen if isinstance(event, events.RecoveryAttempt))
            assert attempt.attempt == 1
            assert getattr(attempt.error, "reply_code", 0) == 320
            assert connection.info("recoveries") == 1

    await both.run(body)


async def test_bad_password(api: Api) -> None:
    with pytest.raises(errors.AuthError) as raised:
        await api.connect(api.uri, password="a-wrong-secret")
    assert "a-wrong-secret" not in str(raised.value)
    assert raised.value.stage == "handshake"


async def test_blocked(both: Both, node: Node) -> None:
    async def body(api: Api) -> None:
        async with api.connection(node.uri) as connection:
            channel = await api.do(connection.channel())
            queue = await api.queue(channel, b"before")
            await both.together(lambda: node.ctl("set_vm_memory_high_watermark", "0.00001"))
            # The broker tells of it to who publishes.
            pending = [channel.start_publish(b"one", queue)]
            blocked = await api.do(connection.wait_for(events.Blocked, timeout=60))
            assert "memory" in blocked.reason
            pending += [channel.start_publish(body, queue) for body in (b"two", b"three")]
            assert not any(publish.done() for publish in pending)
            await both.together(lambda: node.ctl("set_vm_memory_high_watermark", "0.4"))
            for publish in pending:
                await api.settle(publish)
            for expected in (b"before", b"one", b"two", b"three"):
                assert bytes(await api.do(channel.get(queue))) == expected

    try:
        await both.run(body)
    except BaseException:
        node.ctl("set_vm_memory_high_watermark", "0.4")
        raise


async def test_handler_that_raises(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    reported: list[BaseException | None] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _loop, context: reported.append(context.get("exception")))
    heard: list[events.Event] = []

    def raises(_event: events.Event) -> None:
        raise LookupError("of the handler's")

    async with api.connection() as connection:
        connection.on_event(raises)
        connection.on_event(heard.append)
        channel = await api.do(connection.channel())
        with caplog.at_level(logging.ERROR, "haigha"):
            queue = await api.queue(channel, b"works")
        assert (await api.do(channel.get(queue))).body == b"works"
        assert any(isinstance(event, events.ChannelState) for event in heard)
    if not api.is_async:
        reported += [record.exc_info[1] for record in caplog.records if record.exc_info]
    assert any(isinstance(error, LookupError) for error in reported)


EVERY_TYPE: dict[str, tuple[Any, Any]] = {
    "bool": (True, True),
    "b": (Field("b", -128), -128),
    "B": (Field("B", 255), 255),
    "s": (Field("s", -32768), -32768),
    "u": (Field("u", 65535), 65535),
    "I": (-(1 << 31), -(1 << 31)),
    "i": (Field("i", (1 << 32) - 1), (1 << 32) - 1),
    "l": (1 << 62, 1 << 62),
    "f": (Field("f", 0.5), 0.5),
    "d": (0.1, 0.1),
    "D": (decimal.Decimal("-12.345"), decimal.Decimal("-12.345")),
    "S": ("text, gr\u00fc\u00dfe", "text, gr\u00fc\u00dfe"),
    "S of bytes": (Field("S", b"\xff\x00"), b"\xff\x00"),
    "x": (b"\x00\x01\xff", b"\x00\x01\xff"),
    "T": (
        datetime.datetime(2026, 11, 27, tzinfo=datetime.UTC),
        haigha.Timestamp(1795737600),
    ),
    "A": ([1, "two", [3.0, None]], [1, "two", [3.0, None]]),
    "F": ({"a": {"b": [{"c": 1}]}}, {"a": {"b": [{"c": 1}]}}),
    "V": (None, None),
}


async def test_headers_of_every_type(api: Api) -> None:
    sent = Properties(
        content_type="text/plain",
        content_encoding="",
        headers={name: value for name, (value, _) in EVERY_TYPE.items()},
        delivery_mode=2,
        priority=3,
        correlation_id="correlation",
        reply_to="reply",
        expiration="60000",
        message_id="message",
        timestamp=haigha.Timestamp(1 << 33),
        type="type",
        app_id="app",
    )
    async with api.channel() as channel:
        queue = await api.queue(channel)
        await api.do(channel.publish(b"", queue, properties=sent))
        message = await api.do(channel.get(queue))
        headers = {name: value for name, (_, value) in EVERY_TYPE.items()}
        assert message.headers == headers
        assert {name: type(value) for name, value in message.headers.items()} == {
            name: type(value) for name, value in headers.items()
        }
        received = message.properties
        assert received.headers is message.headers
        for name in Properties.__dataclass_fields__:
            if name != "headers":
                assert getattr(received, name) == getattr(sent, name), name


async def test_get_empty_and_nonempty(api: Api) -> None:
    async with api.channel() as channel:
        queue = await api.queue(channel)
        assert await api.do(channel.get(queue)) is None
        await api.do(channel.publish(b"", queue))
        message = await api.do(channel.get(queue))
        assert message  # also of an empty body
        assert (len(message), bytes(message), message.text()) == (0, b"", "")
        message.ack()
        assert await api.do(channel.get(queue)) is None


async def test_close_while_busy(api: Api) -> None:
    connection = await api.connect()
    channel = await api.do(connection.channel())
    queue = await api.queue(channel, b"one", b"two")
    consumer = await api.do(channel.consume(queue))
    pending = [channel.start_publish(b"x" * 1000, queue) for _ in range(5000)]
    await api.do(connection.close())
    await api.do(connection.close())  # again does nothing
    outcomes = set()
    for publish in pending:
        try:
            await api.settle(publish)
            outcomes.add("confirmed")
        except errors.PublishError as error:
            outcomes.add(type(error).__name__)
    assert outcomes <= {"confirmed", "NotSentError", "OutcomeUnknownError"}
    left = 0
    with pytest.raises(errors.ClosedError):  # noqa: PT012
        while await api.do(consumer.get(10)):
            left += 1
    assert left <= 300  # what had come
    with pytest.raises(errors.ClosedError):
        await api.do(connection.channel())
    with pytest.raises(errors.HaighaError):
        await api.do(channel.publish(b"too late"))
