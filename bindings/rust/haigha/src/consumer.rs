//! Consumers.

use crate::channel::Channel;
use crate::delivery::{Delivery, Message};
use crate::endpoint::Endpoint;
use crate::error::{Error, ErrorKind, Result};
use crate::native::{text, Handle};
use crate::operation::{Operation, Reply};
use crate::reactor::{cancel, new_inbox, poll, Abandoned, BATCH};
use crate::sleeper::Sleeper;
use crate::value::Table;
use futures_core::Stream;
use haigha_sys as sys;
use std::pin::Pin;
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;
use std::task::{Context, Poll};

/// How a consumer is started.
#[derive(Clone, Debug, Default)]
pub struct ConsumeOptions {
    /// Its name on its channel; empty: one is made.
    pub consumer_tag: String,
    /// Deliveries need no ack, and are lost with the process.
    pub no_ack: bool,
    /// Nobody else consumes from the queue.
    pub exclusive: bool,
    /// Not what this connection publishes. RabbitMQ ignores it.
    pub no_local: bool,
    /// When it does not keep up it is paused by the broker, and the connection is read on. For consumers
    /// without acks; not with a queue that is deleted when nobody consumes.
    pub pause_when_full: bool,
    /// Such as `x-priority`.
    pub arguments: Table,
}

/// A consumer: a `Stream` of deliveries, which are fetched from the library in batches.
///
/// It ends after [`Consumer::cancel`]; with one error of the kind
/// [`ConsumerCancelled`](ErrorKind::ConsumerCancelled) when the broker cancels it, and with its channel's error
/// when that has ended. It goes on over recoveries. Dropping it cancels it, and what it had fetched goes back
/// to the queue.
pub struct Consumer {
    endpoint: Arc<Endpoint>,
    inbox: Handle<sys::haigha_inbox>,
    tag: String,
    no_ack: bool,
    sleeper: Arc<Sleeper>,
    /// Fetched: from `at` to `count` not yet given away. They borrow the inbox until it is polled again.
    batch: Vec<sys::haigha_event>,
    at: usize,
    count: usize,
    ended: bool,
}

// SAFETY: what the batch points to may be read on any thread, and is reached through `&mut` alone.
unsafe impl Send for Consumer {}
// SAFETY: as above.
unsafe impl Sync for Consumer {}

static NEXT_TAG: AtomicU64 = AtomicU64::new(1);

impl Consumer {
    pub(crate) fn start(channel: &Channel, queue: &str, options: &ConsumeOptions) -> Operation<Consumer> {
        let (mut consumer, table) = match Consumer::make(channel, options) {
            Ok(made) => made,
            Err(error) => return Operation::failed(error),
        };
        let args = sys::haigha_consume_args {
            queue: text(queue),
            consumer_tag: text(&consumer.tag),
            deliveries: sys::haigha_then { inbox: consumer.inbox.get(), ..Default::default() },
            no_local: options.no_local.into(),
            no_ack: options.no_ack.into(),
            exclusive: options.exclusive.into(),
            pause_when_full: options.pause_when_full.into(),
            arguments: table.as_ref().map_or(null(), |table| table.get()),
            ..Default::default()
        };
        let mut started = false;
        let call = |then: &_, error| {
            // SAFETY: the channel and the arguments live for the time of the call.
            let status = unsafe { sys::haigha_consume(channel.0.channel(), &args, then, error) };
            started = status == sys::HAIGHA_OK;
            status
        };
        // It is with the operation before it is known whether it was started: then there is nothing to cancel.
        let place = Arc::new(std::sync::Mutex::new(None));
        let taken = Arc::clone(&place);
        let operation = Operation::start_and_end(&channel.0.core, call, move |result| {
            let consumer: Option<Consumer> = crate::reactor::lock(&taken).take();
            let mut consumer = consumer.ok_or_else(|| Error::of_status(sys::HAIGHA_ERR_INTERNAL))?;
            // One that was refused is nothing that could be cancelled.
            consumer.ended = result.is_err();
            result.map(|_| consumer)
        });
        consumer.ended = !started;
        *crate::reactor::lock(&place) = Some(consumer);
        operation
    }

    fn make(
        channel: &Channel,
        options: &ConsumeOptions,
    ) -> Result<(Consumer, Option<Handle<sys::haigha_table>>)> {
        let table = options.arguments.native()?;
        let inbox = new_inbox()?;
        let endpoint = Arc::clone(&channel.0);
        let sleeper = Sleeper::of(&inbox)?;
        let tag = match options.consumer_tag.as_str() {
            "" => format!("rust-{}", NEXT_TAG.fetch_add(1, Ordering::Relaxed)),
            tag => tag.to_owned(),
        };
        let no_ack = options.no_ack;
        let batch = vec![sys::haigha_event::default(); BATCH];
        let consumer =
            Consumer { endpoint, inbox, tag, no_ack, sleeper, batch, at: 0, count: 0, ended: false };
        Ok((consumer, table))
    }

    /// Its name on its channel.
    pub fn tag(&self) -> &str {
        &self.tag
    }

    /// The next delivery; None at the end.
    pub async fn next(&mut self) -> Option<Result<Delivery>> {
        crate::block::NextOf(self).await
    }

    /// Asks for its end. What was on its way still comes, and then the stream ends. Errors: `Recovering`,
    /// `WouldBlock`: it goes on.
    pub fn cancel(&self) -> Operation<()> {
        self.call(sys::haigha_cancel, |_| Ok(()))
    }

    /// Stops it for a while: the broker knows nothing of it until it is resumed. Errors: `Argument`: it is not
    /// running; `Recovering`.
    pub fn pause(&self) -> Operation<()> {
        self.call(sys::haigha_consumer_pause, |_| Ok(()))
    }

    /// Has it go on. Errors: `Argument`: it is not paused; `Recovering`.
    pub fn resume(&self) -> Operation<()> {
        self.call(sys::haigha_consumer_resume, |_| Ok(()))
    }

    fn call<T>(&self, call: Call, convert: impl FnOnce(Reply) -> Result<T> + Send + 'static) -> Operation<T> {
        let channel = Channel(Arc::clone(&self.endpoint));
        // SAFETY: the channel lives, and the tag is copied.
        channel.call(|channel, then, error| unsafe { call(channel, text(&self.tag), then, error) }, convert)
    }

    /// Of what was fetched.
    fn pop(&mut self) -> Option<Result<Delivery>> {
        while self.at < self.count {
            let event = &self.batch[self.at];
            self.at += 1;
            match event.type_ {
                sys::HAIGHA_EVENT_DELIVERY => {
                    // SAFETY: the event lives until the inbox is polled again.
                    let message = unsafe { Message::kept(event) };
                    let redelivered = event.flags & sys::HAIGHA_FLAG_REDELIVERED != 0;
                    let tag = event.number;
                    let endpoint = Arc::clone(&self.endpoint);
                    return message.map(|message| Ok(Delivery::new(message, endpoint, tag, redelivered)));
                }
                sys::HAIGHA_EVENT_CONSUMER_CANCELLED => {
                    self.ended = true;
                    // SAFETY: as above.
                    let error = unsafe { Error::copied(event.error) }?;
                    // The broker cancelled it alone, or its channel has ended.
                    return Some(Err(match error.method() {
                        "basic.cancel" => Error::of_kind(ErrorKind::ConsumerCancelled, Some(error)),
                        _ => error,
                    }));
                }
                _ => {}
            }
        }
        None
    }
}

type Call = unsafe extern "C" fn(
    *mut sys::haigha_channel,
    sys::haigha_str,
    *const sys::haigha_then,
    *mut *mut sys::haigha_error,
) -> i32;

impl Stream for Consumer {
    type Item = Result<Delivery>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            if let Some(item) = this.pop() {
                return Poll::Ready(Some(item));
            }
            if this.ended {
                return Poll::Ready(None);
            }
            this.at = 0;
            this.count = poll(&this.inbox, &mut this.batch);
            if this.count > 0 {
                continue;
            }
            this.sleeper.sleep(context.waker());
            // What came before that was not told.
            this.count = poll(&this.inbox, &mut this.batch);
            if this.count == 0 {
                // A forked child has nothing to wait for.
                return match this.endpoint.core.reactor().process().check() {
                    Ok(()) => Poll::Pending,
                    Err(error) => {
                        this.ended = true;
                        Poll::Ready(Some(Err(error)))
                    }
                };
            }
        }
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        self.sleeper.leave(&self.inbox);
        if self.ended {
            return;
        }
        let channel = self.endpoint.channel();
        let is_asked = cancel(channel, &self.tag);
        if self.no_ack && is_asked {
            return;
        }
        if !self.no_ack {
            for event in &self.batch[self.at..self.count] {
                if event.type_ == sys::HAIGHA_EVENT_DELIVERY {
                    // SAFETY: the channel lives. An error says that it has ended, which gives back as well.
                    unsafe { sys::haigha_nack(channel, event.number, sys::HAIGHA_REQUEUE, null_mut()) };
                }
            }
        }
        // SAFETY: both live, so there can be another reference.
        let kept = unsafe {
            (
                Handle::adopt(sys::haigha_channel_ref(channel)),
                Handle::adopt(sys::haigha_inbox_ref(self.inbox.get())),
            )
        };
        if let (Some(channel), Some(inbox)) = kept {
            let core = &self.endpoint.core;
            let tag = if is_asked { None } else { Some(std::mem::take(&mut self.tag)) };
            let connection = core.number();
            core.reactor().abandon(Abandoned { connection, channel, inbox, no_ack: self.no_ack, tag });
        }
    }
}

impl std::fmt::Debug for Consumer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Consumer").field("tag", &self.tag).field("ended", &self.ended).finish()
    }
}
