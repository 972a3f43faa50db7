"""The benchmark's work with pika, by its asynchronous connection.

usage: pika_client.py URI WORK BYTES COUNT WARM WINDOW PREFETCH QUEUE
prints "CPU-US-PER-MESSAGE MESSAGES-PER-SECOND"
"""

from __future__ import annotations

import pika
from peer_task import Task, give_up, parse_task
from pika.channel import Channel
from pika.frame import Method
from pika.spec import Basic, BasicProperties

# What is published before the loop writes it.
PER_TURN = 100


class Client:
    def __init__(self, task: Task) -> None:
        self.task = task
        self.number = 0
        self.confirmed = 0
        self.connection = pika.SelectConnection(
            pika.URLParameters(task.uri),
            on_open_callback=lambda connection: connection.channel(
                on_open_callback=self.on_channel
            ),
            on_open_error_callback=lambda _connection, error: give_up(f"open: {error}"),
            on_close_callback=lambda connection, _reason: connection.ioloop.stop(),
        )
        self.channel: Channel
        self.done = False

    def on_channel(self, channel: Channel) -> None:
        self.channel = channel
        channel.basic_qos(prefetch_count=self.task.prefetch, callback=self.on_qos)

    def on_qos(self, _frame: object) -> None:
        if self.task.confirms:
            self.channel.confirm_delivery(self.on_confirm, callback=lambda _frame: self.publish())
        elif self.task.publishes:
            self.publish()
        else:
            self.channel.basic_consume(
                self.task.queue, self.on_delivery, auto_ack=not self.task.acks
            )

    def publish(self) -> None:
        task = self.task
        room = PER_TURN
        if task.confirms:
            room = task.window - (self.number - self.confirmed)
        for number in range(self.number + 1, min(self.number + room, task.count) + 1):
            task.before(number)
            self.channel.basic_publish("", task.queue, task.body(number))
            self.number = number
        if task.confirms:
            return
        if self.number < task.count:
            self.connection.ioloop.add_callback_threadsafe(self.publish)
        else:
            self.finish()

    def on_confirm(self, frame: Method) -> None:
        if not isinstance(frame.method, Basic.Ack):
            give_up("no confirm")
        tag = frame.method.delivery_tag
        self.confirmed = tag if frame.method.multiple else self.confirmed + 1
        if self.confirmed == self.task.count:
            self.finish()
        else:
            self.publish()

    def on_delivery(
        self, channel: Channel, method: Basic.Deliver, _properties: BasicProperties, body: bytes
    ) -> None:
        self.number += 1
        self.task.before(self.number)
        self.task.check(body, method.delivery_tag, self.number)
        if self.task.acks:
            channel.basic_ack(method.delivery_tag)
        if self.number == self.task.count:
            self.finish()

    def finish(self) -> None:
        """By a round trip: what was written is then read."""
        self.channel.basic_qos(prefetch_count=self.task.prefetch, callback=self.on_finished)

    def on_finished(self, _frame: object) -> None:
        self.task.report()
        self.done = True
        if self.task.publishes:
            self.connection.close()
        else:
            # Closing would cancel the consumer first, which the loopback peer does not know.
            self.connection.ioloop.stop()

    def run(self) -> None:
        self.connection.ioloop.start()
        if not self.done:
            give_up("the connection was closed")


if __name__ == "__main__":
    Client(parse_task()).run()
