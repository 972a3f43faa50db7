// The benchmark's work with amqplib.
//
// usage: amqplib_client.js URI WORK BYTES COUNT WARM WINDOW PREFETCH QUEUE
// prints "CPU-US-PER-MESSAGE MESSAGES-PER-SECOND"
import { once } from "node:events";

import amqplib from "amqplib";

import { giveUp, Task } from "./peer_task.js";

async function publish(channel, task) {
  let unconfirmed = 0;
  let onRoom = null;
  const onConfirm = (error) => {
    if (error !== null) giveUp("no confirm");
    --unconfirmed;
    if (onRoom !== null) onRoom();
  };
  const room = async (limit) => {
    while (unconfirmed > limit) await new Promise((resolve) => (onRoom = resolve));
    onRoom = null;
  };
  for (let number = 1; number <= task.count; ++number) {
    task.before(number);
    // It keeps large bodies until they are written.
    const body = task.stamp(task.blank(), number);
    let taken;
    if (task.confirms) {
      ++unconfirmed;
      taken = channel.publish("", task.queue, body, {}, onConfirm);
      if (unconfirmed >= task.window) await room(task.window - 1);
    } else {
      taken = channel.publish("", task.queue, body);
    }
    if (!taken) await once(channel, "drain");
  }
  await room(0);
}

function consume(channel, task) {
  return new Promise((resolve) => {
    let number = 0;
    const onMessage = (message) => {
      task.before(++number);
      task.check(message.content, message.fields.deliveryTag, number);
      if (task.acks) channel.ack(message);
      if (number === task.count) resolve();
    };
    channel.consume(task.queue, onMessage, { noAck: !task.acks });
  });
}

const task = new Task(process.argv.slice(2));
const connection = await amqplib.connect(task.uri, { noDelay: true });
const channel = await (task.confirms
  ? connection.createConfirmChannel()
  : connection.createChannel());
await channel.prefetch(task.prefetch);
await (task.publishes ? publish(channel, task) : consume(channel, task));
// A round trip: what was written is then read.
await channel.prefetch(task.prefetch);
task.report();
await connection.close();
