//! An AMQP 0-9-1 client over libhaigha, a library that does the protocol, TLS, recovery and flow control on a
//! thread of its own. Futures and streams of this crate run in any runtime: nothing here knows one.
//!
//! ```no_run
//! # fn main() -> haigha::Result<()> { haigha::block_on(async {
//! let connection = haigha::connect("amqp://localhost").await?;
//! let channel = connection.channel().await?;
//! channel.publish("", "work", b"hello").await?; // ends when the broker has confirmed it
//! # Ok(()) }) }
//! ```
//!
//! Calls are made when they are called, not when they are awaited: the broker hears them in their order,
//! and awaiting tells how they ended. Nothing here blocks, but [`block_on`].

#![deny(missing_docs, unsafe_op_in_unsafe_fn)]
#![warn(unreachable_pub)]

mod block;
mod body;
mod channel;
mod connection;
mod consumer;
mod delivery;
mod endpoint;
mod error;
mod events;
mod native;
mod operation;
mod options;
mod outcomes;
mod pool;
mod properties;
mod reactor;
mod readiness;
mod sleeper;
mod topology;
mod value;

pub use block::block_on;
pub use body::{Body, Confirmation};
pub use channel::{Channel, ChannelOptions, PublishOptions, PublishPolicy, Publisher, RecoveryPolicy};
pub use connection::{connect, Connection, EventLoop, Stopped};
pub use consumer::{ConsumeOptions, Consumer};
pub use delivery::{Delivery, Message};
pub use error::{Error, ErrorKind, Result};
pub use events::{Entity, Event, Events, State};
pub use operation::Operation;
pub use options::{describe_options, OptionInfo, OptionValue, Options};
pub use pool::{ChannelPool, PoolMode, PoolOptions, PoolRetry};
pub use properties::Properties;
pub use topology::{ExchangeOptions, Queue, QueueOptions};
pub use value::{Table, Value};

// The README's other programs.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

/// The version of the library that is in use, such as `0.1.0`.
pub fn library_version() -> &'static str {
    // SAFETY: static text.
    unsafe { std::ffi::CStr::from_ptr(haigha_sys::haigha_version_string()) }.to_str().unwrap_or("")
}
