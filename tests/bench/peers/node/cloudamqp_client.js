// The benchmark's work with @cloudamqp/amqp-client.
//
// usage: cloudamqp_client.js URI WORK BYTES COUNT WARM WINDOW PREFETCH QUEUE
// prints "CPU-US-PER-MESSAGE MESSAGES-PER-SECOND"
import { AMQPClient } from "@cloudamqp/amqp-client";

import { Task } from "./peer_task.js";

// Without confirms a publish is settled when the socket has taken it.
async function publish(channel, task) {
  let unsettled = 0;
  let onRoom = null;
  const onSettled = () => {
    --unsettled;
    if (onRoom !== null) onRoom();
  };
  const room = async (limit) => {
    while (unsettled > limit) await new Promise((resolve) => (onRoom = resolve));
    onRoom = null;
  };
  const body = task.blank();
  for (let number = 1; number <= task.count; ++number) {
    task.before(number);
    ++unsettled;
    channel.basicPublish("", task.queue, task.stamp(body, number)).then(onSettled);
    if (unsettled >= task.window) await room(task.window - 1);
  }
  await room(0);
}

function consume(channel, task) {
  return new Promise((resolve, reject) => {
    let number = 0;
    const onMessage = (message) => {
      task.before(++number);
      task.check(message.body, message.deliveryTag, number);
      if (task.acks) channel.basicAck(number).catch(reject);
      if (number === task.count) resolve();
    };
    channel.basicConsume(task.queue, { noAck: !task.acks }, onMessage).catch(reject);
  });
}

const task = new Task(process.argv.slice(2));
const uri = new URL(task.uri);
// Of its own accord it takes frames of 8 KiB, and buffers of that size.
if (task.size > 4096) uri.searchParams.set("frameMax", "131072");
const client = new AMQPClient(uri.href);
const connection = await client.connect();
client.socket.setNoDelay(true);
const channel = await connection.channel();
await channel.basicQos(task.prefetch);
if (task.confirms) await channel.confirmSelect();
await (task.publishes ? publish(channel, task) : consume(channel, task));
// A round trip: what was written is then read.
await channel.basicQos(task.prefetch);
task.report();
await connection.close();
