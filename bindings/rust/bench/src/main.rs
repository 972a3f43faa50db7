//! The benchmark's work with haigha, as the drivers of tests/bench/peers have it.
//!
//! usage: haigha-bench [--prepared] URI WORK BYTES COUNT WARM WINDOW PREFETCH QUEUE
//! prints "CPU-US-PER-MESSAGE MESSAGES-PER-SECOND"

mod task;

use haigha::{Channel, ChannelOptions, Confirmation, ConsumeOptions, Consumer, PublishOptions};
use std::collections::VecDeque;
use task::{give_up, Task};

async fn publish(channel: &Channel, task: &mut Task) -> haigha::Result<()> {
    let publisher = channel.publisher("", &task.queue, &PublishOptions::default())?;
    let mut body = task.blank();
    let mut unconfirmed: VecDeque<Confirmation> = VecDeque::new();
    for number in 1..=task.count {
        task.before(number);
        task.stamp(&mut body, number);
        let confirmation =
            if task.prepared { publisher.publish(&body) } else { channel.publish("", &task.queue, &body) };
        if !task.confirms() {
            confirmation.await?;
            continue;
        }
        unconfirmed.push_back(confirmation);
        if unconfirmed.len() as u64 >= task.window {
            if let Some(oldest) = unconfirmed.pop_front() {
                oldest.await?;
            }
        }
    }
    for confirmation in unconfirmed {
        confirmation.await?;
    }
    Ok(())
}

// The consumer lives until the connection is closed: its end would cancel it, which the loopback peer
// does not know.
async fn consume(channel: &Channel, task: &mut Task) -> haigha::Result<Consumer> {
    let options = ConsumeOptions { no_ack: !task.acks(), ..ConsumeOptions::default() };
    let mut consumer = channel.consume(&task.queue, &options).await?;
    for number in 1..=task.count {
        task.before(number);
        let delivery = match consumer.next().await {
            Some(delivery) => delivery?,
            None => give_up("the consumer was cancelled"),
        };
        task.check(delivery.body(), delivery.delivery_tag(), number);
        if task.acks() {
            delivery.ack()?;
        }
    }
    Ok(consumer)
}

async fn run(mut task: Task) -> haigha::Result<()> {
    let connection = haigha::connect(&task.uri).await?;
    let options = ChannelOptions { confirm: task.confirms(), ..ChannelOptions::default() };
    let channel = connection.open_channel(&options).await?;
    channel.qos(task.prefetch).await?;
    let mut consumer = None;
    if task.publishes() {
        publish(&channel, &mut task).await?;
    } else {
        consumer = Some(consume(&channel, &mut task).await?);
    }
    // A round trip: what was written is then read.
    channel.qos(task.prefetch).await?;
    task.report();
    // Without closing anything: a process may end at any moment.
    std::mem::forget(consumer);
    std::process::exit(0)
}

fn main() {
    if let Err(error) = haigha::block_on(run(Task::parse())) {
        give_up(&error.to_string());
    }
}
