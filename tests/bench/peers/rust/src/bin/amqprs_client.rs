//! The benchmark's work with amqprs.
//!
//! usage: amqprs_client URI WORK BYTES COUNT WARM WINDOW PREFETCH QUEUE
//! prints "CPU-US-PER-MESSAGE MESSAGES-PER-SECOND"

use amqprs::callbacks::ChannelCallback;
use amqprs::channel::{
    BasicAckArguments, BasicConsumeArguments, BasicPublishArguments, BasicQosArguments, Channel,
    ConfirmSelectArguments,
};
use amqprs::connection::{Connection, OpenConnectionArguments};
use amqprs::{Ack, BasicProperties, Cancel, CloseChannel, Nack, Return};
use async_trait::async_trait;
use haigha_bench_peers::{give_up, Task};
use tokio::sync::watch;

type Result<T> = std::result::Result<T, amqprs::error::Error>;

/// Tells how many publishes are confirmed.
struct Confirms(watch::Sender<u64>);

#[async_trait]
impl ChannelCallback for Confirms {
    async fn close(&mut self, _: &Channel, _: CloseChannel) -> Result<()> {
        give_up("the channel was closed")
    }
    async fn cancel(&mut self, _: &Channel, _: Cancel) -> Result<()> {
        give_up("the consumer was cancelled")
    }
    async fn flow(&mut self, _: &Channel, _: bool) -> Result<bool> {
        Ok(true)
    }
    async fn publish_ack(&mut self, _: &Channel, ack: Ack) {
        self.0.send_modify(|confirmed| {
            *confirmed = if ack.mutiple() {
                ack.delivery_tag()
            } else {
                *confirmed + 1
            };
        });
    }
    async fn publish_nack(&mut self, _: &Channel, _: Nack) {
        give_up("no confirm")
    }
    async fn publish_return(&mut self, _: &Channel, _: Return, _: BasicProperties, _: Vec<u8>) {
        give_up("a publish came back")
    }
}

async fn publish(
    channel: &Channel,
    task: &mut Task,
    mut confirmed: watch::Receiver<u64>,
) -> Result<()> {
    if task.confirms() {
        channel
            .confirm_select(ConfirmSelectArguments::default())
            .await?;
    }
    let arguments = BasicPublishArguments::new("", &task.queue);
    for number in 1..=task.count {
        task.before(number);
        let mut body = task.blank();
        task.stamp(&mut body, number);
        channel
            .basic_publish(BasicProperties::default(), body, arguments.clone())
            .await?;
        if task.confirms() && number - *confirmed.borrow() >= task.window {
            let window = task.window;
            let room = |confirmed: &u64| number - confirmed < window;
            let _ = confirmed.wait_for(room).await;
        }
    }
    if task.confirms() {
        let count = task.count;
        let _ = confirmed.wait_for(|confirmed| *confirmed == count).await;
    }
    Ok(())
}

async fn consume(channel: &Channel, task: &mut Task) -> Result<()> {
    let mut arguments = BasicConsumeArguments::new(&task.queue, "");
    arguments.manual_ack(task.acks());
    let (_, mut deliveries) = channel.basic_consume_rx(arguments).await?;
    for number in 1..=task.count {
        task.before(number);
        let Some(delivery) = deliveries.recv().await else {
            give_up("the consumer was cancelled");
        };
        let (Some(deliver), Some(body)) = (delivery.deliver, delivery.content) else {
            give_up("a delivery without content");
        };
        task.check(&body, deliver.delivery_tag(), number);
        if task.acks() {
            channel
                .basic_ack(BasicAckArguments::new(number, false))
                .await?;
        }
    }
    Ok(())
}

async fn run(mut task: Task) -> Result<()> {
    let arguments = OpenConnectionArguments::try_from(task.uri.as_str())?;
    let connection = Connection::open(&arguments).await?;
    let channel = connection.open_channel(None).await?;
    let (sender, confirmed) = watch::channel(0);
    channel.register_callback(Confirms(sender)).await?;
    let qos = BasicQosArguments::new(0, task.prefetch, false);
    channel.basic_qos(qos.clone()).await?;
    if task.publishes() {
        publish(&channel, &mut task, confirmed).await?;
    } else {
        consume(&channel, &mut task).await?;
    }
    // A round trip: what was written is then read.
    channel.basic_qos(qos).await?;
    task.report();
    connection.close().await
}

// On one thread it costs less than on several.
#[tokio::main(flavor = "current_thread")]
async fn main() {
    if let Err(error) = run(Task::parse()).await {
        give_up(&error.to_string());
    }
}
