//! Pools of channels.

use crate::body::{Body, Confirmation};
use crate::channel::PublishOptions;
use crate::connection::Core;
use crate::endpoint::Endpoint;
use crate::error::Result;
use crate::native::{check, text, Handle};
use crate::operation::Operation;
use crate::outcomes::{Head, Sender};
use haigha_sys as sys;
use std::sync::Arc;

/// How a pool knows that a message is safe.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PoolMode {
    /// Publisher confirms.
    #[default]
    Confirm,
    /// Transactions, for brokers without confirms. Slower.
    Transactions,
}

/// What is published again when its channel has died.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PoolRetry {
    /// Everything: a message may arrive twice, and is not lost.
    #[default]
    All,
    /// What certainly has not arrived.
    Safe,
    /// Nothing.
    None,
}

/// How a pool is made. What is 0 has the library's default.
#[derive(Clone, Debug, Default)]
pub struct PoolOptions {
    /// How a message is safe.
    pub mode: PoolMode,
    /// What is published again.
    pub retry: PoolRetry,
    /// As [`ChannelOptions::correlate_returns`](crate::ChannelOptions::correlate_returns).
    pub correlate_returns: bool,
    /// At most 65,535; 0: 16.
    pub max_channels: u32,
    /// How often a message may be published where it may have arrived; 0: any number of times.
    pub max_attempts: u32,
    /// Messages under way on one channel; 0: 1,024.
    pub max_in_flight: u64,
    /// Messages without an outcome; 0: 65,536. Beyond it they wait outside the pool.
    pub max_messages: u64,
    /// Bytes of their bodies; 0: 64 MiB.
    pub max_bytes: u64,
}

/// Publishes on as many channels as it needs, and again what was under way when a channel died. Messages on
/// different channels may overtake each other: where order counts, `max_channels` is 1.
#[derive(Clone)]
pub struct ChannelPool(Arc<Endpoint>);

impl ChannelPool {
    pub(crate) fn open(core: &Arc<Core>, options: &PoolOptions) -> Result<ChannelPool> {
        let make = |events| {
            let args = sys::haigha_pool_args {
                events,
                mode: match options.mode {
                    PoolMode::Confirm => sys::HAIGHA_POOL_CONFIRM,
                    PoolMode::Transactions => sys::HAIGHA_POOL_TX,
                },
                retry: match options.retry {
                    PoolRetry::All => sys::HAIGHA_POOL_RETRY_ALL,
                    PoolRetry::Safe => sys::HAIGHA_POOL_RETRY_SAFE,
                    PoolRetry::None => sys::HAIGHA_POOL_RETRY_NONE,
                },
                correlate_returns: options.correlate_returns.into(),
                max_channels: options.max_channels,
                max_attempts: options.max_attempts,
                max_in_flight: options.max_in_flight,
                max_messages: options.max_messages,
                max_bytes: options.max_bytes,
                ..Default::default()
            };
            // SAFETY: what is passed lives for the time of the call.
            Handle::made(|made, error| unsafe { sys::haigha_pool_new(core.get(), &args, made, error) })
                .map(Sender::Pool)
        };
        Endpoint::make(core, make).map(ChannelPool)
    }

    fn get(&self) -> *mut sys::haigha_pool {
        match &self.0.sender {
            Sender::Pool(pool) => pool.get(),
            _ => std::ptr::null_mut(),
        }
    }

    /// Publishes a message; the future ends with its outcome. A body is always copied.
    pub fn publish<'a>(
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

    /// Until every message that was taken before has its outcome.
    pub fn drain(&self) -> Operation<()> {
        // SAFETY: the pool lives, and so below.
        let start = |then: &_, error| unsafe { sys::haigha_pool_drain(self.get(), then, error) };
        Operation::start(&self.0.core, start, |_| Ok(()))
    }

    /// Takes no more messages, and closes its channels; what waits ends as `NotSent`.
    pub fn close(&self) -> Operation<()> {
        // SAFETY: as above.
        let start = |then: &_, error| unsafe { sys::haigha_pool_close(self.get(), then, error) };
        Operation::start(&self.0.core, start, |_| Ok(()))
    }

    /// A number by name: `channels`, `published`, `unsettled`, `waiting`, `retried`, `confirmed`, `nacked`,
    /// `returned`, `not_sent`, `unknown`, `refused`, ...
    pub fn info(&self, name: &str) -> Result<i64> {
        let mut value = 0;
        // SAFETY: as above.
        check(|error| unsafe { sys::haigha_pool_info(self.get(), text(name), &mut value, error) })?;
        Ok(value)
    }
}

impl std::fmt::Debug for ChannelPool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ChannelPool")
    }
}
