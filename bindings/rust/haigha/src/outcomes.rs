//! Publishes without an outcome, and those that wait until there is room.

use crate::body::Lent;
use crate::error::{Error, ErrorKind, Result};
use crate::events::Hub;
use crate::native::{contain, text, Handle};
use crate::properties::Properties;
use crate::reactor::{lock, wake};
use haigha_sys as sys;
use std::collections::VecDeque;
use std::os::raw::c_void;
use std::ptr::{null, null_mut};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};

/// How many publishes of a channel may wait for room.
const MOST_WAITING: usize = 65_536;
/// From here on the library writes a body from where it is.
const LENT_BYTES: usize = 16 * 1024;

/// What a publish is given to.
pub(crate) enum Sender {
    Channel(Handle<sys::haigha_channel>),
    Publisher(Handle<sys::haigha_publisher>),
    Pool(Handle<sys::haigha_pool>),
}

impl Sender {
    fn another(&self) -> Option<Sender> {
        // SAFETY: each is alive; another reference is ours.
        unsafe {
            match self {
                Sender::Channel(channel) => {
                    Handle::adopt(sys::haigha_channel_ref(channel.get())).map(Sender::Channel)
                }
                Sender::Publisher(publisher) => {
                    Handle::adopt(sys::haigha_publisher_ref(publisher.get())).map(Sender::Publisher)
                }
                Sender::Pool(pool) => Handle::adopt(sys::haigha_pool_ref(pool.get())).map(Sender::Pool),
            }
        }
    }
}

/// Where a message goes, and with what.
#[derive(Clone, Copy)]
pub(crate) struct Head<'a> {
    pub(crate) exchange: &'a str,
    pub(crate) routing_key: &'a str,
    pub(crate) properties: Option<&'a Properties>,
    pub(crate) mandatory: bool,
}

pub(crate) enum Content<'a> {
    Borrowed(&'a [u8]),
    Owned(Box<dyn Lent>),
}

impl Content<'_> {
    fn bytes(&self) -> &[u8] {
        match self {
            Content::Borrowed(bytes) => bytes,
            Content::Owned(owner) => (**owner).as_ref(),
        }
    }
}

/// One that waits for room.
struct Waiting {
    slot: usize,
    sender: Sender,
    exchange: String,
    routing_key: String,
    properties: Option<Properties>,
    mandatory: bool,
    body: Option<Box<dyn Lent>>,
}

enum Slot {
    Free(usize),
    Pending(Option<Waker>),
    /// Nobody waits for it.
    Dropped,
    Done(Result<()>),
}

const NO_SLOT: usize = usize::MAX;

struct Inner {
    slots: Vec<Slot>,
    free: usize,
    waiting: VecDeque<Waiting>,
    /// Whether the reactor has this among those that wait.
    registered: bool,
}

impl Inner {
    fn take_slot(&mut self) -> usize {
        let slot = self.free;
        if slot == NO_SLOT {
            self.slots.push(Slot::Pending(None));
            return self.slots.len() - 1;
        }
        match std::mem::replace(&mut self.slots[slot], Slot::Pending(None)) {
            Slot::Free(next) => self.free = next,
            _ => unreachable!("the list of the free ones holds free ones"),
        }
        slot
    }

    fn free_slot(&mut self, slot: usize) {
        self.slots[slot] = Slot::Free(self.free);
        self.free = slot;
    }

    fn finish(&mut self, slot: usize, result: Result<()>) -> Option<Waker> {
        match self.slots.get_mut(slot) {
            Some(place @ Slot::Pending(_)) => match std::mem::replace(place, Slot::Done(result)) {
                Slot::Pending(waker) => waker,
                _ => None,
            },
            Some(Slot::Dropped) => {
                self.free_slot(slot);
                None
            }
            _ => None,
        }
    }
}

/// Of one channel, or of one pool.
pub(crate) struct Outcomes {
    pub(crate) connection: u64,
    hub: Arc<Hub>,
    inner: Mutex<Inner>,
}

/// What became of a publish when it was made.
pub(crate) enum Begun {
    /// The library has it, and tells no outcome.
    Taken,
    /// Its outcome comes to this slot.
    Slot(usize),
    /// As `Slot`; and it waits, which the reactor is to be told.
    First(usize),
}

impl Outcomes {
    pub(crate) fn new(connection: u64, hub: Arc<Hub>) -> Outcomes {
        let inner = Inner { slots: Vec::new(), free: NO_SLOT, waiting: VecDeque::new(), registered: false };
        Outcomes { connection, hub, inner: Mutex::new(inner) }
    }

    pub(crate) fn publish(&self, sender: &Sender, head: Head<'_>, content: Content<'_>) -> Result<Begun> {
        let mut content = Some(content);
        let (slot, may_try) = {
            let mut inner = lock(&self.inner);
            (inner.take_slot(), inner.waiting.is_empty())
        };
        // Not under the lock, which the library's thread takes for each outcome; this one's may come before
        // the call returns.
        if may_try {
            match attempt(sender, head, &mut content, slot) {
                Ok(Some(0)) => {
                    lock(&self.inner).free_slot(slot);
                    return Ok(Begun::Taken);
                }
                Ok(Some(_)) => return Ok(Begun::Slot(slot)),
                Ok(None) => {}
                Err(error) => {
                    lock(&self.inner).free_slot(slot);
                    return Err(error);
                }
            }
        }
        let mut inner = lock(&self.inner);
        let another = sender.another();
        let (another, content) = match (another, content.take()) {
            (Some(another), Some(content)) if inner.waiting.len() < MOST_WAITING => (another, content),
            (_, content) => {
                inner.free_slot(slot);
                drop(inner);
                drop(content);
                return Err(Error::of_status(sys::HAIGHA_ERR_WOULD_BLOCK));
            }
        };
        let body = match content {
            Content::Borrowed(bytes) => Box::new(bytes.to_vec()),
            Content::Owned(owner) => owner,
        };
        inner.waiting.push_back(Waiting {
            slot,
            sender: another,
            exchange: head.exchange.to_owned(),
            routing_key: head.routing_key.to_owned(),
            properties: head.properties.cloned(),
            mandatory: head.mandatory,
            body: Some(body),
        });
        let first = !std::mem::replace(&mut inner.registered, true);
        Ok(if first { Begun::First(slot) } else { Begun::Slot(slot) })
    }

    /// Publishes of those that wait what is taken now. Whether some are left.
    pub(crate) fn retry(&self) -> bool {
        let mut wakers = Vec::new();
        let mut done = Vec::new();
        let mut inner = lock(&self.inner);
        while let Some(mut next) = inner.waiting.pop_front() {
            let head = Head {
                exchange: &next.exchange,
                routing_key: &next.routing_key,
                properties: next.properties.as_ref(),
                mandatory: next.mandatory,
            };
            let mut content = next.body.take().map(Content::Owned);
            let result = match attempt(&next.sender, head, &mut content, next.slot) {
                Ok(None) => {
                    next.body = match content {
                        Some(Content::Owned(owner)) => Some(owner),
                        _ => None,
                    };
                    inner.waiting.push_front(next);
                    break;
                }
                Ok(Some(0)) => Some(Ok(())),
                Ok(Some(_)) => None,
                Err(cause) => Some(Err(Error::of_kind(ErrorKind::NotSent, Some(cause)))),
            };
            if let Some(result) = result {
                wakers.extend(inner.finish(next.slot, result));
            }
            done.push((next, content));
        }
        inner.registered = !inner.waiting.is_empty();
        let left = inner.registered;
        drop(inner);
        // What users lent may do anything when it is dropped.
        contain(|| drop(done));
        wakers.into_iter().for_each(wake);
        left
    }

    /// Gives up on those that wait.
    pub(crate) fn abandon(&self) {
        let abandoned = std::mem::take(&mut lock(&self.inner).waiting);
        contain(|| drop(abandoned));
    }

    pub(crate) fn poll(&self, slot: usize, waker: &Waker) -> Poll<Result<()>> {
        let mut inner = lock(&self.inner);
        if let Slot::Pending(place) = &mut inner.slots[slot] {
            match place {
                Some(before) if before.will_wake(waker) => {}
                _ => {
                    // Its drop may be that of a future of this channel.
                    let before = place.replace(waker.clone());
                    drop(inner);
                    drop(before);
                }
            }
            return Poll::Pending;
        }
        let done = std::mem::replace(&mut inner.slots[slot], Slot::Dropped);
        inner.free_slot(slot);
        match done {
            Slot::Done(result) => Poll::Ready(result),
            _ => unreachable!("a slot is its future's until that is dropped"),
        }
    }

    /// Its future is dropped.
    pub(crate) fn disown(&self, slot: usize) {
        let mut inner = lock(&self.inner);
        let before = std::mem::replace(&mut inner.slots[slot], Slot::Dropped);
        if matches!(before, Slot::Done(_)) {
            inner.free_slot(slot);
        }
        drop(inner);
        drop(before);
    }

    /// # Safety
    /// The event is an outcome, and lives for the time of the call.
    pub(crate) unsafe fn settle(&self, event: &sys::haigha_event) {
        let result = match event.outcome {
            sys::HAIGHA_OUTCOME_CONFIRMED => Ok(()),
            // SAFETY: as above.
            _ => Err(unsafe { outcome_error(event) }),
        };
        // What it was given, see `attempt`.
        let slot = (event.user_data as usize).wrapping_sub(1);
        let waker = lock(&self.inner).finish(slot, result);
        if let Some(waker) = waker {
            wake(waker);
        }
    }

    /// # Safety
    /// The event lives for the time of the call.
    pub(crate) unsafe fn hear(&self, event: &sys::haigha_event) {
        // SAFETY: as above.
        unsafe { self.hub.hear(event) };
    }
}

/// # Safety
/// The event lives for the time of the call.
unsafe fn outcome_error(event: &sys::haigha_event) -> Error {
    let kind = match event.outcome {
        sys::HAIGHA_OUTCOME_NACKED => ErrorKind::Nacked,
        sys::HAIGHA_OUTCOME_RETURNED => ErrorKind::Returned,
        sys::HAIGHA_OUTCOME_NOT_SENT => ErrorKind::NotSent,
        sys::HAIGHA_OUTCOME_REFUSED => ErrorKind::Refused,
        _ => ErrorKind::OutcomeUnknown,
    };
    // SAFETY: as above.
    Error::of_kind(kind, unsafe { Error::copied(event.error) })
}

unsafe extern "C" fn release_lent(owner: *mut c_void) {
    // SAFETY: it is what `attempt` has given away, and comes back once.
    let owner = unsafe { Box::from_raw(owner.cast::<Box<dyn Lent>>()) };
    // Nothing unwinds into the library.
    contain(move || drop(owner));
}

/// Some(its number, or 0 where no outcome comes), None: there is no room. `content` is taken where the
/// library keeps it.
fn attempt(
    sender: &Sender,
    head: Head<'_>,
    content: &mut Option<Content<'_>>,
    slot: usize,
) -> Result<Option<u64>> {
    let native = match (sender, head.properties) {
        (Sender::Publisher(_), _) | (_, None) => None,
        (_, Some(properties)) => Some(properties.native()?),
    };
    let args = sys::haigha_publish_args {
        exchange: text(head.exchange),
        routing_key: text(head.routing_key),
        properties: native.as_ref().map_or(null(), |native| &native.properties),
        // The outcome tells it.
        user_data: (slot + 1) as *mut c_void,
        mandatory: head.mandatory.into(),
        ..Default::default()
    };
    let mut number = 0;
    let mut error = null_mut();
    let is_lent = matches!(content, Some(Content::Owned(owner)) if (**owner).as_ref().len() >= LENT_BYTES);
    let status = match content.take() {
        Some(Content::Owned(owner)) if is_lent && !matches!(sender, Sender::Pool(_)) => {
            match lend(sender, &args, owner, &mut number, &mut error) {
                Ok(()) => sys::HAIGHA_OK,
                Err((status, owner)) => {
                    *content = Some(Content::Owned(owner));
                    status
                }
            }
        }
        copied => {
            let body = text(copied.as_ref().map_or(&[][..], Content::bytes));
            // SAFETY: handles and arguments live for the time of the call.
            let status = unsafe {
                match sender {
                    Sender::Channel(channel) => {
                        sys::haigha_publish(channel.get(), &args, body, &mut number, &mut error)
                    }
                    Sender::Publisher(publisher) => sys::haigha_publisher_publish(
                        publisher.get(),
                        body,
                        args.user_data,
                        &mut number,
                        &mut error,
                    ),
                    Sender::Pool(pool) => {
                        sys::haigha_pool_publish(pool.get(), &args, body, &mut number, &mut error)
                    }
                }
            };
            *content = copied;
            status
        }
    };
    match status {
        sys::HAIGHA_OK => Ok(Some(number)),
        // SAFETY: the error is the caller's.
        _ => match unsafe { Error::adopt(error, status) } {
            error if error.kind() == ErrorKind::WouldBlock => Ok(None),
            error => Err(error),
        },
    }
}

/// Publishes what stays where it is. Gives it back, with the status, where it was not taken.
fn lend(
    sender: &Sender,
    args: &sys::haigha_publish_args,
    owner: Box<dyn Lent>,
    number: &mut u64,
    error: &mut *mut sys::haigha_error,
) -> std::result::Result<(), (i32, Box<dyn Lent>)> {
    let owner = Box::into_raw(Box::new(owner));
    let data = owner.cast::<c_void>();
    let release = Some(release_lent as sys::haigha_release_fn);
    // SAFETY: handles and arguments live. What is lent is where it is until it is released, since its owner
    // is in a box of its own that nobody touches meanwhile; what was not taken is not released.
    unsafe {
        let body = text((**owner).as_ref());
        let status = match sender {
            Sender::Channel(channel) => {
                sys::haigha_publish_lent(channel.get(), args, body, release, data, number, error)
            }
            Sender::Publisher(publisher) => sys::haigha_publisher_publish_lent(
                publisher.get(),
                body,
                release,
                data,
                args.user_data,
                number,
                error,
            ),
            Sender::Pool(_) => sys::HAIGHA_ERR_UNSUPPORTED,
        };
        match status {
            sys::HAIGHA_OK => Ok(()),
            status => Err((status, *Box::from_raw(owner))),
        }
    }
}
