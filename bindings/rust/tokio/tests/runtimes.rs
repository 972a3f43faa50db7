//! haigha in tokio's two runtimes: it is woken there, and what they drop half-way leaves nothing behind.

// What only the crate's own tests use is there too.
#[allow(dead_code)]
#[path = "../../haigha/tests/all/site.rs"]
mod site;

use haigha::{Channel, Connection, ConsumeOptions, Consumer, ErrorKind, QueueOptions, State};
use site::Site;
use std::collections::BTreeSet;
use std::future::Future;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};

fn runtimes() -> [Runtime; 2] {
    let one = Builder::new_current_thread().enable_time().build();
    let two = Builder::new_multi_thread().worker_threads(2).enable_time().build();
    [one.unwrap(), two.unwrap()]
}

/// Does the same in each runtime, with a stub broker of its own.
fn in_each<F: Future<Output = ()>>(script: &[&str], work: impl Fn(Arc<Site>) -> F) {
    let script: Vec<String> = script.iter().map(|line| line.to_string()).collect();
    for runtime in runtimes() {
        runtime.block_on(work(Arc::new(Site::stub(&script))));
    }
}

/// Until the stub broker has followed so many rules.
async fn fired(site: &Arc<Site>, times: u32) {
    seen(site, "fired", times).await;
}

/// Until the stub broker has seen so many of those.
async fn seen(site: &Arc<Site>, what: &'static str, times: u32) {
    let site = Arc::clone(site);
    tokio::task::spawn_blocking(move || stub(&site).wait(what, times)).await.unwrap();
}

fn stub(site: &Site) -> &site::Stub {
    site.stub.as_ref().unwrap()
}

async fn consume(channel: &Channel, queue: &str) -> Consumer {
    channel.consume(queue, &ConsumeOptions::default()).await.unwrap()
}

/// The next `count` bodies, each a number, acknowledged.
async fn take(consumer: &mut Consumer, count: usize) -> Vec<u32> {
    let mut numbers = Vec::new();
    while numbers.len() < count {
        let delivery = consumer.next().await.unwrap().unwrap();
        numbers.push(u32::from_le_bytes(delivery.body().try_into().unwrap()));
        delivery.ack().unwrap();
    }
    numbers
}

#[test]
fn tasks_publish_and_consume() {
    const EACH: u32 = 500;
    in_each(&[], |site| async move {
        let (connection, channel) = site.open().await;
        let mut consumer = consume(&channel, "q").await;
        let taking = tokio::spawn(async move { take(&mut consumer, 4 * EACH as usize).await });
        let publishers: Vec<_> = (0..4)
            .map(|publisher| {
                let channel = channel.clone();
                tokio::spawn(async move {
                    for number in 0..EACH {
                        let body = (publisher * EACH + number).to_le_bytes();
                        channel.publish("", "q", &body).await.unwrap();
                    }
                })
            })
            .collect();
        for publisher in publishers {
            publisher.await.unwrap();
        }
        let numbers = taking.await.unwrap();
        for publisher in 0..4 {
            let own = numbers.iter().copied().filter(|number| number / EACH == publisher);
            assert!(own.eq(publisher * EACH..(publisher + 1) * EACH), "each once, in order");
        }
        connection.close().await.unwrap();
    });
}

#[test]
fn a_wait_for_a_delivery_that_is_dropped_loses_none() {
    const COUNT: u32 = 1000;
    in_each(&[], |site| async move {
        let (_connection, channel) = site.open().await;
        let mut consumer = consume(&channel, "q").await;
        let publishing = tokio::spawn(async move {
            for number in 0..COUNT {
                channel.publish("", "q", &number.to_le_bytes()).await.unwrap();
            }
        });
        let mut numbers = Vec::new();
        while numbers.len() < COUNT as usize {
            tokio::select! {
                biased;
                delivery = consumer.next() => {
                    let delivery = delivery.unwrap().unwrap();
                    numbers.push(u32::from_le_bytes(delivery.body().try_into().unwrap()));
                    delivery.ack().unwrap();
                }
                () = tokio::task::yield_now() => {}
            }
        }
        assert!(numbers.into_iter().eq(0..COUNT));
        publishing.await.unwrap();
        let nothing = tokio::time::timeout(Duration::from_millis(1), consumer.next()).await;
        assert!(nothing.is_err(), "there is no more");
    });
}

#[test]
fn futures_that_a_select_drops_leave_nothing() {
    let script = [
        "on channel.open#2 hold",
        "on queue.declare#2 hold",
        "on basic.publish#1 hold",
        "on basic.consume#1 hold",
        "on basic.get#1 hold",
    ];
    in_each(&script, |site| async move {
        let (connection, channel) = site.open().await;
        let channels = connection.info("channels").unwrap();
        macro_rules! dropped_when_the_broker_has {
            ($times:literal, $future:expr) => {
                tokio::select! {
                    biased;
                    _ = $future => panic!("the broker has not answered"),
                    () = fired(&site, $times) => {}
                }
            };
        }
        dropped_when_the_broker_has!(1, connection.channel());
        dropped_when_the_broker_has!(2, channel.queue_declare("other", &QueueOptions::default()));
        site.say("go");
        dropped_when_the_broker_has!(3, channel.publish("", "q", b"one"));
        site.say("go");
        dropped_when_the_broker_has!(4, channel.get("q", false));
        site.say("go");
        let exclusive = ConsumeOptions { exclusive: true, ..ConsumeOptions::default() };
        dropped_when_the_broker_has!(5, channel.consume("q", &exclusive));
        site.say("go");
        // What nobody wanted was taken back: the message is there, and the queue nobody's.
        stub(&site).wait("basic.cancel", 1);
        stub(&site).wait("channel.close", 1);
        let mut consumer = consume(&channel, "q").await;
        let delivery = consumer.next().await.unwrap().unwrap();
        assert_eq!(delivery.body(), b"one");
        delivery.ack().unwrap();
        assert_eq!(connection.info("channels").unwrap(), channels);
        channel.publish("", "other", b"two").await.unwrap();
        connection.close().await.unwrap();
        assert_eq!(stub(&site).say("violations"), "0");
    });
}

#[test]
fn connecting_may_be_given_up() {
    in_each(&[], |site| async move {
        site.say("stall start");
        tokio::select! {
            biased;
            _ = haigha::connect(&site.uri) => panic!("the broker has not answered"),
            () = seen(&site, "protocol-header", 1) => {}
        }
        stub(&site).wait("disconnect", 1);
        site.say("stall none");
        site.connect().await.close().await.unwrap();
    });
}

#[test]
fn a_task_that_panics_is_the_runtime_s() {
    in_each(&[], |site| async move {
        let (connection, channel) = site.open().await;
        channel.publish("", "q", &7u32.to_le_bytes()).await.unwrap();
        let theirs = channel.clone();
        let task = tokio::spawn(async move {
            let mut consumer = consume(&theirs, "q").await;
            let _delivery = consumer.next().await;
            let _publishing = theirs.publish("", "q", &8u32.to_le_bytes());
            panic!("a task that panics");
        });
        assert!(task.await.unwrap_err().is_panic());
        // What its consumer had, or still got, goes back; what it was given is not settled.
        let mut consumer = consume(&channel, "q").await;
        assert_eq!(take(&mut consumer, 1).await, [8]);
        channel.close().await.unwrap();
        let channel = connection.channel().await.unwrap();
        let mut consumer = consume(&channel, "q").await;
        assert_eq!(take(&mut consumer, 1).await, [7]);
        assert_eq!(connection.state(), State::Open);
        connection.close().await.unwrap();
    });
}

#[test]
fn a_task_that_is_aborted_gives_back_its_deliveries() {
    in_each(&[], |site| async move {
        let (_connection, channel) = site.open().await;
        let mut theirs = consume(&channel, "q").await;
        let task = tokio::spawn(async move {
            loop {
                // Nothing is settled.
                theirs.next().await.unwrap().unwrap();
            }
        });
        for number in 0..10u32 {
            channel.publish("", "q", &number.to_le_bytes()).await.unwrap();
        }
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
        channel.recover().await.unwrap();
        let mut consumer = consume(&channel, "q").await;
        let numbers: BTreeSet<u32> = take(&mut consumer, 10).await.into_iter().collect();
        assert!(numbers.into_iter().eq(0..10));
    });
}

#[test]
fn a_runtime_ends_with_connections_in_use() {
    for runtime in runtimes() {
        let site = Arc::new(Site::stub(&["on queue.declare#2 hold".to_owned()]));
        let theirs = Arc::clone(&site);
        runtime.block_on(async move {
            let (connection, channel) = theirs.open().await;
            let mut consumer = consume(&channel, "q").await;
            tokio::spawn(async move { consumer.next().await.map(drop) });
            tokio::spawn(async move {
                let _connection = connection;
                channel.queue_declare("never", &QueueOptions::default()).await.map(drop)
            });
            fired(&theirs, 1).await;
        });
        drop(runtime);
        stub(&site).wait("disconnect", 1);
    }
}

#[test]
fn handles_outlive_the_runtime_that_polled_them() {
    for (first, second) in runtimes().into_iter().zip(runtimes()) {
        let site = Arc::new(Site::stub(&[]));
        let opened: (Connection, Channel, Consumer) = first.block_on(async {
            let (connection, channel) = site.open().await;
            let mut consumer = consume(&channel, "q").await;
            // It leaves a waker of this runtime's behind.
            assert!(tokio::time::timeout(Duration::from_millis(1), consumer.next()).await.is_err());
            (connection, channel, consumer)
        });
        drop(first);
        let (connection, channel, mut consumer) = opened;
        haigha::block_on(channel.publish("", "q", &1u32.to_le_bytes())).unwrap();
        second.block_on(async {
            assert_eq!(take(&mut consumer, 1).await, [1]);
            connection.close().await.unwrap();
            let error = channel.publish("", "q", b"late").await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Closed);
        });
    }
}

#[test]
fn the_readme_s_program_works() {
    let readme = include_str!("../../README.md");
    let quoted = readme.split("```rs\n").nth(1).unwrap().split("```").next().unwrap();
    assert_eq!(quoted, include_str!("../first_tokio.rs"));
    let site = Site::stub(&[]);
    let output = Command::new(env!("CARGO_BIN_EXE_first_tokio")).arg(&site.uri).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "received hello\n", "{output:?}");
    assert!(output.status.success());
}
