"""What the two clients do beyond the behaviours of every binding, on a real broker."""

from __future__ import annotations

import asyncio
import gc
import inspect
import os
import signal
import subprocess
import sys
import threading
import weakref
from pathlib import Path

import pytest
from conftest import Api, Node, Tls

import haigha
from haigha import PoolMode, Properties, PublishPolicy, RecoveryPolicy, errors, events
from haigha import asyncio as haigha_asyncio
from haigha import blocking as haigha_blocking
from haigha.consumer import PAUSE_AT

CLASSES = ("Connection", "Channel", "Consumer", "Publisher", "Pool")


@pytest.mark.parametrize("name", CLASSES)
def test_both_clients_have_the_same_names(name: str) -> None:
    """And the same parameters; what differs is how the results are waited for."""

    def calls(kind: type) -> dict[str, list[inspect.Parameter] | None]:
        return {
            name: list(inspect.signature(member).parameters.values()) if callable(member) else None
            for name, member in inspect.getmembers(kind)
            if not name.startswith("_") and name not in ("open", "process_events")
        }

    assert calls(getattr(haigha_asyncio, name)) == calls(getattr(haigha_blocking, name))


async def test_tls(api: Api, tls: Tls, node: Node) -> None:
    assert node.uri
    async with api.connection(tls.uri, cacertfile=str(tls.authority)) as connection:
        assert connection.peer_info["security"] == "tls"
        assert connection.peer_info["tls_verified"] == "chain and name"
        await api.queue(await api.do(connection.channel()), b"over TLS")
    with pytest.raises(errors.TlsError) as raised:
        await api.connect(tls.uri)
    assert raised.value.stage == "tls"


async def test_pool(api: Api) -> None:
    async with api.connection() as connection:
        channel = await api.do(connection.channel())
        queue = await api.queue(channel)
        pool = connection.pool(max_channels=3)
        pending = [pool.start_publish(b"%d" % number, queue) for number in range(1000)]
        with pytest.raises(errors.ReturnedError):
            await api.do(pool.publish(b"lost", "no-such-queue", mandatory=True))
        await api.do(pool.drain())
        for publish in pending:
            await api.settle(publish)
        assert pool.info("confirmed") == 1000
        assert await api.do(channel.queue_purge(queue)) == 1000
        with pytest.raises(errors.RefusedError) as raised:
            await api.do(pool.publish(b"refused", exchange="no-such-exchange"))
        assert raised.value.reply_code == 404
        await api.do(pool.close())
        with pytest.raises(errors.ClosedError):
            await api.do(pool.publish(b"too late", queue))


async def test_pool_with_transactions(api: Api) -> None:
    async with api.connection() as connection:
        channel = await api.do(connection.channel())
        queue = await api.queue(channel)
        pool = connection.pool(mode=PoolMode.TX)
        await api.do(pool.publish(b"committed", queue))
        assert (await api.do(channel.get(queue))).body == b"committed"
        await api.do(pool.close())


async def test_publisher(api: Api) -> None:
    async with api.channel() as channel:
        queue = await api.queue(channel)
        publisher = channel.publisher(
            queue, properties=Properties(headers={"n": 1}), mandatory=True
        )
        await api.do(publisher.publish(b"small"))
        await api.do(publisher.publish(b"x" * 100_000))
        small, large = [await api.do(channel.get(queue)) for _ in range(2)]
        assert (small.body, small.headers) == (b"small", {"n": 1})
        assert large.body == b"x" * 100_000
        lost = channel.publisher("no-such-queue", mandatory=True)
        with pytest.raises(errors.ReturnedError):
            await api.do(lost.publish(b"lost"))


async def test_publishes_wait_for_room(api: Api) -> None:
    async with api.channel(max_in_flight=2) as channel:
        queue = await api.queue(channel)
        pending = [channel.start_publish(b"%d" % number, queue) for number in range(500)]
        changing = bytearray(b"last")
        pending.append(channel.start_publish(changing, queue))
        changing[:] = b"else"
        refused = channel.start_publish(b"", queue, properties=Properties(headers={"x": object()}))
        for publish in pending:
            await api.settle(publish)
        with pytest.raises(TypeError, match="a field of a table cannot be"):
            await api.settle(refused)
        messages = [bytes(await api.do(channel.get(queue))) for _ in pending]
        assert messages == [b"%d" % number for number in range(500)] + [b"last"]


async def test_without_confirms(api: Api) -> None:
    async with api.channel(confirm=False) as channel:
        queue = (await api.do(channel.queue_declare(exclusive=True))).queue
        await api.do(channel.publish(b"taken", queue))
        assert (await api.do(channel.get(queue, no_ack=True))).body == b"taken"


async def test_transactions(api: Api) -> None:
    async with api.channel(confirm=False) as channel:
        queue = (await api.do(channel.queue_declare(exclusive=True))).queue
        await api.do(channel.tx_select())
        await api.do(channel.publish(b"rolled back", queue))
        await api.do(channel.tx_rollback())
        await api.do(channel.publish(b"committed", queue))
        assert await api.do(channel.get(queue)) is None
        await api.do(channel.tx_commit())
        assert (await api.do(channel.get(queue))).body == b"committed"
        await api.do(channel.tx_commit())


async def test_channel_is_reopened(api: Api) -> None:
    async with api.connection() as connection:
        policies = {
            "recovery_policy": RecoveryPolicy.RESUBSCRIBE,
            "publish_policy": PublishPolicy.RESEND,
        }
        channel = await api.do(connection.channel(**policies))
        queue = await api.queue(channel)
        consumer = await api.do(channel.consume(queue))
        with pytest.raises(errors.NotFoundError):
            await api.do(channel.queue_declare("no-such-queue", passive=True))
        while channel.state != events.State.OPEN:
            await api.do(connection.wait_for(events.ChannelState, timeout=30))
        await api.do(channel.publish(b"after", queue))
        assert (await api.do(consumer.get(10))).body == b"after"


async def test_as_many_channels_as_the_broker_allows(api: Api) -> None:
    async with api.connection(channel_max=2) as connection:
        channels = [await api.do(connection.channel()) for _ in range(2)]
        for _ in range(2):
            with pytest.raises(errors.ChannelLimitError):
                await api.do(connection.channel())
        await api.do(channels[0].close())
        await api.queue(await api.do(connection.channel()), b"there is room again")


async def test_topology(api: Api) -> None:
    async with api.channel() as channel:
        names = [f"python-{os.getpid()}-{number}" for number in range(2)]
        for name in names:
            await api.do(channel.exchange_declare(name, "topic"))
        queue = await api.queue(channel)
        await api.do(channel.queue_bind(queue, names[1], "a.*"))
        await api.do(channel.exchange_bind(names[1], names[0], "#"))
        await api.do(channel.publish(b"through both", "a.b", exchange=names[0], mandatory=True))
        message = await api.do(channel.get(queue))
        assert (message.exchange, message.routing_key) == (names[0], "a.b")
        await api.do(channel.queue_unbind(queue, names[1], "a.*"))
        with pytest.raises(errors.ReturnedError):
            await api.do(channel.publish(b"lost", "a.b", exchange=names[0], mandatory=True))
        assert await api.do(channel.queue_delete(queue)) == 0
        for name in names:
            await api.do(channel.exchange_delete(name))
        with pytest.raises(errors.OutcomeUnknownError, match="no exchange") as raised:
            await api.do(channel.publish(b"", exchange=names[0]))
        assert raised.value.reply_code == 404


async def test_consumer_without_acks_is_held_back(api: Api) -> None:
    """Thousands that nobody takes do not fill the memory, and all of them come in the end."""
    total = 3 * PAUSE_AT
    async with api.connection() as connection:
        channel = await api.do(connection.channel())
        queue = await api.queue(channel, *[b"%d" % number for number in range(total)])
        consumer = await api.do(channel.consume(queue, no_ack=True))
        for number in range(total):
            assert (await api.do(consumer.get(30))).body == b"%d" % number


async def test_kept_messages_outlive_their_connection(api: Api) -> None:
    async with api.channel() as channel:
        queue = await api.queue(channel, b"kept", b"x" * 300_000)
        small = await api.do(channel.get(queue))
        body = (await api.do(channel.get(queue))).body
    assert (small.body, small.routing_key, small.headers) == (b"kept", queue, {})
    assert body == b"x" * 300_000
    assert body.readonly
    with pytest.raises(errors.HaighaError):
        small.ack()


async def test_timeout(api: Api) -> None:
    async with api.channel() as channel:
        consumer = await api.do(channel.consume(await api.queue(channel)))
        with pytest.raises(errors.TimeoutError):
            await api.do(consumer.get(0.01))
        with pytest.raises(TimeoutError):  # it is Python's, too
            await api.do(consumer.get(0))


async def test_drain_and_stop(api: Api) -> None:
    connection = await api.connect()
    channel = await api.do(connection.channel())
    consumer = await api.do(channel.consume(await api.queue(channel, b"one", b"two")))
    messages = [await api.do(consumer.get(10)) for _ in range(2)]
    for message in messages:
        message.ack()
    assert await api.do(consumer.drain(30)) == 0
    assert await api.do(consumer.get(10)) is None
    await api.do(connection.flush())
    await api.do(connection.stop())
    assert connection.state == events.State.CLOSED


async def test_a_connection_that_is_dropped_ends(api: Api) -> None:
    connection = await api.connect(connection_name=f"dropped-{os.getpid()}")
    channel = await api.do(connection.channel())
    kept = connection._core
    del connection
    assert kept.ended is None  # its channel holds it
    with pytest.warns(ResourceWarning, match="was not closed"):
        del channel
    await asyncio.sleep(0)
    assert kept.ended is not None


async def test_no_cycle_keeps_a_connection(api: Api) -> None:
    gc.collect()
    gc.disable()
    try:
        connection = await api.connect()
        channel = await api.do(connection.channel())
        queue = await api.queue(channel, b"one", b"two")
        consumer = await api.do(channel.consume(queue))
        pool = connection.pool()
        await api.do(pool.publish(b"three", queue))
        message = await api.do(consumer.get(10))
        kept = [weakref.ref(held._core) for held in (connection, channel, consumer, pool)]
        await api.do(connection.close())
        del connection, channel, consumer, pool, message
        await asyncio.sleep(0)
        assert [ref() for ref in kept] == [None] * 4
    finally:
        gc.enable()


async def test_consumer_that_is_closed_gives_back(api: Api) -> None:
    async with api.channel() as channel:
        queue = await api.queue(channel, b"one", b"two", b"three")
        consumer = await api.do(channel.consume(queue))
        (await api.do(consumer.get(10))).ack()
        await api.do(consumer.close())
        again = [await api.do(channel.get(queue)) for _ in range(2)]
        assert [bytes(message) for message in again] == [b"two", b"three"]


async def test_cancelled_waits_lose_nothing(uri: str) -> None:
    async with haigha_asyncio.connect(uri) as connection, connection.channel() as channel:
        queue = (await channel.queue_declare(exclusive=True)).queue
        consumer = await channel.consume(queue)
        waiting = asyncio.ensure_future(consumer.get())
        await asyncio.sleep(0)
        other = asyncio.ensure_future(consumer.get())
        await asyncio.sleep(0)
        waiting.cancel()
        await channel.publish(b"for the other", queue)
        message = await other
        assert message is not None
        message.ack()
        # An answer that nobody waits for any more.
        await channel.publish(b"got by nobody", queue)
        getting = asyncio.ensure_future(channel.get(queue))
        await asyncio.sleep(0)
        getting.cancel()
        message = await consumer.get(10)
        assert message is not None
        assert bytes(message) == b"got by nobody"


async def test_threads_share_a_blocking_connection(uri: str) -> None:
    with haigha_blocking.connect(uri) as connection:

        def work(number: int) -> int:
            channel = connection.channel()
            queue = channel.queue_declare(exclusive=True).queue
            consumer = channel.consume(queue)
            for turn in range(200):
                channel.publish(b"%d %d" % (number, turn), queue)
                message = next(consumer)
                assert message.body == b"%d %d" % (number, turn)
                message.ack()
            channel.close()
            return number

        done = await asyncio.gather(*[asyncio.to_thread(work, number) for number in range(8)])
        assert done == list(range(8))


def test_ctrl_c_ends_a_call_that_waits(uri: str) -> None:
    with haigha_blocking.connect(uri) as connection, connection.channel() as channel:
        consumer = channel.consume(channel.queue_declare(exclusive=True).queue)
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        timer = threading.Timer(
            0.2, signal.pthread_kill, (threading.main_thread().ident, signal.SIGINT)
        )
        timer.start()
        try:
            with pytest.raises(KeyboardInterrupt):
                consumer.get(60)
        finally:
            timer.join()
            signal.signal(signal.SIGINT, before)
        channel.queue_declare(exclusive=True)  # and it goes on


FORKING = """
import os, sys, haigha.blocking
from haigha import errors
connection = haigha.blocking.connect(sys.argv[1])
channel = connection.channel()
queue = channel.queue_declare(exclusive=True).queue
consumer = channel.consume(channel.queue_declare(exclusive=True).queue)
pending = channel.start_publish(b"confirmed to the parent", consumer.queue)
child = os.fork()
if child == 0:
    refused = 0
    for call in (
        lambda: channel.publish(b"from the child", queue),
        lambda: consumer.get(),
        pending.wait,
        connection.process_events,
        connection.channel,
        connection.close,
    ):
        try:
            call()
        except errors.ForkedError:
            refused += 1
    del call, pending, consumer, channel, connection  # dropping is harmless
    sys.exit(refused + 1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
channel.publish(b"from the parent", queue)
print(channel.get(queue).text())
connection.close()
"""


def test_a_forked_child_is_refused(uri: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FORKING, uri],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("from the parent\n", "")


def test_console(uri: str) -> None:
    typed = """\
print(channel.queue_declare("", exclusive=True).message_count)
connection.close()
"""
    done = subprocess.run(
        [sys.executable, "-m", "haigha", uri],
        input=typed, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0
    assert ">>> 0\n" in done.stdout
    assert "-- ConnectionState(state=<State.CLOSED" in done.stderr
    refused = subprocess.run(
        [sys.executable, "-m", "haigha", "amqp://127.0.0.1:1/"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert refused.returncode == 1
    assert refused.stderr.startswith("python -m haigha: ")


async def test_wrong_options(api: Api) -> None:
    with pytest.raises(errors.ArgumentError, match="no_such_option"):
        await api.connect(no_such_option=1)
    with pytest.raises(ValueError, match="heartbeat"):
        await api.connect(heartbeat=-1)
    assert "recovery" in haigha.options()
    with pytest.raises(errors.ConnectionLostError) as raised:
        await api.connect("amqp://127.0.0.1:1/")
    assert (raised.value.stage, raised.value.os_errno) == ("connect", 111)


README = Path(__file__).resolve().parents[1] / "README.md"


def programs() -> list[str]:
    text = README.read_text(encoding="utf-8")
    return [part.split("\n```", 1)[0] for part in text.split("```python\n")[1:]]


@pytest.mark.parametrize("number", range(2))
def test_first_programs_work_as_typed(number: int, uri: str) -> None:
    program = programs()[number]
    assert program.count('"amqp://localhost"') == 1
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program.replace("amqp://localhost", uri)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ("received hello\n", "")
