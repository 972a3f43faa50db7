"""The benchmark's work with aio-pika.

usage: aio_pika_client.py URI WORK BYTES COUNT WARM WINDOW PREFETCH QUEUE
prints "CPU-US-PER-MESSAGE MESSAGES-PER-SECOND"
"""

from __future__ import annotations

import asyncio

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage
from peer_task import Task, give_up, parse_task


async def publish(channel: AbstractChannel, task: Task) -> None:
    exchange = channel.default_exchange
    window = asyncio.Semaphore(task.window)

    async def publish_one(number: int) -> None:
        await exchange.publish(aio_pika.Message(task.body(number)), task.queue, mandatory=False)

    async def confirmed(number: int) -> None:
        try:
            await publish_one(number)
        finally:
            window.release()

    async with asyncio.TaskGroup() as group:
        for number in range(1, task.count + 1):
            task.before(number)
            if task.confirms:
                await window.acquire()
                group.create_task(confirmed(number))
            else:
                await publish_one(number)


async def consume(channel: AbstractChannel, task: Task) -> None:
    queue = await channel.get_queue(task.queue, ensure=False)
    done = asyncio.Event()
    received = 0

    async def on_message(message: AbstractIncomingMessage) -> None:
        nonlocal received
        received += 1
        number = received
        task.before(number)
        task.check(message.body, message.delivery_tag, number)
        if task.acks:
            await message.ack()
        if number == task.count:
            done.set()

    await queue.consume(on_message, no_ack=not task.acks)
    await done.wait()


async def run(task: Task) -> None:
    async with await aio_pika.connect(task.uri) as connection:
        channel = await connection.channel(publisher_confirms=task.confirms)
        await channel.set_qos(prefetch_count=task.prefetch)
        if task.publishes:
            await publish(channel, task)
        else:
            await consume(channel, task)
        # A round trip: what was written is then read.
        await channel.set_qos(prefetch_count=task.prefetch)
        task.report()


if __name__ == "__main__":
    try:
        asyncio.run(run(parse_task()))
    except* Exception as errors:
        give_up(str(errors.exceptions))
