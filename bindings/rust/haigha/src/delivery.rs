//! Messages that were received.

use crate::endpoint::Endpoint;
use crate::error::Result;
use crate::native::{bytes, check, Handle};
use crate::properties::Properties;
use crate::value::Table;
use haigha_sys as sys;
use std::borrow::Cow;
use std::sync::Arc;

/// A message, where it was received: its body is not copied. It keeps the block of memory that it was read
/// into, of 256 KiB at most beyond itself, which it shares with its neighbours.
pub struct Message {
    native: Handle<sys::haigha_message>,
    body: sys::haigha_str,
    /// It has neither properties nor headers. Where that is not known they are asked for.
    is_bare: bool,
}

// SAFETY: a message does not change, and its references may be dropped on any thread. `body` is of it.
unsafe impl Send for Message {}
// SAFETY: as above.
unsafe impl Sync for Message {}

impl Message {
    /// What an event has.
    ///
    /// # Safety
    /// The event lives for the time of the call.
    pub(crate) unsafe fn kept(event: &sys::haigha_event) -> Option<Message> {
        // SAFETY: as above; another reference is ours, and keeps the body.
        let native = unsafe { Handle::adopt(sys::haigha_message_ref(event.message)) }?;
        let is_bare = event.flags & sys::HAIGHA_FLAG_PROPERTIES == 0;
        Some(Message { native, body: event.body, is_bare })
    }

    /// # Safety
    /// `message` is NULL or lives for the time of the call.
    pub(crate) unsafe fn another(message: *mut sys::haigha_message) -> Option<Message> {
        if message.is_null() {
            return None;
        }
        // SAFETY: as above.
        unsafe {
            let native = Handle::adopt(sys::haigha_message_ref(message))?;
            let body = sys::haigha_message_body(native.get());
            Some(Message { native, body, is_bare: false })
        }
    }

    /// The body, where it was received.
    pub fn body(&self) -> &[u8] {
        // SAFETY: it is the message's, which is held.
        unsafe { bytes(self.body) }
    }

    /// The exchange that it was published to.
    pub fn exchange(&self) -> Cow<'_, str> {
        // SAFETY: as above.
        String::from_utf8_lossy(unsafe { bytes(sys::haigha_message_exchange(self.native.get())) })
    }

    /// The routing key that it was published with.
    pub fn routing_key(&self) -> Cow<'_, str> {
        // SAFETY: as above.
        String::from_utf8_lossy(unsafe { bytes(sys::haigha_message_routing_key(self.native.get())) })
    }

    /// Its properties, decoded now, with the headers.
    pub fn properties(&self) -> Result<Properties> {
        if self.is_bare {
            return Ok(Properties::default());
        }
        let mut native = sys::haigha_properties::default();
        let message = self.native.get();
        // SAFETY: `native` says how long it is, and borrows the message.
        check(|error| unsafe { sys::haigha_message_properties(message, &mut native, error) })?;
        let headers = match native.present & sys::HAIGHA_PROPERTY_HEADERS {
            0 => None,
            _ => Some(self.headers()?),
        };
        // SAFETY: as above.
        Ok(unsafe { Properties::read(&native, headers) })
    }

    /// Its headers, decoded now; none where it has none.
    pub fn headers(&self) -> Result<Table> {
        if self.is_bare {
            return Ok(Table::new());
        }
        let mut cursor = sys::haigha_cursor::default();
        // SAFETY: the cursor borrows the message, which is held.
        unsafe {
            check(|error| sys::haigha_message_headers(self.native.get(), &mut cursor, error))?;
            Table::read(&mut cursor)
        }
    }
}

impl Clone for Message {
    fn clone(&self) -> Self {
        // SAFETY: it is alive, so there can be another reference; the body stays where it is.
        let native = unsafe { Handle::adopt(sys::haigha_message_ref(self.native.get())) };
        let native = native.expect("a message that is alive");
        Message { native, body: self.body, is_bare: self.is_bare }
    }
}

impl AsRef<[u8]> for Message {
    fn as_ref(&self) -> &[u8] {
        self.body()
    }
}

impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Message")
            .field("exchange", &self.exchange())
            .field("routing_key", &self.routing_key())
            .field("bytes", &self.body.size)
            .finish()
    }
}

/// A message from a queue, to be settled: nothing is acknowledged by dropping it.
pub struct Delivery {
    message: Message,
    endpoint: Arc<Endpoint>,
    tag: u64,
    redelivered: bool,
}

impl Delivery {
    pub(crate) fn new(message: Message, endpoint: Arc<Endpoint>, tag: u64, redelivered: bool) -> Delivery {
        Delivery { message, endpoint, tag, redelivered }
    }

    /// An answer to a get.
    pub(crate) fn of_get(message: Message, endpoint: Arc<Endpoint>) -> Delivery {
        // SAFETY: the message is held.
        let (tag, redelivered) = unsafe {
            let native = message.native.get();
            (sys::haigha_message_delivery_tag(native), sys::haigha_message_redelivered(native) != 0)
        };
        Delivery { message, endpoint, tag, redelivered }
    }

    /// The message, to be kept without the delivery.
    pub fn into_message(self) -> Message {
        self.message
    }

    /// Its number on its channel.
    pub fn delivery_tag(&self) -> u64 {
        self.tag
    }

    /// Whether it may have been delivered before.
    pub fn redelivered(&self) -> bool {
        self.redelivered
    }

    /// It is done. Like the others below: taken at once, and not answered by the broker. Errors: it was
    /// settled before, its channel has ended, or it is of before a recovery (`Stale`).
    pub fn ack(&self) -> Result<()> {
        self.settle(sys::haigha_ack, 0)
    }

    /// It and all earlier ones of the channel are done.
    pub fn ack_multiple(&self) -> Result<()> {
        self.settle(sys::haigha_ack, sys::HAIGHA_MULTIPLE)
    }

    /// It is not done: to be given to a consumer again, or dropped, or to the queue's dead letters.
    pub fn nack(&self, requeue: bool) -> Result<()> {
        self.settle(sys::haigha_nack, if requeue { sys::HAIGHA_REQUEUE } else { 0 })
    }

    /// It and all earlier ones of the channel are not done.
    pub fn nack_multiple(&self, requeue: bool) -> Result<()> {
        self.settle(sys::haigha_nack, sys::HAIGHA_MULTIPLE | if requeue { sys::HAIGHA_REQUEUE } else { 0 })
    }

    /// The same as `nack` in AMQP's own words.
    pub fn reject(&self, requeue: bool) -> Result<()> {
        self.settle(sys::haigha_reject, if requeue { sys::HAIGHA_REQUEUE } else { 0 })
    }

    fn settle(&self, how: Settle, flags: u32) -> Result<()> {
        let channel = self.endpoint.channel();
        // SAFETY: the channel lives.
        check(|error| unsafe { how(channel, self.tag, flags, error) })
    }
}

type Settle = unsafe extern "C" fn(*mut sys::haigha_channel, u64, u32, *mut *mut sys::haigha_error) -> i32;

impl std::ops::Deref for Delivery {
    type Target = Message;
    fn deref(&self) -> &Message {
        &self.message
    }
}

impl AsRef<[u8]> for Delivery {
    fn as_ref(&self) -> &[u8] {
        self.body()
    }
}

impl std::fmt::Debug for Delivery {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Delivery").field("tag", &self.tag).field("message", &self.message).finish()
    }
}
