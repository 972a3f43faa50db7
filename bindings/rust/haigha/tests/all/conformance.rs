//! tests/conformance/behaviours.json, as this crate has them: against a stub broker, and where that has no
//! script against the real one as well.

use crate::json::Json;
use crate::site::Site;
use haigha::*;
use std::collections::{BTreeSet, VecDeque};
use std::future::Future;
use std::panic::{catch_unwind, AssertUnwindSafe};

pub fn document(name: &str) -> Json {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../tests/conformance/");
    Json::parse(&std::fs::read_to_string(format!("{folder}{name}")).unwrap())
}

struct Behaviour {
    site: Site,
    commands: Vec<String>,
}

impl std::ops::Deref for Behaviour {
    type Target = Site;
    fn deref(&self) -> &Site {
        &self.site
    }
}

impl Behaviour {
    fn of(name: &str, on_stub: bool) -> Behaviour {
        let all = document("behaviours.json");
        let found = all.at("behaviours").items().iter().find(|one| one.at("name").text() == name);
        let found = found.unwrap_or_else(|| panic!("there is no behaviour {name}"));
        let lines =
            |of: &str| found.at(of).items().iter().map(|line| line.text().to_owned()).collect::<Vec<_>>();
        let site = if on_stub { Site::stub(&lines("script")) } else { Site::broker() };
        Behaviour { site, commands: lines("commands") }
    }

    fn command(&self, nth: usize) {
        self.say(&self.commands[nth]);
    }
}

macro_rules! behaviours {
    ($($name:literal $function:ident $(, $broker:ident)?;)*) => {
        const NAMES: &[&str] = &[$($name),*];

        mod stub {
            $(#[test]
            fn $function() {
                haigha::block_on(super::$function(&super::Behaviour::of($name, true)));
            })*
        }

        mod broker {
            $($(#[test]
            fn $function() {
                let $broker = super::Behaviour::of($name, false);
                haigha::block_on(super::$function(&$broker));
            })?)*
        }
    };
}

behaviours! {
    "publish-confirmed" publish_confirmed, real;
    "publish-nacked" publish_nacked;
    "publish-returned" publish_returned, real;
    "publish-unknown" publish_unknown;
    "consume-and-ack" consume_and_ack, real;
    "prefetch" prefetch, real;
    "requeued" requeued, real;
    "cancel" cancel, real;
    "cancelled-by-broker" cancelled_by_broker, real;
    "not-found" not_found, real;
    "connection-closed" connection_closed;
    "broker-killed-while-waiting" broker_killed_while_waiting;
    "answer-in-time" answer_in_time;
    "late-answer" late_answer;
    "reconnect" reconnect;
    "bad-password" bad_password;
    "blocked" blocked;
    "bad-frame" bad_frame;
    "direct-reply" direct_reply, real;
    "exit-with-live-connection" exit_with_live_connection, real;
    "handler-fails" handler_fails, real;
    "hundred-thousand" hundred_thousand, real;
    "every-header" every_header, real;
    "large-body" large_body, real;
}

#[test]
fn every_behaviour_has_a_test() {
    let all = document("behaviours.json");
    let listed: BTreeSet<&str> =
        all.at("behaviours").items().iter().map(|one| one.at("name").text()).collect();
    assert_eq!(listed, NAMES.iter().copied().collect());
}

async fn next(consumer: &mut Consumer) -> Delivery {
    consumer.next().await.expect("a delivery").unwrap()
}

async fn consume(at: &Behaviour, channel: &Channel, no_ack: bool) -> Consumer {
    channel.consume(&at.queue, &ConsumeOptions { no_ack, ..ConsumeOptions::default() }).await.unwrap()
}

async fn publish_confirmed(at: &Behaviour) {
    let (_connection, channel) = at.open().await;
    channel.publish("", &at.queue, b"one").await.unwrap();
    assert_eq!(at.size(&channel).await, 1);
}

async fn publish_nacked(at: &Behaviour) {
    let (_connection, channel) = at.open().await;
    let one = channel.publish("", "q", b"one");
    let two = channel.publish("", "q", b"two");
    assert_eq!(one.await.unwrap_err().kind(), ErrorKind::Nacked);
    two.await.unwrap();
    assert_eq!(channel.get("q", true).await.unwrap().unwrap().body(), b"two");
    assert!(channel.get("q", true).await.unwrap().is_none());
}

async fn publish_returned(at: &Behaviour) {
    let (_connection, channel) = at.open().await;
    let mandatory = PublishOptions { mandatory: true, ..PublishOptions::default() };
    let error = channel.publish_with("", "nowhere", b"one", &mandatory).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Returned);
    assert_eq!((error.reply_code(), error.reply_text().as_str()), (312, "NO_ROUTE"));
}

async fn publish_unknown(at: &Behaviour) {
    let (_connection, channel) = at.open().await;
    let error = channel.publish("", "q", b"one").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutcomeUnknown);
}

async fn consume_and_ack(at: &Behaviour) {
    let (connection, channel) = at.open().await;
    let mut consumer = consume(at, &channel, false).await;
    for body in ["one", "two", "three"] {
        channel.publish("", &at.queue, body).await.unwrap();
    }
    for (number, body) in (1..).zip(["one", "two", "three"]) {
        let delivery = next(&mut consumer).await;
        assert_eq!((delivery.body(), delivery.delivery_tag()), (body.as_bytes(), number));
        assert!(!delivery.redelivered());
        delivery.ack().unwrap();
    }
    channel.close().await.unwrap();
    assert!(matches!(consumer.next().await, None | Some(Err(_))), "it ends with its channel");
    assert_eq!(at.size(&connection.channel().await.unwrap()).await, 0);
}

async fn prefetch(at: &Behaviour) {
    let (_connection, channel) = at.open().await;
    channel.qos(2).await.unwrap();
    for _ in 0..4 {
        channel.publish("", &at.queue, b"x").await.unwrap();
    }
    let mut consumer = consume(at, &channel, false).await;
    let first = next(&mut consumer).await;
    let _second = next(&mut consumer).await;
    // What the broker had sent would have come before the answer to this.
    at.size(&channel).await;
    assert!(is_pending(&mut consumer));
    first.ack().unwrap();
    next(&mut consumer).await;
    assert!(is_pending(&mut consumer));
}

/// Whether nothing has come.
fn is_pending(consumer: &mut Consumer) -> bool {
    struct Nobody;
    impl std::task::Wake for Nobody {
        fn wake(self: std::sync::Arc<Self>) {}
    }
    let waker = std::sync::Arc::new(Nobody).into();
    let mut next = Box::pin(consumer.next());
    next.as_mut().poll(&mut std::task::Context::from_waker(&waker)).is_pending()
}

async fn requeued(at: &Behaviour) {
    let (_connection, channel) = at.open().await;
    let mut consumer = consume(at, &channel, false).await;
    channel.publish("", &at.queue, b"x").await.unwrap();
    let first = next(&mut consumer).await;
    assert!(!first.redelivered());
    first.reject(true).unwrap();
    let second = next(&mut consumer).await;
    assert!(second.redelivered());
    second.ack().unwrap();
}

async fn cancel(at: &Behaviour) {
    let (_connection, channel) = at.open().await;
    let mut consumer = consume(at, &channel, false).await;
    consumer.cancel().await.unwrap();
    channel.publish("", &at.queue, b"x").await.unwrap();
    assert!(consumer.next().await.is_none());
    assert_eq!(at.size(&channel).await, 1);
}

async fn cancelled_by_broker(at: &Behaviour) {
    let (connection, channel) = at.open().await;
    let mut consumer = consume(at, &channel, false).await;
    if at.stub.is_some() {
        at.command(0);
    } else {
        let other = connection.channel().await.unwrap();
        other.queue_delete(&at.queue, false, false).await.unwrap();
    }
    let error = consumer.next().await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConsumerCancelled, "{error}");
    assert!(consumer.next().await.is_none());
    assert_eq!(channel.state(), State::Open);
}

async fn not_found(at: &Behaviour) {
    let (connection, second) = at.open().await;
    let first = connection.channel().await.unwrap();
    let passive = QueueOptions { passive: true, ..QueueOptions::default() };
    let error = first.queue_declare("nowhere", &passive).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ChannelClosedByBroker);
    assert_eq!((error.reply_code(), error.channel_id(), error.method()), (404, first.id(), "queue.declare"));
    assert!(error.reply_text().contains("NOT_FOUND"), "{error}");
    assert_eq!(first.state(), State::Closed);
    at.declare(&second).await;
}

async fn connection_closed(at: &Behaviour) {
    let connection = at.connect().await;
    let channel = connection.channel().await.unwrap();
    let error = channel.queue_declare("q", &QueueOptions::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionClosedByBroker);
    assert_eq!((error.reply_code(), error.reply_text().as_str()), (320, "CONNECTION_FORCED - by script"));
    assert_eq!(connection.state(), State::Closed);
    assert_eq!(connection.last_error().unwrap().reply_code(), 320);
}

async fn broker_killed_while_waiting(at: &Behaviour) {
    let options = at.options().with("rpc_timeout_ms", 3_600_000).unwrap();
    let connection = Connection::open(&options).await.unwrap();
    let channel = connection.channel().await.unwrap();
    let error = channel.queue_declare("q", &QueueOptions::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io, "{error}");
}

async fn answer_in_time(at: &Behaviour) {
    let connection = Connection::open(&at.options().with("rpc_timeout_ms", 1000).unwrap()).await.unwrap();
    let channel = connection.channel().await.unwrap();
    let error = channel.queue_declare("q", &QueueOptions::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
}

async fn late_answer(at: &Behaviour) {
    let connection = at.connect().await;
    let channel = connection.channel().await.unwrap();
    let declaring = channel.queue_declare("first", &QueueOptions::default());
    at.stub.as_ref().unwrap().wait("fired", 1);
    at.command(0);
    assert_eq!(declaring.await.unwrap().name, "first");
}

async fn reconnect(at: &Behaviour) {
    let options = at.options().with("recovery", 1).unwrap().with("recovery_delay_ms", 1).unwrap();
    let connection = Connection::open(&options).await.unwrap();
    let mut events = connection.events();
    let channel = connection.channel().await.unwrap();
    channel.queue_declare("q", &QueueOptions::default()).await.unwrap();
    let mut consumer = consume(at, &channel, true).await;
    at.command(0);
    let mut attempts = 0;
    loop {
        match events.next().await.expect("the connection goes on") {
            Event::RecoveryAttempt { .. } => attempts += 1,
            Event::Recovered => break,
            _ => {}
        }
    }
    assert!(attempts > 0);
    at.command(1);
    assert_eq!(next(&mut consumer).await.body(), b"found");
}

async fn bad_password(at: &Behaviour) {
    let error = haigha::connect(&at.uri).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Auth);
    assert!(error.to_string().contains("ACCESS_REFUSED"), "{error}");
    assert!(!format!("{error} {error:?}").contains("guest:guest"));
}

async fn blocked(at: &Behaviour) {
    let (connection, channel) = at.open().await;
    let mut events = connection.events();
    at.command(0);
    match events.next().await {
        Some(Event::Blocked { reason }) => assert_eq!(reason, "low on memory"),
        other => panic!("{other:?}"),
    }
    // It waits, and is published when it may.
    let waits = channel.publish("", "q", b"one");
    at.command(1);
    assert!(matches!(events.next().await, Some(Event::Unblocked)));
    waits.await.unwrap();
}

async fn bad_frame(at: &Behaviour) {
    let connection = at.connect().await;
    let channel = connection.channel().await.unwrap();
    let error = channel.queue_declare("q", &QueueOptions::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Protocol, "{error}");
    at.stub.as_ref().unwrap().wait("connection.close", 1);
}

async fn direct_reply(at: &Behaviour) {
    let (connection, serving) = at.open().await;
    let mut requests = consume(at, &serving, true).await;
    let calling = connection.channel().await.unwrap();
    let no_ack = ConsumeOptions { no_ack: true, ..ConsumeOptions::default() };
    let mut answers = calling.consume("amq.rabbitmq.reply-to", &no_ack).await.unwrap();
    let properties = Properties {
        reply_to: Some("amq.rabbitmq.reply-to".into()),
        correlation_id: Some("1".into()),
        ..Properties::default()
    };
    let options = PublishOptions { properties: Some(properties), ..PublishOptions::default() };
    calling.publish_with("", &at.queue, b"ping", &options).await.unwrap();

    let request = next(&mut requests).await;
    let asked = request.properties().unwrap();
    let properties = Properties { correlation_id: asked.correlation_id, ..Properties::default() };
    let options = PublishOptions { properties: Some(properties), ..PublishOptions::default() };
    serving.publish_with("", &asked.reply_to.unwrap(), request.body(), &options).await.unwrap();

    let answer = next(&mut answers).await;
    assert_eq!(answer.body(), b"ping");
    assert_eq!(answer.properties().unwrap().correlation_id.as_deref(), Some("1"));
}

async fn exit_with_live_connection(at: &Behaviour) {
    // This program again, as crate::child does it.
    let mut child = std::process::Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "child::leaves_with_a_live_connection"]);
    child.env(crate::child::URI, &at.uri).stdout(std::process::Stdio::null());
    let status = status_of(&mut child);
    assert_eq!(status, Some(7));
}

fn status_of(child: &mut std::process::Command) -> Option<i32> {
    child.status().unwrap().code()
}

async fn handler_fails(at: &Behaviour) {
    let (_connection, channel) = at.open().await;
    let mut consumer = consume(at, &channel, false).await;
    channel.publish("", &at.queue, b"one").await.unwrap();
    channel.publish("", &at.queue, b"two").await.unwrap();
    let failed = catch_unwind(AssertUnwindSafe(|| {
        block_on(async {
            let delivery = next(&mut consumer).await;
            assert_eq!(delivery.body(), b"two", "a handler that panics");
        })
    }));
    assert!(failed.is_err());
    assert_eq!(next(&mut consumer).await.body(), b"two");
}

/// The number, and the same number another way.
fn numbered(number: u64) -> String {
    format!("{number} {}", number.wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

async fn hundred_thousand(at: &Behaviour) {
    const COUNT: u64 = 100_000;
    let (_connection, channel) = at.open().await;
    let publisher = channel.publisher("", &at.queue, &PublishOptions::default()).unwrap();
    let mut window = VecDeque::new();
    for number in 0..COUNT {
        window.push_back(publisher.publish(numbered(number).as_str()));
        if window.len() == 1000 {
            window.pop_front().unwrap().await.unwrap();
        }
    }
    for publishing in window {
        publishing.await.unwrap();
    }
    let mut consumer = consume(at, &channel, false).await;
    for number in 0..COUNT {
        let delivery = next(&mut consumer).await;
        assert_eq!(delivery.body(), numbered(number).as_bytes());
        delivery.ack().unwrap();
    }
    channel.qos(1).await.unwrap();
    assert_eq!(at.size(&channel).await, 0);
}

fn value_of(field: &Json) -> Value {
    let value = field.at("value");
    let table = |value: &Json| {
        value.items().iter().map(|field| (field.at("name").text(), value_of(field))).collect::<Table>()
    };
    match field.at("type").text() {
        "t" => Value::Bool(*value == Json::Bool(true)),
        "b" => Value::Int8(value.number()),
        "B" => Value::UInt8(value.number()),
        "s" => Value::Int16(value.number()),
        "u" => Value::UInt16(value.number()),
        "I" => Value::Int32(value.number()),
        "i" => Value::UInt32(value.number()),
        "l" => Value::Int64(value.number()),
        "f" => Value::Float(value.number()),
        "d" => Value::Double(value.number()),
        "D" => Value::Decimal { unscaled: value.at("unscaled").number(), scale: value.at("scale").number() },
        "S" => Value::from(value.text()),
        "x" => {
            let hex = value.at("hex").text();
            let octet = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
            Value::Bytes((0..hex.len()).step_by(2).map(octet).collect())
        }
        "T" => Value::Timestamp(value.number()),
        "A" => Value::Array(value.items().iter().map(value_of).collect()),
        "F" => Value::Table(table(value)),
        "V" => Value::Void,
        other => panic!("there is no type {other}"),
    }
}

async fn every_header(at: &Behaviour) {
    let vectors = document("headers.json");
    let vector =
        vectors.at("valid").items().iter().find(|one| one.at("name").text() == "headers of every type");
    let fields = vector.unwrap().at("properties").items()[0].at("value").clone();
    let headers: Table =
        fields.items().iter().map(|field| (field.at("name").text(), value_of(field))).collect();
    assert!(headers.len() > 15);
    let (_connection, channel) = at.open().await;
    let properties = Properties { headers: Some(headers.clone()), ..Properties::default() };
    let options = PublishOptions { properties: Some(properties.clone()), ..PublishOptions::default() };
    channel.publish_with("", &at.queue, b"x", &options).await.unwrap();
    let message = channel.get(&at.queue, true).await.unwrap().unwrap();
    // RabbitMQ 4 has an order of its own.
    let by_name = |table: &Table| -> std::collections::BTreeMap<String, Value> {
        table.iter().map(|(name, value)| (name.to_owned(), value.clone())).collect()
    };
    assert_eq!(by_name(&message.headers().unwrap()), by_name(&headers));
    let received = message.properties().unwrap();
    assert_eq!(Properties { headers: properties.headers.clone(), ..received }, properties);
}

async fn large_body(at: &Behaviour) {
    let (_connection, channel) = at.open().await;
    let mut body = String::new();
    for number in 0.. {
        body += &numbered(number);
        if body.len() >= 1024 * 1024 {
            break;
        }
    }
    // Copied, and lent.
    channel.publish("", &at.queue, body.as_str()).await.unwrap();
    channel.publish("", &at.queue, body.clone()).await.unwrap();
    for _ in 0..2 {
        let got = channel.get(&at.queue, true).await.unwrap().unwrap();
        assert!(got.body() == body.as_bytes());
    }
}
