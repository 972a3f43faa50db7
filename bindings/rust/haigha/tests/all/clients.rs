//! What this crate has beyond the conformance behaviours.

use crate::site::Site;
use haigha::*;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::Arc;
use std::time::Duration;

fn is_send<T: Send>() {}
fn is_sync<T: Sync>() {}
fn is_unpin<T: Unpin>() {}

#[test]
fn everything_may_go_to_other_threads() {
    is_send::<Connection>();
    is_sync::<Connection>();
    is_send::<Channel>();
    is_sync::<Channel>();
    is_send::<Consumer>();
    is_sync::<Consumer>();
    is_unpin::<Consumer>();
    is_send::<Delivery>();
    is_sync::<Delivery>();
    is_send::<Message>();
    is_sync::<Message>();
    is_send::<Publisher>();
    is_sync::<Publisher>();
    is_send::<ChannelPool>();
    is_sync::<ChannelPool>();
    is_send::<Confirmation>();
    is_send::<Operation<Consumer>>();
    is_send::<Events>();
    is_send::<Error>();
    is_sync::<Error>();
    is_send::<EventLoop>();
    is_send::<Options>();
}

#[test]
fn a_wrong_option_is_refused_by_name() {
    let error = Options::new().unwrap().with("heartbeets", 1).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Argument);
    assert!(error.to_string().contains("heartbeets"), "{error}");
    let error = block_on(connect("amqp://localhost?heartbeat=no")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Argument);
    assert!(describe_options().iter().any(|option| option.name == "heartbeat" && !option.is_text));
}

#[test]
fn nobody_listens_is_an_error_with_a_stage() {
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let error = block_on(connect(&format!("amqp://127.0.0.1:{port}"))).unwrap_err();
    assert_eq!((error.kind(), error.stage()), (ErrorKind::Io, "connect"));
    assert_eq!(error.host(), format!("127.0.0.1:{port}"));
    assert_ne!(error.os_errno(), 0);
}

#[test]
fn handles_are_dropped_in_any_order() {
    let site = Site::stub(&[]);
    for order in 0..4 {
        block_on(async {
            let (connection, channel) = site.open().await;
            let mut consumer = channel.consume("q", &ConsumeOptions::default()).await.unwrap();
            channel.publish("", "q", b"x").await.unwrap();
            let delivery = consumer.next().await.unwrap().unwrap();
            match order {
                0 => drop((connection, channel, consumer)),
                1 => drop((consumer, channel, connection)),
                2 => {
                    drop((channel, connection));
                    delivery.ack().unwrap();
                    drop(consumer);
                }
                _ => {
                    connection.close().await.unwrap();
                    assert_eq!(delivery.ack().unwrap_err().kind(), ErrorKind::Closed);
                }
            }
            assert_eq!(delivery.body(), b"x");
            // On another thread, as the last of all.
            std::thread::spawn(move || drop(delivery)).join().unwrap();
        });
    }
    site.stub.as_ref().unwrap().wait("disconnect", 4);
}

#[test]
fn futures_may_be_dropped() {
    let site = Site::stub(&["on queue.declare#2 hold".to_owned()]);
    block_on(async {
        let (_connection, channel) = site.open().await;
        channel.publish("", "q", b"one").await.unwrap();
        drop(channel.publish("", "q", b"two"));
        drop(channel.queue_declare("held", &QueueOptions::default()));
        // Their answers come to nobody; what was got goes back.
        drop(channel.get("q", false));
        drop(channel.consume("q", &ConsumeOptions { exclusive: true, ..ConsumeOptions::default() }));
        site.stub.as_ref().unwrap().wait("fired", 1);
        site.say("go");
        channel.qos(10).await.unwrap();
        let mut bodies = Vec::new();
        while bodies.len() < 2 {
            if let Some(delivery) = channel.get("q", false).await.unwrap() {
                bodies.push(delivery.body().to_vec());
                delivery.ack().unwrap();
            }
        }
        bodies.sort();
        assert_eq!(bodies, [b"one", b"two"]);
    });
}

#[test]
fn what_a_dropped_consumer_had_goes_back() {
    let site = Site::broker();
    block_on(async {
        let (_connection, channel) = site.open().await;
        for number in 0..50u8 {
            channel.publish("", &site.queue, &[number]).await.unwrap();
        }
        let mut consumer = channel.consume(&site.queue, &ConsumeOptions::default()).await.unwrap();
        consumer.next().await.unwrap().unwrap().ack().unwrap();
        drop(consumer);
        let mut second = channel.consume(&site.queue, &ConsumeOptions::default()).await.unwrap();
        let mut came = std::collections::BTreeSet::new();
        while came.len() < 49 {
            let delivery = second.next().await.unwrap().unwrap();
            came.insert(delivery.body()[0]);
            delivery.ack().unwrap();
        }
        assert_eq!(came, (1..50).collect());
    });
}

/// Bytes that tell when they are dropped, by a panic if they are to.
struct Told {
    bytes: Vec<u8>,
    dropped: Arc<AtomicUsize>,
    panics: bool,
}

impl AsRef<[u8]> for Told {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        self.dropped.fetch_add(1, Ordering::SeqCst);
        if self.panics {
            panic!("what was lent panics when it is dropped");
        }
    }
}

#[test]
fn what_is_lent_is_dropped_once() {
    let site = Site::stub(&[]);
    let dropped = Arc::new(AtomicUsize::new(0));
    block_on(async {
        let (connection, channel) = site.open().await;
        for panics in [false, true] {
            let bytes = vec![7; 100_000];
            let lent = Told { bytes, dropped: Arc::clone(&dropped), panics };
            channel.publish("", "q", Body::lent(lent)).await.unwrap();
            let got = channel.get("q", true).await.unwrap().unwrap();
            assert!(got.body().len() == 100_000 && got.body().iter().all(|octet| *octet == 7));
        }
        // Small ones are copied, and dropped here.
        let small = Told { bytes: vec![7], dropped: Arc::clone(&dropped), panics: false };
        let confirmation = channel.publish("", "q", Body::lent(small));
        assert_eq!(dropped.load(Ordering::SeqCst), 3);
        confirmation.await.unwrap();
        // And one that is refused.
        connection.close().await.unwrap();
        let refused = Told { bytes: vec![7; 100_000], dropped: Arc::clone(&dropped), panics: false };
        let error = channel.publish("", "q", Body::lent(refused)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Closed);
        assert_eq!(dropped.load(Ordering::SeqCst), 4);
    });
}

#[test]
fn a_waker_that_panics_does_no_harm() {
    struct Bad(AtomicBool);
    impl std::task::Wake for Bad {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::SeqCst);
            panic!("a waker that panics");
        }
    }
    let site = Site::stub(&["on queue.declare#1 hold".to_owned()]);
    block_on(async {
        let connection = site.connect().await;
        let channel = connection.channel().await.unwrap();
        let mut declaring = Box::pin(channel.queue_declare("q", &QueueOptions::default()));
        let bad = Arc::new(Bad(AtomicBool::new(false)));
        let waker = Arc::clone(&bad).into();
        let mut context = std::task::Context::from_waker(&waker);
        assert!(std::future::Future::poll(declaring.as_mut(), &mut context).is_pending());
        site.stub.as_ref().unwrap().wait("fired", 1);
        site.say("go");
        // Answers come in their order.
        channel.qos(1).await.unwrap();
        assert!(bad.0.load(Ordering::SeqCst));
        declaring.await.unwrap();
    });
}

#[test]
fn publishes_wait_in_order_while_the_broker_blocks() {
    let site = Site::stub(&[]);
    block_on(async {
        let (connection, channel) = site.open().await;
        let mut events = connection.events();
        site.say("block full");
        assert!(matches!(events.next().await, Some(Event::Blocked { .. })));
        let publisher = channel.publisher("", "q", &PublishOptions::default()).unwrap();
        let first = channel.publish("", "q", b"0");
        let second = publisher.publish(b"1");
        let third = channel.publish("", "q", vec![b'2'; 20_000]);
        assert_eq!(site.size(&channel).await, 0);
        site.say("unblock");
        third.await.unwrap();
        first.await.unwrap();
        second.await.unwrap();
        for octet in b"012" {
            assert_eq!(channel.get("q", true).await.unwrap().unwrap().body()[0], *octet);
        }
        // What waits when the connection ends was not sent.
        site.say("block full");
        while !matches!(events.next().await, Some(Event::Blocked { .. })) {}
        let waits = channel.publish("", "q", b"x");
        connection.close().await.unwrap();
        assert_eq!(waits.await.unwrap_err().kind(), ErrorKind::NotSent);
    });
}

#[test]
fn a_channel_bounds_what_is_in_flight() {
    let site = Site::broker();
    block_on(async {
        let connection = site.connect().await;
        let options = ChannelOptions { max_in_flight: 4, ..ChannelOptions::default() };
        let channel = connection.open_channel(&options).await.unwrap();
        site.declare(&channel).await;
        let all: Vec<_> = (0..1000u32).map(|n| channel.publish("", &site.queue, &n.to_le_bytes())).collect();
        for one in all {
            one.await.unwrap();
        }
        let mut consumer = channel.consume(&site.queue, &ConsumeOptions::default()).await.unwrap();
        for n in 0..1000u32 {
            let delivery = consumer.next().await.unwrap().unwrap();
            assert_eq!(delivery.body(), n.to_le_bytes());
            delivery.ack().unwrap();
        }
    });
}

#[test]
fn several_are_settled_at_once() {
    let site = Site::broker();
    block_on(async {
        let (_connection, channel) = site.open().await;
        for octet in b"abcde" {
            channel.publish("", &site.queue, &[*octet]).await.unwrap();
        }
        let mut consumer = channel.consume(&site.queue, &ConsumeOptions::default()).await.unwrap();
        let mut taken = Vec::new();
        while taken.len() < 5 {
            taken.push(consumer.next().await.unwrap().unwrap());
        }
        taken[1].ack_multiple().unwrap();
        taken[3].nack_multiple(true).unwrap();
        assert_eq!(taken[2].ack().unwrap_err().kind(), ErrorKind::Argument);
        for body in [b"c", b"d"] {
            let again = consumer.next().await.unwrap().unwrap();
            assert!(again.redelivered() && again.body() == body);
            again.nack_multiple(false).unwrap();
        }
        consumer.cancel().await.unwrap();
        assert_eq!(site.size(&channel).await, 0);
    });
}

#[test]
fn exchanges_bindings_and_queues() {
    let site = Site::broker();
    block_on(async {
        let (_connection, channel) = site.open().await;
        let (one, two) = (format!("{}-one", site.queue), format!("{}-two", site.queue));
        let options = ExchangeOptions { auto_delete: true, ..ExchangeOptions::default() };
        channel.exchange_declare(&one, "topic", &options).await.unwrap();
        channel.exchange_declare(&two, "fanout", &options).await.unwrap();
        channel.exchange_bind(&two, &one, "a.#", &Table::new()).await.unwrap();
        channel.queue_bind(&site.queue, &two, "", &Table::new()).await.unwrap();
        channel.publish(&one, "a.b", b"1").await.unwrap();
        channel.publish(&one, "b.a", b"2").await.unwrap();
        assert_eq!(site.size(&channel).await, 1);
        let got = channel.get(&site.queue, true).await.unwrap().unwrap();
        assert_eq!((&*got.exchange(), &*got.routing_key(), got.body()), (&*one, "a.b", &b"1"[..]));
        channel.exchange_unbind(&two, &one, "a.#", &Table::new()).await.unwrap();
        channel.publish("", &site.queue, b"3").await.unwrap();
        assert_eq!(channel.queue_purge(&site.queue).await.unwrap(), 1);
        channel.queue_unbind(&site.queue, &two, "", &Table::new()).await.unwrap();
        assert_eq!(channel.queue_delete(&site.queue, false, false).await.unwrap(), 0);
        let bounded = QueueOptions {
            exclusive: true,
            arguments: Table::new().with("x-max-length", 1).with("x-overflow", "reject-publish"),
            ..QueueOptions::default()
        };
        let queue = channel.queue_declare("", &bounded).await.unwrap().name;
        channel.publish("", &queue, b"fits").await.unwrap();
        assert_eq!(channel.publish("", &queue, b"no").await.unwrap_err().kind(), ErrorKind::Nacked);
        let again = channel.exchange_declare(&one, "direct", &options).await;
        assert!(again.is_ok() || again.unwrap_err().reply_code() == 406);
    });
}

#[test]
fn transactions() {
    let site = Site::broker();
    block_on(async {
        let connection = site.connect().await;
        let options = ChannelOptions { confirm: false, ..ChannelOptions::default() };
        let channel = connection.open_channel(&options).await.unwrap();
        site.declare(&channel).await;
        channel.tx_select().await.unwrap();
        channel.publish("", &site.queue, b"undone").await.unwrap();
        channel.tx_rollback().await.unwrap();
        channel.publish("", &site.queue, b"done").await.unwrap();
        channel.tx_commit().await.unwrap();
        assert_eq!(site.size(&channel).await, 1);
        assert_eq!(channel.get(&site.queue, true).await.unwrap().unwrap().body(), b"done");
    });
}

#[test]
fn a_pool_answers_for_every_message() {
    let site = Site::broker();
    block_on(async {
        let (connection, channel) = site.open().await;
        let pool = connection.pool(&PoolOptions { max_channels: 3, ..PoolOptions::default() }).unwrap();
        let options = PublishOptions { mandatory: true, ..PublishOptions::default() };
        let all: Vec<_> = (0..500).map(|_| pool.publish("", &site.queue, b"x", &options)).collect();
        for one in all {
            one.await.unwrap();
        }
        let returned = pool.publish("", "nowhere", b"x", &options).await.unwrap_err();
        assert_eq!((returned.kind(), returned.reply_code()), (ErrorKind::Returned, 312));
        let refused = pool.publish("no-such-exchange", "", b"x", &options).await.unwrap_err();
        assert_eq!((refused.kind(), refused.reply_code()), (ErrorKind::Refused, 404));
        pool.drain().await.unwrap();
        assert_eq!(pool.info("confirmed").unwrap(), 500);
        assert_eq!(site.size(&channel).await, 500);
        pool.close().await.unwrap();
        let late = pool.publish("", &site.queue, b"x", &options).await.unwrap_err();
        assert_eq!(late.kind(), ErrorKind::Closed);
    });
}

#[test]
fn deliveries_of_before_a_recovery_are_stale() {
    let site = Site::stub(&[]);
    block_on(async {
        let options = site.options().with("recovery", true).unwrap().with("recovery_delay_ms", 1).unwrap();
        let connection = Connection::open(&options).await.unwrap();
        let channel = connection.channel().await.unwrap();
        channel.queue_declare("q", &QueueOptions { durable: true, ..QueueOptions::default() }).await.unwrap();
        let mut consumer = channel.consume("q", &ConsumeOptions::default()).await.unwrap();
        channel.publish("", "q", b"x").await.unwrap();
        let before = consumer.next().await.unwrap().unwrap();
        let mut events = connection.events();
        site.say("reset");
        while !matches!(events.next().await, Some(Event::Recovered)) {}
        assert_eq!(before.ack().unwrap_err().kind(), ErrorKind::Stale);
        assert_eq!(connection.info("recoveries").unwrap(), 1);
    });
}

/// Also when the broker cannot be asked for its end.
#[test]
fn a_consumer_that_is_dropped_while_it_recovers_is_cancelled() {
    for no_ack in [false, true] {
        let site = Site::stub(&[]);
        block_on(async {
            let options =
                site.options().with("recovery", true).unwrap().with("recovery_delay_ms", 1).unwrap();
            let connection = Connection::open(&options).await.unwrap();
            let channel = connection.channel().await.unwrap();
            let durable = QueueOptions { durable: true, ..QueueOptions::default() };
            channel.queue_declare("q", &durable).await.unwrap();
            let wanted = ConsumeOptions { no_ack, ..ConsumeOptions::default() };
            let consumer = channel.consume("q", &wanted).await.unwrap();
            let mut events = connection.events();
            site.say("stall accept");
            site.say("reset");
            while connection.state() != State::Recovering {
                events.next().await.unwrap();
            }
            drop(consumer);
            site.say("stall none");
            while !matches!(events.next().await, Some(Event::Recovered)) {}
            channel.publish("", "q", b"x").await.unwrap();
            let passive = QueueOptions { passive: true, ..QueueOptions::default() };
            let left = channel.queue_declare("q", &passive).await.unwrap();
            assert_eq!(left.consumer_count, 0);
            if !no_ack {
                // What came before the cancel goes back.
                while site.size(&channel).await != 1 {}
            }
            assert_eq!(site.stub.as_ref().unwrap().say("violations"), "0");
        });
    }
}

#[test]
fn connections_share_an_event_loop() {
    let site = Site::broker();
    block_on(async {
        let event_loop = EventLoop::start().unwrap();
        let first = event_loop.connect(&site.options()).await.unwrap();
        let second = event_loop.connect(&site.options()).await.unwrap();
        drop(event_loop);
        let product = first.server_properties().unwrap();
        assert_eq!(product.get("product").and_then(Value::as_str), Some("RabbitMQ"));
        assert_eq!(first.peer_info().unwrap().get("transport").and_then(Value::as_str), Some("tcp"));
        drop(first);
        let channel = second.channel().await.unwrap();
        site.declare(&channel).await;
        second.flush().await.unwrap();
        let stopped = second.stop().await.unwrap();
        assert_eq!((stopped.unconfirmed, stopped.unsettled, stopped.unwritten_bytes), (0, 0, 0));
        assert_eq!(second.state(), State::Closed);
    });
}

#[test]
fn a_consumer_is_paused_and_resumed() {
    let site = Site::broker();
    block_on(async {
        let (_connection, channel) = site.open().await;
        let mut consumer = channel.consume(&site.queue, &ConsumeOptions::default()).await.unwrap();
        consumer.pause().await.unwrap();
        channel.publish("", &site.queue, b"x").await.unwrap();
        assert_eq!(site.size(&channel).await, 1);
        consumer.resume().await.unwrap();
        consumer.next().await.unwrap().unwrap().ack().unwrap();
    });
}

#[test]
fn many_tasks_share_a_channel() {
    let site = Site::broker();
    let (connection, channel) = block_on(site.open());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let (channel, queue) = (channel.clone(), site.queue.clone());
            scope.spawn(move || {
                block_on(async {
                    for _ in 0..500 {
                        channel.publish("", &queue, b"x").await.unwrap();
                    }
                })
            });
        }
    });
    assert_eq!(block_on(site.size(&channel)), 2000);
    block_on(connection.close()).unwrap();
}

#[test]
fn a_task_that_panics_leaves_the_connection_alone() {
    let site = Site::broker();
    let (_connection, channel) = block_on(site.open());
    let task = || {
        block_on(async {
            let _consumer = channel.consume(&site.queue, &ConsumeOptions::default()).await.unwrap();
            let _publishing = channel.publish("", &site.queue, b"x");
            panic!("a task that panics");
        })
    };
    assert!(catch_unwind(AssertUnwindSafe(task)).is_err());
    block_on(async {
        let deadline = std::time::Instant::now() + Duration::from_secs(60);
        while channel.get(&site.queue, true).await.unwrap().is_none() {
            assert!(std::time::Instant::now() < deadline, "the message comes back");
        }
    });
}

/// A waker that keeps something, which goes with its last reference.
struct Keeps<T>(T);

impl<T: Send + Sync + 'static> std::task::Wake for Keeps<T> {
    fn wake(self: Arc<Self>) {}
}

fn poll_with<F: std::future::Future + Unpin>(
    future: &mut F,
    waker: Arc<impl std::task::Wake + Send + Sync + 'static>,
) {
    let waker = waker.into();
    let mut context = std::task::Context::from_waker(&waker);
    assert!(std::pin::Pin::new(future).poll(&mut context).is_pending());
}

#[test]
fn a_waker_may_be_the_last_to_hold_another_future() {
    let script = ["on basic.publish#1 hold".to_owned(), "on queue.declare#2 hold".to_owned()];
    let site = Site::stub(&script);
    block_on(async {
        let (connection, channel) = site.open().await;
        let mut first = channel.publish("", "q", b"1");
        let other = channel.publish("", "q", b"2");
        // What is replaced drops a future of the same channel.
        poll_with(&mut first, Arc::new(Keeps(std::sync::Mutex::new(other))));
        poll_with(&mut first, Arc::new(Keeps(())));
        let mut declaring = channel.queue_declare("other", &QueueOptions::default());
        let events = connection.events();
        poll_with(&mut declaring, Arc::new(Keeps(std::sync::Mutex::new(events))));
        poll_with(&mut declaring, Arc::new(Keeps(())));
        site.stub.as_ref().unwrap().wait("fired", 2);
        site.say("go");
        first.await.unwrap();
        channel.qos(1).await.unwrap();
    });
}

/// What a panic may carry: its drop panics too.
struct Again;

impl Drop for Again {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            panic!("what a panic carried panics when it is dropped");
        }
    }
}

#[test]
fn what_a_panic_carries_does_no_harm() {
    struct Bad;
    impl std::task::Wake for Bad {
        fn wake(self: Arc<Self>) {
            std::panic::panic_any(Again);
        }
    }
    struct Lent(Vec<u8>);
    impl AsRef<[u8]> for Lent {
        fn as_ref(&self) -> &[u8] {
            &self.0
        }
    }
    impl Drop for Lent {
        fn drop(&mut self) {
            std::panic::panic_any(Again);
        }
    }
    let site = Site::stub(&["on basic.publish#1 hold".to_owned()]);
    block_on(async {
        let (_connection, channel) = site.open().await;
        let mut publishing = channel.publish("", "q", Body::lent(Lent(vec![7; 100_000])));
        poll_with(&mut publishing, Arc::new(Bad));
        site.stub.as_ref().unwrap().wait("fired", 1);
        site.say("go");
        let mut declaring = channel.queue_declare("other", &QueueOptions::default());
        poll_with(&mut declaring, Arc::new(Bad));
        channel.qos(1).await.unwrap();
        declaring.await.unwrap();
        publishing.await.unwrap();
        assert_eq!(channel.get("q", true).await.unwrap().unwrap().body().len(), 100_000);
    });
}

#[test]
fn consumers_that_were_refused_leave_nothing() {
    let site = Site::stub(&[]);
    block_on(async {
        let (connection, _channel) = site.open().await;
        let descriptors = || std::fs::read_dir("/proc/self/fd").unwrap().count();
        let before = descriptors();
        // More than what other tests may open meanwhile.
        for _ in 0..500 {
            let channel = connection.channel().await.unwrap();
            let refused = channel.consume("nowhere", &ConsumeOptions::default()).await.unwrap_err();
            assert_eq!((refused.kind(), refused.reply_code()), (ErrorKind::ChannelClosedByBroker, 404));
            // Nor those that nobody waits for.
            let channel = connection.channel().await.unwrap();
            drop(channel.consume("nowhere", &ConsumeOptions::default()));
            assert!(channel.qos(1).await.is_err());
        }
        let after = descriptors();
        assert!(after < before + 400, "{before} descriptors, and then {after}");
    });
}
