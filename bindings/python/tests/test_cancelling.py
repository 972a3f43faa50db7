"""Calls that nobody waits for any more, since a task was cancelled or a signal's handler raised: what
they got is given back, and the connection goes on."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import stub

import haigha.asyncio
import haigha.blocking
from haigha import events

CALLS: dict[str, tuple[str, Callable[[Any, Any], Any]]] = {
    "get": ("on basic.get#1 hold", lambda _connection, channel: channel.get("q")),
    "consume": ("on basic.consume#1 hold", lambda _connection, channel: channel.consume("q")),
    "channel": ("on channel.open#2 hold", lambda connection, _channel: connection.channel()),
    "declare": ("on queue.declare#2 hold", lambda _, channel: channel.queue_declare("other")),
}


@pytest.fixture
def broker() -> Iterator[stub.Stub]:
    with stub.started() as broker:
        yield broker


async def nothing_is_left(call: str, broker: stub.Stub) -> None:
    if call == "channel":
        await broker.say(f"wait channel.close 1 {stub.PATIENCE * 1000}")
    assert await broker.say("violations") == "0"


@pytest.mark.parametrize("answered", [False, True])
@pytest.mark.parametrize("call", CALLS)
async def test_a_task_that_is_cancelled(call: str, answered: bool, broker: stub.Stub) -> None:
    """While it waits, and when its answer is there but it has not gone on."""
    rule, start = CALLS[call]
    await broker.say(rule)
    told: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, what: told.append(what))
    async with haigha.asyncio.connect(broker.uri) as connection:
        channel = await connection.channel()
        await channel.queue_declare("q")
        await broker.say("put q one")

        async def doing() -> None:
            await start(connection, channel)

        task: asyncio.Task[None] = asyncio.ensure_future(doing())
        await broker.fired()
        if answered:
            waits_for: asyncio.Future[Any] = task._fut_waiter  # type: ignore[attr-defined]
            broker.say_now("go")
            while not waits_for.done():
                connection._core.drain(stub.PATIENCE * 1000)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        if not answered:
            await broker.say("go")
        # The first answer comes after the held one's, and a consumer's end takes one more.
        for _ in range(3):
            declared = await channel.queue_declare("q", passive=True)
        assert (declared.message_count, declared.consumer_count) == (1, 0)
        await nothing_is_left(call, broker)
    assert told == []


async def test_a_consumer_that_cannot_be_cancelled_yet(broker: stub.Stub) -> None:
    """While its channel is being brought back; it is when that is back."""
    async with haigha.asyncio.connect(broker.uri, recovery=1, recovery_delay_ms=1) as connection:
        channel = await connection.channel()
        await channel.queue_declare("q", durable=True)
        consumer = await channel.consume("q")
        await broker.say("stall accept")
        lost = asyncio.ensure_future(connection.wait_for(events.RecoveryAttempt))
        await asyncio.sleep(0)
        await broker.say("reset")
        await lost
        with pytest.raises(haigha.errors.RecoveringError):
            await consumer.close()
        consumer._core.abandon()
        back = asyncio.ensure_future(connection.wait_for(events.Recovered))
        await asyncio.sleep(0)
        await broker.say("stall none")
        await back
        declared = await channel.queue_declare("q", passive=True)
        assert declared.consumer_count == 0
    assert await broker.say("violations") == "0"


async def test_a_task_that_connects_is_cancelled(broker: stub.Stub) -> None:
    await broker.say("stall open")
    task = asyncio.ensure_future(haigha.asyncio.Connection.open(broker.uri, {}))
    await broker.say(f"wait connection.open 1 {stub.PATIENCE * 1000}")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await broker.say(f"wait disconnect 1 {stub.PATIENCE * 1000}")
    await broker.say("stall none")
    await (await haigha.asyncio.connect(broker.uri)).close()


@pytest.mark.parametrize("call", CALLS)
def test_a_call_that_a_signal_ends(call: str, broker: stub.Stub) -> None:
    rule, start = CALLS[call]
    broker.say_now(rule)
    with haigha.blocking.connect(broker.uri) as connection:
        channel = connection.channel()
        channel.queue_declare("q")
        broker.say_now("put q one")

        left = threading.Event()

        def interrupt() -> None:
            asyncio.run(broker.fired())
            while connection._fetching is None:
                pass  # it has been sent, and will be waited for
            main = threading.main_thread().ident
            assert main is not None
            # One that comes before the wait does not end it.
            while not left.wait(0.05):
                signal.pthread_kill(main, signal.SIGINT)

        def once(number: int, _frame: object) -> None:
            signal.signal(number, signal.SIG_IGN)
            left.set()
            raise KeyboardInterrupt

        before = signal.signal(signal.SIGINT, once)
        interrupting = threading.Thread(target=interrupt)
        interrupting.start()
        try:
            with pytest.raises(KeyboardInterrupt):
                start(connection, channel)
        finally:
            left.set()
            interrupting.join()
            signal.signal(signal.SIGINT, before)
        broker.say_now("go")
        for _ in range(3):
            declared = channel.queue_declare("q", passive=True)
        assert (declared.message_count, declared.consumer_count) == (1, 0)
        asyncio.run(nothing_is_left(call, broker))
