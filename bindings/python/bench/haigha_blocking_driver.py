"""The benchmark's work with haigha.blocking, as the drivers of tests/bench/peers have it."""

from __future__ import annotations

from collections import deque

from peer_task import Task, parse_task

import haigha.blocking


def publish(channel: haigha.blocking.Channel, task: Task) -> None:
    window: deque[haigha.blocking.Pending] = deque()
    for number in range(1, task.count + 1):
        task.before(number)
        publishing = channel.start_publish(task.body(number), task.queue)
        if not task.confirms:
            publishing.wait()
            continue
        window.append(publishing)
        if len(window) == task.window:
            window.popleft().wait()
    for publishing in window:
        publishing.wait()


def consume(channel: haigha.blocking.Channel, task: Task) -> None:
    channel.qos(task.prefetch)
    for number, message in enumerate(channel.consume(task.queue, no_ack=not task.acks), 1):
        task.before(number)
        task.check(message.body, message.delivery_tag, number)
        if task.acks:
            message.ack()
        if number == task.count:
            return


def run(task: Task) -> None:
    connection = haigha.blocking.connect(task.uri)
    channel = connection.channel(confirm=task.confirms)
    if task.publishes:
        publish(channel, task)
    else:
        consume(channel, task)
    # A round trip: what was written is then read.
    channel.qos(task.prefetch)
    task.report()


if __name__ == "__main__":
    run(parse_task())
