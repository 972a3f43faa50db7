//! The benchmark's work with lapin.
//!
//! usage: lapin_client URI WORK BYTES COUNT WARM WINDOW PREFETCH QUEUE
//! prints "CPU-US-PER-MESSAGE MESSAGES-PER-SECOND"

use futures_lite::StreamExt;
use haigha_bench_peers::{give_up, Task};
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions,
    ConfirmSelectOptions,
};
use lapin::types::FieldTable;
use lapin::{
    BasicProperties, Channel, Connection, ConnectionProperties, Consumer, PublisherConfirm, Result,
};
use std::collections::VecDeque;

async fn settled(confirm: PublisherConfirm) -> Result<()> {
    if !confirm.await?.is_ack() {
        give_up("no confirm");
    }
    Ok(())
}

async fn publish(channel: &Channel, task: &mut Task) -> Result<()> {
    if task.confirms() {
        channel
            .confirm_select(ConfirmSelectOptions::default())
            .await?;
    }
    let mut body = task.blank();
    let mut unconfirmed = VecDeque::new();
    for number in 1..=task.count {
        task.before(number);
        task.stamp(&mut body, number);
        let confirm = channel
            .basic_publish(
                "".into(),
                task.queue.as_str().into(),
                BasicPublishOptions::default(),
                &body,
                BasicProperties::default(),
            )
            .await?;
        if task.confirms() {
            unconfirmed.push_back(confirm);
            if unconfirmed.len() as u64 >= task.window {
                settled(unconfirmed.pop_front().expect("an unconfirmed one")).await?;
            }
        }
    }
    for confirm in unconfirmed {
        settled(confirm).await?;
    }
    Ok(())
}

// The consumer lives until the connection is closed: its end would cancel it, which the loopback peer
// does not know.
async fn consume(channel: &Channel, task: &mut Task) -> Result<Consumer> {
    let options = BasicConsumeOptions {
        no_ack: !task.acks(),
        ..BasicConsumeOptions::default()
    };
    let queue = task.queue.as_str().into();
    let mut consumer = channel
        .basic_consume(queue, "".into(), options, FieldTable::default())
        .await?;
    for number in 1..=task.count {
        task.before(number);
        let Some(delivery) = consumer.next().await else {
            give_up("the consumer was cancelled");
        };
        let delivery = delivery?;
        task.check(&delivery.data, delivery.delivery_tag, number);
        if task.acks() {
            delivery.ack(BasicAckOptions::default()).await?;
        }
    }
    Ok(consumer)
}

async fn run(mut task: Task) -> Result<()> {
    let connection = Connection::connect(&task.uri, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    let prefetch = task.prefetch;
    let qos = || channel.basic_qos(prefetch, BasicQosOptions::default());
    qos().await?;
    let mut _consumer = None;
    if task.publishes() {
        publish(&channel, &mut task).await?;
    } else {
        _consumer = Some(consume(&channel, &mut task).await?);
    }
    // A round trip: what was written is then read.
    qos().await?;
    task.report();
    connection.close(200, "".into()).await
}

// On one thread it costs less than on several.
#[tokio::main(flavor = "current_thread")]
async fn main() {
    if let Err(error) = run(Task::parse()).await {
        give_up(&error.to_string());
    }
}
