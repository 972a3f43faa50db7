use haigha::{ConsumeOptions, Consumer, QueueOptions};
use std::time::Duration;

async fn work(mut consumer: Consumer) -> haigha::Result<()> {
    while let Some(delivery) = consumer.next().await {
        let delivery = delivery?;
        println!("received {}", String::from_utf8_lossy(delivery.body()));
        delivery.ack()?;
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let uri = std::env::args().nth(1);
    let connection = haigha::connect(uri.as_deref().unwrap_or("amqp://localhost")).await?;
    let channel = connection.channel().await?;
    let exclusive = QueueOptions { exclusive: true, ..QueueOptions::default() };
    let queue = channel.queue_declare("", &exclusive).await?.name;
    let consumer = channel.consume(&queue, &ConsumeOptions::default()).await?;
    let worker = tokio::spawn(work(consumer));
    tokio::time::timeout(Duration::from_secs(10), channel.publish("", &queue, "hello")).await??;
    connection.stop().await?; // what was received is settled, and the stream ends
    worker.await??;
    Ok(())
}
