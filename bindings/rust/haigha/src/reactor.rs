//! The thread that fetches what the library tells, in batches, and wakes who waits for it.

use crate::error::Result;
use crate::events::Hub;
use crate::native::{check, contain, text, Handle};
use crate::operation::Answer;
use crate::outcomes::Outcomes;
use crate::readiness::{Process, Readiness};
use haigha_sys as sys;
use std::collections::HashMap;
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

const STOP: u64 = 0;
const INBOX: u64 = 1;
/// Of the keys and the tags that are given away.
const FIRST: u64 = 2;
/// Events that are fetched at once.
pub(crate) const BATCH: usize = 128;

/// Who is told about events with a tag.
#[derive(Clone)]
pub(crate) enum Listener {
    /// Of one operation, once.
    Answer(Arc<Answer>),
    /// Of a connection.
    Hub(Arc<Hub>),
}

/// The inbox of a consumer that was dropped, until the broker has answered its cancel: what comes meanwhile
/// goes back.
pub(crate) struct Abandoned {
    pub(crate) connection: u64,
    pub(crate) channel: Handle<sys::haigha_channel>,
    pub(crate) inbox: Handle<sys::haigha_inbox>,
    pub(crate) no_ack: bool,
    /// Its name, while the broker could not yet be asked for its end.
    pub(crate) tag: Option<String>,
}

/// Asks for a consumer's end. False: not now, while it goes on, or comes back.
pub(crate) fn cancel(channel: *mut sys::haigha_channel, tag: &str) -> bool {
    // SAFETY: the channel lives, and the tag is copied.
    let status = unsafe { sys::haigha_cancel(channel, text(tag), null(), null_mut()) };
    // Any other error says that the channel has ended, and with it the consumer.
    !matches!(status, sys::HAIGHA_ERR_RECOVERING | sys::HAIGHA_ERR_WOULD_BLOCK)
}

impl Abandoned {
    fn cancel(&mut self) {
        self.tag = self.tag.take().filter(|tag| !cancel(self.channel.get(), tag));
    }

    /// Nothing comes any more, and what was there has gone back. One that was refused hears nothing else.
    fn has_ended(&self) -> bool {
        // SAFETY: the channel lives.
        unsafe { sys::haigha_channel_state(self.channel.get()) == sys::HAIGHA_STATE_CLOSED }
    }
}

pub(crate) struct Reactor {
    inbox: Handle<sys::haigha_inbox>,
    readiness: Readiness,
    next: AtomicU64,
    /// By tag, each with the number of its connection.
    listeners: Mutex<HashMap<u64, (u64, Listener)>>,
    abandoned: Mutex<HashMap<u64, Abandoned>>,
    /// Those whose publishes wait for room.
    waiting: Mutex<Vec<Arc<Outcomes>>>,
}

/// A panic while it was held left nothing half done: what is guarded are maps and queues.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A waker is a user's code: what it does is not to end the thread.
pub(crate) fn wake(waker: Waker) {
    contain(|| waker.wake());
}

pub(crate) fn new_inbox() -> Result<Handle<sys::haigha_inbox>> {
    // SAFETY: the library fills the pointer.
    Handle::made(|made, error| unsafe { sys::haigha_inbox_new(0, made, error) })
}

impl Reactor {
    /// Starts the thread. It ends after [`Reactor::stop`].
    pub(crate) fn start() -> Result<Arc<Reactor>> {
        let reactor = Arc::new(Reactor {
            inbox: new_inbox()?,
            readiness: Readiness::new(STOP)?,
            next: AtomicU64::new(FIRST),
            listeners: Mutex::default(),
            abandoned: Mutex::default(),
            waiting: Mutex::default(),
        });
        // SAFETY: the inbox lives.
        let fd = unsafe { sys::haigha_inbox_fd(reactor.inbox.get()) };
        reactor.readiness.watch(fd, INBOX)?;
        let running = Arc::clone(&reactor);
        std::thread::Builder::new()
            .name("haigha-events".to_owned())
            .spawn(move || running.run())
            .map_err(|_| crate::Error::of_status(sys::HAIGHA_ERR_NO_MEMORY))?;
        Ok(reactor)
    }

    /// Nothing more is told. Does not wait for the thread, which may be this one.
    pub(crate) fn stop(&self) {
        self.readiness.wake();
    }

    /// The one that it tells.
    pub(crate) fn process(&self) -> Process {
        self.readiness.process()
    }

    pub(crate) fn next(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// Into the inbox, with a tag by which `listener` is found.
    pub(crate) fn listen(&self, connection: u64, listener: Listener) -> (u64, sys::haigha_then) {
        let tag = self.next();
        lock(&self.listeners).insert(tag, (connection, listener));
        let then = sys::haigha_then { inbox: self.inbox.get(), tag, ..Default::default() };
        (tag, then)
    }

    pub(crate) fn forget(&self, tag: u64) {
        let forgotten = lock(&self.listeners).remove(&tag);
        drop(forgotten);
    }

    /// A connection has gone, and tells nothing more.
    pub(crate) fn forget_connection(&self, connection: u64) {
        let mut forgotten = Vec::new();
        lock(&self.listeners).retain(|_, (of, listener)| {
            let stays = *of != connection;
            if !stays {
                forgotten.push(listener.clone());
            }
            stays
        });
        self.forget_abandoned(|one| one.connection == connection);
        let mut gone = Vec::new();
        lock(&self.waiting).retain(|outcomes| {
            let stays = outcomes.connection != connection;
            if !stays {
                gone.push(Arc::clone(outcomes));
            }
            stays
        });
        gone.iter().for_each(|outcomes| outcomes.abandon());
    }

    fn listener(&self, tag: u64) -> Option<Listener> {
        lock(&self.listeners).get(&tag).map(|(_, listener)| listener.clone())
    }

    // ---- inboxes whose owners are gone

    fn arm(&self, inbox: &Handle<sys::haigha_inbox>, key: u64) -> Result<()> {
        // SAFETY: the inbox lives.
        self.readiness.arm(unsafe { sys::haigha_inbox_fd(inbox.get()) }, key)
    }

    /// What is in it, and still comes, goes back to the queue.
    pub(crate) fn abandon(&self, one: Abandoned) {
        let key = self.next();
        // SAFETY: the inbox lives.
        let added = self.readiness.add(unsafe { sys::haigha_inbox_fd(one.inbox.get()) }, key);
        if added.is_ok() {
            self.keep_abandoned(key, one);
        }
    }

    fn keep_abandoned(&self, key: u64, one: Abandoned) {
        {
            let mut abandoned = lock(&self.abandoned);
            if self.arm(&one.inbox, key).is_ok() {
                abandoned.insert(key, one);
            }
        }
        // What it waits for may have been told while it was not among them, and its channel's end.
        self.cancel_abandoned();
        self.forget_abandoned(Abandoned::has_ended);
    }

    fn cancel_abandoned(&self) {
        lock(&self.abandoned).values_mut().for_each(Abandoned::cancel);
    }

    fn forget_abandoned(&self, which: impl Fn(&Abandoned) -> bool) {
        let mut gone = Vec::new();
        let mut abandoned = lock(&self.abandoned);
        let keys: Vec<u64> = abandoned.iter().filter(|(_, one)| which(one)).map(|(key, _)| *key).collect();
        gone.extend(keys.iter().filter_map(|key| abandoned.remove(key)));
        drop(abandoned);
        drop(gone);
    }

    fn give_back(&self, key: u64, events: &mut [sys::haigha_event]) {
        let abandoned = match lock(&self.abandoned).remove(&key) {
            Some(abandoned) => abandoned,
            None => return,
        };
        let mut ended = false;
        loop {
            let count = poll(&abandoned.inbox, events);
            if count == 0 {
                break;
            }
            for event in &events[..count] {
                ended |= event.type_ == sys::HAIGHA_EVENT_CONSUMER_CANCELLED;
                if event.type_ == sys::HAIGHA_EVENT_DELIVERY && !abandoned.no_ack {
                    let channel = abandoned.channel.get();
                    // SAFETY: the channel lives. An error says that it has ended, which gives back as well.
                    unsafe { sys::haigha_nack(channel, event.number, sys::HAIGHA_REQUEUE, null_mut()) };
                }
            }
        }
        if ended {
            // SAFETY: the inbox lives.
            self.readiness.remove(unsafe { sys::haigha_inbox_fd(abandoned.inbox.get()) });
        } else {
            self.keep_abandoned(key, abandoned);
        }
    }

    // ---- publishes that wait for room

    pub(crate) fn wait_for_room(&self, outcomes: &Arc<Outcomes>) {
        lock(&self.waiting).push(Arc::clone(outcomes));
    }

    fn retry(&self) {
        let all = std::mem::take(&mut *lock(&self.waiting));
        for outcomes in all {
            if outcomes.retry() {
                lock(&self.waiting).push(outcomes);
            }
        }
    }

    // ---- the thread

    fn run(&self) {
        let mut events = vec![sys::haigha_event::default(); BATCH];
        let mut stopped = false;
        while !stopped {
            self.readiness.wait(|key| {
                // Wakers are users' in their drops too: the thread outlives their panics.
                contain(|| match key {
                    STOP => stopped = true,
                    INBOX => self.fetch(&mut events),
                    key => self.give_back(key, &mut events),
                });
            });
        }
        // They may refer to each other.
        let waiting = std::mem::take(&mut *lock(&self.waiting));
        drop(waiting);
    }

    fn fetch(&self, events: &mut [sys::haigha_event]) {
        // Until there is nothing, which also releases what came last.
        loop {
            let count = poll(&self.inbox, events);
            if count == 0 {
                return;
            }
            events[..count].iter().for_each(|event| self.tell(event));
        }
    }

    fn tell(&self, event: &sys::haigha_event) {
        match self.listener(event.tag) {
            Some(Listener::Answer(answer)) => {
                self.forget(event.tag);
                // SAFETY: the event lives until the inbox is polled again.
                unsafe { answer.complete(event) };
            }
            // SAFETY: as above.
            Some(Listener::Hub(hub)) => unsafe { hub.hear(event) },
            None => {}
        }
        self.hear(event.type_);
    }

    /// Publishes that wait may go; or their channel has ended, or is lost, and they hear that they were not sent.
    pub(crate) fn hear(&self, event_type: u32) {
        let told =
            [sys::HAIGHA_EVENT_WRITABLE, sys::HAIGHA_EVENT_CHANNEL_STATE, sys::HAIGHA_EVENT_POOL_STATE];
        if told.contains(&event_type) {
            self.retry();
            self.cancel_abandoned();
        }
        if event_type == sys::HAIGHA_EVENT_CHANNEL_STATE {
            self.forget_abandoned(Abandoned::has_ended);
        }
    }
}

/// How many there were; none is waited for.
pub(crate) fn poll(inbox: &Handle<sys::haigha_inbox>, events: &mut [sys::haigha_event]) -> usize {
    let mut count = 0;
    let bytes = std::mem::size_of::<sys::haigha_event>();
    // SAFETY: the array is as long as it says.
    let polled = check(|_| unsafe {
        sys::haigha_inbox_poll(
            inbox.get(),
            events.as_mut_ptr(),
            bytes,
            events.len(),
            0,
            &mut count,
            null_mut(),
        )
    });
    if polled.is_err() {
        // In a forked child, whose events are the parent's.
        return 0;
    }
    count
}
