//! What processes of their own do: this program, run once more.

use crate::site::Site;
use haigha::{block_on, ConsumeOptions, ErrorKind, QueueOptions};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::process::Command;

pub const URI: &str = "HAIGHA_RUST_CHILD_URI";

#[test]
fn leaves_with_a_live_connection() {
    let uri = match std::env::var(URI) {
        Ok(uri) => uri,
        // In the parent there is nothing to do.
        Err(_) => return,
    };
    let site = Site { uri, stub: None, queue: format!("rust-child-{}", std::process::id()) };
    block_on(async {
        let (_connection, channel) = site.open().await;
        let _consumer = channel.consume(&site.queue, &ConsumeOptions::default()).await.unwrap();
        std::process::exit(7);
    });
}

const FORKS: &str = "HAIGHA_RUST_FORKS";

extern "C" {
    fn fork() -> i32;
    fn waitpid(pid: i32, status: *mut i32, options: i32) -> i32;
    fn alarm(seconds: u32) -> u32;
    fn _exit(status: i32) -> !;
}

/// What `work` does in a forked child. Whether it ended well.
fn in_a_fork(work: impl FnOnce()) -> bool {
    // SAFETY: the child does what a child of a program with threads may: glibc's memory is whole there, and
    // the threads that could hold a lock of this crate's are asleep.
    unsafe {
        match fork() {
            0 => {
                // What hangs ends.
                alarm(30);
                _exit(catch_unwind(AssertUnwindSafe(work)).is_err().into())
            }
            child => {
                let mut status = 0;
                assert_eq!(waitpid(child, &mut status, 0), child);
                status == 0
            }
        }
    }
}

#[test]
fn forks() {
    if std::env::var(FORKS).is_err() {
        return;
    }
    let site = Site::stub(&["on queue.declare#2 hold".to_owned(), "on basic.publish#2 hold".to_owned()]);
    let (connection, channel) = block_on(site.open());
    let mut events = connection.events();
    let mut consumer = block_on(channel.consume("q", &ConsumeOptions::default())).unwrap();
    block_on(channel.publish("", "q", b"one")).unwrap();
    let delivery = block_on(consumer.next()).unwrap().unwrap();
    let declaring = channel.queue_declare("other", &QueueOptions::default());
    let publishing = channel.publish("", "q", b"two");
    site.stub.as_ref().unwrap().wait("fired", 1);
    let all = (connection, channel, delivery, declaring, publishing);
    let kept = (all.0.clone(), all.1.clone());
    let all = std::mem::ManuallyDrop::new((all, consumer, events.next()));
    // Everything of the parent's is in the child as well, and is dropped there.
    let ended = in_a_fork(|| {
        // SAFETY: of the child's copy.
        let (all, mut consumer, next_event) = unsafe { std::ptr::read(&*all) };
        let (connection, channel, delivery, declaring, publishing) = all;
        assert_eq!(block_on(declaring).unwrap_err().kind(), ErrorKind::Forked);
        assert_eq!(block_on(publishing).unwrap_err().kind(), ErrorKind::Forked);
        assert!(block_on(next_event).is_none());
        assert_eq!(block_on(consumer.next()).unwrap().unwrap_err().kind(), ErrorKind::Forked);
        assert!(block_on(consumer.next()).is_none());
        assert_eq!(delivery.ack().unwrap_err().kind(), ErrorKind::Forked);
        assert_eq!(delivery.body(), b"one");
        assert_eq!(block_on(channel.publish("", "q", b"x")).unwrap_err().kind(), ErrorKind::Forked);
        assert_eq!(block_on(channel.qos(1)).unwrap_err().kind(), ErrorKind::Forked);
        assert_eq!(
            block_on(channel.consume("q", &ConsumeOptions::default())).unwrap_err().kind(),
            ErrorKind::Forked
        );
        assert_eq!(block_on(connection.close()).unwrap_err().kind(), ErrorKind::Forked);
        assert_eq!(block_on(connection.channel()).unwrap_err().kind(), ErrorKind::Forked);
        drop((connection, channel, delivery, consumer));
        // SAFETY: as above.
        drop(unsafe { std::ptr::read(&kept) });
        // It may connect anew.
        block_on(async { site.connect().await.close().await.unwrap() });
    });
    assert!(ended, "the child's calls end, with what they are to");
    // The parent has not noticed.
    let ((connection, _channel, delivery, declaring, publishing), mut consumer, _) =
        std::mem::ManuallyDrop::into_inner(all);
    site.say("go");
    block_on(async {
        declaring.await.unwrap();
        publishing.await.unwrap();
        delivery.ack().unwrap();
        let second = consumer.next().await.unwrap().unwrap();
        assert_eq!(second.body(), b"two");
        second.ack().unwrap();
        connection.close().await.unwrap();
    });
}

#[test]
fn a_forked_child_is_refused_and_its_parent_goes_on() {
    let test = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child::forks", "--nocapture"])
        .env(FORKS, "1")
        .output()
        .unwrap();
    assert!(test.status.success(), "{test:?}");
}
