"""The benchmark's work with haigha.asyncio, as the drivers of tests/bench/peers have it."""

from __future__ import annotations

import asyncio
from collections import deque

from peer_task import Task, parse_task

import haigha.asyncio


async def publish(channel: haigha.asyncio.Channel, task: Task) -> None:
    window: deque[asyncio.Future[None]] = deque()
    for number in range(1, task.count + 1):
        task.before(number)
        publishing = channel.publish(task.body(number), task.queue)
        if not task.confirms:
            await publishing
            continue
        window.append(publishing)
        if len(window) == task.window:
            await window.popleft()
    for publishing in window:
        await publishing


async def consume(channel: haigha.asyncio.Channel, task: Task) -> None:
    await channel.qos(task.prefetch)
    number = 0
    async for message in await channel.consume(task.queue, no_ack=not task.acks):
        number += 1
        task.before(number)
        task.check(message.body, message.delivery_tag, number)
        if task.acks:
            message.ack()
        if number == task.count:
            return


async def run(task: Task) -> None:
    connection = await haigha.asyncio.connect(task.uri)
    channel = await connection.channel(confirm=task.confirms)
    if task.publishes:
        await publish(channel, task)
    else:
        await consume(channel, task)
    # A round trip: what was written is then read.
    await channel.qos(task.prefetch)
    task.report()


if __name__ == "__main__":
    asyncio.run(run(parse_task()))
