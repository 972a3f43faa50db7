use haigha::{ConsumeOptions, QueueOptions};

async fn hello(uri: &str) -> haigha::Result<()> {
    let connection = haigha::connect(uri).await?;
    let channel = connection.channel().await?;
    let exclusive = QueueOptions { exclusive: true, ..QueueOptions::default() };
    let queue = channel.queue_declare("", &exclusive).await?;
    channel.publish("", &queue.name, "hello").await?; // ends when the broker has confirmed it
    let mut consumer = channel.consume(&queue.name, &ConsumeOptions::default()).await?;
    if let Some(delivery) = consumer.next().await {
        let delivery = delivery?;
        println!("received {}", String::from_utf8_lossy(delivery.body()));
        delivery.ack()?;
    }
    connection.close().await
}

fn main() -> haigha::Result<()> {
    let uri = std::env::args().nth(1);
    haigha::block_on(hello(uri.as_deref().unwrap_or("amqp://localhost")))
}
