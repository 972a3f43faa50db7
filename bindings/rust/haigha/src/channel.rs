//! Channels: topology, publishing, consuming.

use crate::body::{Body, Confirmation};
use crate::connection::Core;
use crate::consumer::{ConsumeOptions, Consumer};
use crate::delivery::{Delivery, Message};
use crate::endpoint::Endpoint;
use crate::error::{Error, Result};
use crate::events::State;
use crate::native::{check, text, Handle};
use crate::operation::{Operation, Reply};
use crate::outcomes::{Head, Sender};
use crate::properties::Properties;
use haigha_sys as sys;
use std::ptr::null;
use std::sync::Arc;
use std::time::Duration;

/// What is done about a channel that the broker closes while its connection lives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RecoveryPolicy {
    /// Its end is the end.
    #[default]
    Report,
    /// It is opened again; its consumers have ended.
    Reopen,
    /// And its consumers consume again.
    Resubscribe,
}

/// What becomes of publishes without an outcome when their channel is lost and comes back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PublishPolicy {
    /// They end as `OutcomeUnknown` or `NotSent`; meanwhile publishes are refused.
    #[default]
    Fail,
    /// What never left is kept, and sent when the channel is back.
    KeepUnsent,
    /// What was on the wire is sent again too: it may arrive twice.
    Resend,
}

/// How a channel is opened.
#[derive(Clone, Debug)]
pub struct ChannelOptions {
    /// With publisher confirms, which is the default.
    pub confirm: bool,
    /// When the broker closes it.
    pub recovery_policy: RecoveryPolicy,
    /// When it is lost. With `confirm`.
    pub publish_policy: PublishPolicy,
    /// Whether returns are matched by a header of their own, `x-haigha-sequence`. With `confirm`.
    pub correlate_returns: bool,
    /// How many publishes may be without an outcome; beyond it they wait. 0: any number.
    pub max_in_flight: u64,
    /// How many bytes of their bodies. 0: any number.
    pub max_in_flight_bytes: u64,
    /// How old a publish may be when it is sent again. Zero: of any age.
    pub publish_max_age: Duration,
}

impl Default for ChannelOptions {
    fn default() -> Self {
        ChannelOptions {
            confirm: true,
            recovery_policy: RecoveryPolicy::default(),
            publish_policy: PublishPolicy::default(),
            correlate_returns: false,
            max_in_flight: 0,
            max_in_flight_bytes: 0,
            publish_max_age: Duration::ZERO,
        }
    }
}

/// What goes with a message that is published.
#[derive(Clone, Debug, Default)]
pub struct PublishOptions {
    /// What no queue takes is to come back: [`ErrorKind::Returned`](crate::ErrorKind::Returned).
    pub mandatory: bool,
    /// Its properties.
    pub properties: Option<Properties>,
}

/// A channel: what is called on it reaches the broker in the order of the calls.
///
/// Clones are the same channel. When the last of them, and of its consumers, deliveries and futures, is
/// dropped it is closed without a word.
#[derive(Clone)]
pub struct Channel(pub(crate) Arc<Endpoint>);

pub(crate) fn nothing(_: Reply) -> Result<()> {
    Ok(())
}

impl Channel {
    pub(crate) fn open(core: &Arc<Core>, options: &ChannelOptions) -> Operation<Channel> {
        let mut args = sys::haigha_channel_args {
            confirm: options.confirm.into(),
            correlate_returns: options.correlate_returns.into(),
            recovery_policy: match options.recovery_policy {
                RecoveryPolicy::Report => sys::HAIGHA_CHANNEL_REPORT,
                RecoveryPolicy::Reopen => sys::HAIGHA_CHANNEL_REOPEN,
                RecoveryPolicy::Resubscribe => sys::HAIGHA_CHANNEL_RESUBSCRIBE,
            },
            publish_policy: match options.publish_policy {
                PublishPolicy::Fail => sys::HAIGHA_PUBLISH_FAIL,
                PublishPolicy::KeepUnsent => sys::HAIGHA_PUBLISH_KEEP_UNSENT,
                PublishPolicy::Resend => sys::HAIGHA_PUBLISH_RESEND,
            },
            max_in_flight: options.max_in_flight,
            max_in_flight_bytes: options.max_in_flight_bytes,
            publish_max_age_ms: options.publish_max_age.as_millis().min(u64::MAX.into()) as u64,
            ..Default::default()
        };
        let made = Arc::new(std::sync::Mutex::new(None));
        let opened = Arc::clone(&made);
        let start = |then: &sys::haigha_then, error: *mut *mut sys::haigha_error| {
            let mut status = sys::HAIGHA_OK;
            let endpoint = Endpoint::make(core, |events| {
                args.events = events;
                let mut channel = std::ptr::null_mut();
                // SAFETY: what is passed lives for the time of the call; the channel is its caller's.
                unsafe {
                    status = sys::haigha_channel_open(core.get(), &args, then, &mut channel, error);
                    Handle::adopt(channel).map(Sender::Channel).ok_or_else(|| Error::of_status(status))
                }
            });
            *crate::reactor::lock(&made) = endpoint.ok();
            status
        };
        Operation::start(core, start, move |_| {
            let endpoint = crate::reactor::lock(&opened).take();
            endpoint.map(Channel).ok_or_else(|| Error::of_status(sys::HAIGHA_ERR_INTERNAL))
        })
    }

    /// A call whose arguments live until it returns.
    pub(crate) fn call<T>(
        &self,
        start: impl FnOnce(*mut sys::haigha_channel, &sys::haigha_then, *mut *mut sys::haigha_error) -> i32,
        convert: impl FnOnce(Reply) -> Result<T> + Send + 'static,
    ) -> Operation<T> {
        Operation::start(&self.0.core, |then, error| start(self.0.channel(), then, error), convert)
    }

    /// The number on the wire.
    pub fn id(&self) -> u16 {
        // SAFETY: the channel lives, and so in all below, as do the arguments of each call.
        unsafe { sys::haigha_channel_id(self.0.channel()) }
    }

    /// The state now.
    pub fn state(&self) -> State {
        // SAFETY: as above.
        State::of(unsafe { sys::haigha_channel_state(self.0.channel()) })
    }

    /// Why it ended; None while it has not, or was closed as asked.
    pub fn last_error(&self) -> Option<Error> {
        // SAFETY: the error is the caller's, and lives for the time of the copy.
        unsafe {
            let error = Handle::adopt(sys::haigha_channel_last_error(self.0.channel()))?;
            Error::copied(error.get())
        }
    }

    /// Closes it after what was called before. Its consumers end.
    pub fn close(&self) -> Operation<()> {
        // SAFETY: as above.
        self.call(|channel, then, error| unsafe { sys::haigha_channel_close(channel, then, error) }, nothing)
    }

    // ---- publishing

    /// Publishes a message; an empty exchange routes to the queue of that name.
    pub fn publish<'a>(&self, exchange: &str, routing_key: &str, body: impl Into<Body<'a>>) -> Confirmation {
        let head = Head { exchange, routing_key, properties: None, mandatory: false };
        Confirmation::publish(&self.0, &self.0.sender, head, body.into())
    }

    /// Publishes a message with properties, or one that is to come back when no queue takes it.
    pub fn publish_with<'a>(
        &self,
        exchange: &str,
        routing_key: &str,
        body: impl Into<Body<'a>>,
        options: &PublishOptions,
    ) -> Confirmation {
        let head = Head {
            exchange,
            routing_key,
            properties: options.properties.as_ref(),
            mandatory: options.mandatory,
        };
        Confirmation::publish(&self.0, &self.0.sender, head, body.into())
    }

    /// Encodes everything but the body once, for many messages.
    pub fn publisher(
        &self,
        exchange: &str,
        routing_key: &str,
        options: &PublishOptions,
    ) -> Result<Publisher> {
        let native = options.properties.as_ref().map(Properties::native).transpose()?;
        let args = sys::haigha_publish_args {
            exchange: text(exchange),
            routing_key: text(routing_key),
            properties: native.as_ref().map_or(null(), |native| &native.properties),
            mandatory: options.mandatory.into(),
            ..Default::default()
        };
        // SAFETY: as above.
        let publisher = Handle::made(|made, error| unsafe {
            sys::haigha_publisher_new(self.0.channel(), &args, made, error)
        })?;
        Ok(Publisher { sender: Sender::Publisher(publisher), endpoint: Arc::clone(&self.0) })
    }

    /// Publisher confirms from here on, of a channel that was opened without.
    pub fn confirm_select(&self) -> Operation<()> {
        // SAFETY: as above.
        self.call(|channel, then, error| unsafe { sys::haigha_confirm_select(channel, then, error) }, nothing)
    }

    /// Transactions: publishes and acks take effect at commit. Not with confirms.
    pub fn tx_select(&self) -> Operation<()> {
        // SAFETY: as above.
        self.call(|channel, then, error| unsafe { sys::haigha_tx_select(channel, then, error) }, nothing)
    }

    /// What was done since the last one takes effect.
    pub fn tx_commit(&self) -> Operation<()> {
        // SAFETY: as above.
        self.call(|channel, then, error| unsafe { sys::haigha_tx_commit(channel, then, error) }, nothing)
    }

    /// It does not.
    pub fn tx_rollback(&self) -> Operation<()> {
        // SAFETY: as above.
        self.call(|channel, then, error| unsafe { sys::haigha_tx_rollback(channel, then, error) }, nothing)
    }

    // ---- consuming

    /// How many deliveries may be unsettled at a time, for each consumer that is started afterwards; 0: any
    /// number. Unless it is called it is the option `prefetch`, 300.
    pub fn qos(&self, prefetch_count: u16) -> Operation<()> {
        let args = sys::haigha_qos_args { prefetch_count, ..Default::default() };
        // SAFETY: as above.
        self.call(|channel, then, error| unsafe { sys::haigha_qos(channel, &args, then, error) }, nothing)
    }

    /// Starts a consumer: a `Stream` of deliveries.
    pub fn consume(&self, queue: &str, options: &ConsumeOptions) -> Operation<Consumer> {
        Consumer::start(self, queue, options)
    }

    /// One message, if there is one. What nobody awaits goes back to the queue.
    pub fn get(&self, queue: &str, no_ack: bool) -> Operation<Option<Delivery>> {
        let args = sys::haigha_get_args { queue: text(queue), no_ack: no_ack.into(), ..Default::default() };
        let read = |reply: &Reply, endpoint: Arc<Endpoint>| {
            // SAFETY: the message is the reply's, which lives.
            let message = unsafe { Message::another(sys::haigha_reply_message(reply.get())) };
            message.map(|message| Delivery::of_get(message, endpoint))
        };
        let endpoint = Arc::clone(&self.0);
        // SAFETY: as above.
        let start = |channel, then: &_, error| unsafe { sys::haigha_get(channel, &args, then, error) };
        let got = self.call(start, move |reply| Ok(read(&reply, endpoint)));
        if no_ack {
            return got;
        }
        let endpoint = Arc::downgrade(&self.0);
        got.or_else_when_dropped(move |reply| {
            let delivery = endpoint.upgrade().and_then(|endpoint| read(&reply, endpoint));
            if let Some(delivery) = delivery {
                // A channel that has ended has given it back.
                let _ = delivery.nack(true);
            }
        })
    }

    /// All that was delivered so far is done.
    pub fn ack_all(&self) -> Result<()> {
        // SAFETY: as above.
        check(|error| unsafe { sys::haigha_ack(self.0.channel(), 0, sys::HAIGHA_MULTIPLE, error) })
    }

    /// Deliveries that are not settled come again.
    pub fn recover(&self) -> Operation<()> {
        // SAFETY: as above.
        self.call(|channel, then, error| unsafe { sys::haigha_recover(channel, 1, then, error) }, nothing)
    }
}

impl std::fmt::Debug for Channel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Channel").field("id", &self.id()).field("state", &self.state()).finish()
    }
}

/// A prepared publish: exchange, routing key and properties are encoded once.
pub struct Publisher {
    sender: Sender,
    endpoint: Arc<Endpoint>,
}

impl Publisher {
    /// Publishes one message.
    pub fn publish<'a>(&self, body: impl Into<Body<'a>>) -> Confirmation {
        let head = Head { exchange: "", routing_key: "", properties: None, mandatory: false };
        Confirmation::publish(&self.endpoint, &self.sender, head, body.into())
    }
}

impl std::fmt::Debug for Publisher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Publisher")
    }
}
