//! Connections.

use crate::channel::{Channel, ChannelOptions};
use crate::error::{Error, Result};
use crate::events::{Events, Hub, State};
use crate::native::{check, text, Handle};
use crate::operation::Operation;
use crate::options::Options;
use crate::pool::{ChannelPool, PoolOptions};
use crate::reactor::{Listener, Reactor};
use crate::value::Table;
use haigha_sys as sys;
use std::ptr::null;
use std::sync::Arc;

struct LoopInner {
    // Dropped in this order: nothing comes into the reactor's inbox after the loop is gone.
    native: Handle<sys::haigha_loop>,
    reactor: Arc<Reactor>,
}

impl Drop for LoopInner {
    fn drop(&mut self) {
        self.reactor.stop();
    }
}

/// The threads that connections live on: the library's, and one that wakes tasks. A connection has its own
/// unless it is given one that others share.
#[derive(Clone)]
pub struct EventLoop(Arc<LoopInner>);

impl EventLoop {
    /// Starts them. They end with the last connection and the last of these.
    pub fn start() -> Result<EventLoop> {
        // SAFETY: the library fills the pointer.
        let native = Handle::made(|made, error| unsafe { sys::haigha_loop_start(made, error) })?;
        Ok(EventLoop(Arc::new(LoopInner { native, reactor: Reactor::start()? })))
    }

    /// Connects on these threads.
    pub fn connect(&self, options: &Options) -> Operation<Connection> {
        Connection::on(self.clone(), options)
    }
}

impl std::fmt::Debug for EventLoop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("EventLoop")
    }
}

/// What a connection and everything on it hold.
pub(crate) struct Core {
    native: Handle<sys::haigha_connection>,
    pub(crate) hub: Arc<Hub>,
    number: u64,
    event_loop: EventLoop,
}

impl Core {
    pub(crate) fn get(&self) -> *mut sys::haigha_connection {
        self.native.get()
    }

    pub(crate) fn reactor(&self) -> &Arc<Reactor> {
        &self.event_loop.0.reactor
    }

    /// By which the reactor's listeners are told apart.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        self.reactor().forget_connection(self.number);
    }
}

/// A connection to a broker.
///
/// It is one of many handles: clones, channels, consumers and futures keep it alive. When the last one is
/// dropped it ends at once, without a word to the broker, and what was not yet written is lost;
/// [`Connection::close`] ends it in order.
#[derive(Clone)]
pub struct Connection(Arc<Core>);

/// Connects to the broker that a URI names, with options in its query: `amqp://host/vhost?recovery=1`.
pub fn connect(uri: &str) -> Operation<Connection> {
    match Options::of_uri(uri) {
        Ok(options) => Connection::open(&options),
        Err(error) => Operation::failed(error),
    }
}

/// What the connection left behind when it was stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stopped {
    /// Bytes that were taken and not written.
    pub unwritten_bytes: u64,
    /// Publishes without an outcome.
    pub unconfirmed: u64,
    /// Deliveries that were not settled, and are the broker's again.
    pub unsettled: u64,
}

impl Connection {
    /// Connects as the options say.
    pub fn open(options: &Options) -> Operation<Connection> {
        match EventLoop::start() {
            Ok(event_loop) => Connection::on(event_loop, options),
            Err(error) => Operation::failed(error),
        }
    }

    fn on(event_loop: EventLoop, options: &Options) -> Operation<Connection> {
        let core = match Connection::make(event_loop, options) {
            Ok(core) => core,
            Err(error) => return Operation::failed(error),
        };
        let opened = Connection(Arc::clone(&core));
        // SAFETY: the connection lives, and so do the arguments for the time of the call.
        let start = |then: &_, error| unsafe { sys::haigha_connection_open(core.get(), then, error) };
        Operation::start(&core, start, move |_| Ok(opened))
    }

    fn make(event_loop: EventLoop, options: &Options) -> Result<Arc<Core>> {
        let hub = Arc::new(Hub::default());
        let reactor = &event_loop.0.reactor;
        let number = reactor.next();
        let (tag, then) = reactor.listen(number, Listener::Hub(Arc::clone(&hub)));
        let native_loop = event_loop.0.native.get();
        // SAFETY: what is passed lives for the time of the call.
        let made = Handle::made(|made, error| unsafe {
            sys::haigha_connection_new(native_loop, options.get(), &then, made, error)
        });
        if made.is_err() {
            reactor.forget(tag);
        }
        Ok(Arc::new(Core { native: made?, hub, number, event_loop }))
    }

    /// A channel with publisher confirms.
    pub fn channel(&self) -> Operation<Channel> {
        self.open_channel(&ChannelOptions::default())
    }

    /// A channel as the options say.
    pub fn open_channel(&self, options: &ChannelOptions) -> Operation<Channel> {
        Channel::open(&self.0, options)
    }

    /// A pool that publishes on as many channels as it needs.
    pub fn pool(&self, options: &PoolOptions) -> Result<ChannelPool> {
        ChannelPool::open(&self.0, options)
    }

    /// What happens from now on.
    pub fn events(&self) -> Events {
        self.0.hub.subscribe()
    }

    /// The state now.
    pub fn state(&self) -> State {
        // SAFETY: the connection lives, and so below.
        State::of(unsafe { sys::haigha_connection_state(self.0.get()) })
    }

    /// Why it ended, or is recovering; None while it is neither, or was closed as asked.
    pub fn last_error(&self) -> Option<Error> {
        // SAFETY: the error is the caller's.
        let error = unsafe { Handle::adopt(sys::haigha_connection_last_error(self.0.get())) }?;
        // SAFETY: it lives.
        unsafe { Error::copied(error.get()) }
    }

    /// Ends it in order: writes what was taken, and waits for the broker's answer. Succeeds also when it had
    /// ended before.
    pub fn close(&self) -> Operation<()> {
        let core = &self.0;
        // SAFETY: as above.
        let start = |then: &_, error| unsafe { sys::haigha_connection_close(core.get(), then, error) };
        Operation::start(core, start, |_| Ok(()))
    }

    /// Ends it so that nothing is left: consumers are cancelled, deliveries are settled by the program,
    /// publishes have their outcomes, each within the option `rpc_timeout_ms`. An error, `Timeout`, when
    /// something was left.
    pub fn stop(&self) -> Operation<Stopped> {
        let core = &self.0;
        // SAFETY: as above.
        let start = |then: &_, error| unsafe { sys::haigha_connection_stop(core.get(), null(), then, error) };
        Operation::start(core, start, |reply| {
            let reply = reply.get();
            // SAFETY: the reply lives, or is NULL, which means 0.
            Ok(unsafe {
                Stopped {
                    unwritten_bytes: sys::haigha_reply_unwritten_bytes(reply),
                    unconfirmed: sys::haigha_reply_unconfirmed(reply),
                    unsettled: sys::haigha_reply_unsettled(reply),
                }
            })
        })
    }

    /// Until everything that was taken before has been handed to the operating system.
    pub fn flush(&self) -> Operation<()> {
        let core = &self.0;
        // SAFETY: as above.
        let start = |then: &_, error| unsafe { sys::haigha_connection_flush(core.get(), then, error) };
        Operation::start(core, start, |_| Ok(()))
    }

    /// Gives the broker a new secret, such as an OAuth 2 token. `reason` is for its log.
    pub fn update_secret(&self, secret: &str, reason: &str) -> Operation<()> {
        let core = &self.0;
        // SAFETY: as above; the texts are copied.
        let start = |then: &_, error| unsafe {
            sys::haigha_connection_update_secret(core.get(), text(secret), text(reason), then, error)
        };
        Operation::start(core, start, |_| Ok(()))
    }

    /// A number by name: `frame_max`, `channel_max`, `heartbeat`, `blocked`, `outbox_bytes`, `channels`,
    /// `bytes_sent`, `bytes_received`, `writes`, `reads`, `local_port`, `recoveries`, `stale_acks`,
    /// `topology_records`.
    pub fn info(&self, name: &str) -> Result<i64> {
        let mut value = 0;
        // SAFETY: as above.
        check(|error| unsafe { sys::haigha_connection_info(self.0.get(), text(name), &mut value, error) })?;
        Ok(value)
    }

    /// What the broker says of itself: `product`, `version`, `capabilities`, ...
    pub fn server_properties(&self) -> Result<Table> {
        // SAFETY: as above.
        read_table(|made, error| unsafe {
            sys::haigha_connection_server_properties(self.0.get(), made, error)
        })
    }

    /// What is known of the other end: `transport`, `security`, `peer_address`, `tls_version`, ...
    pub fn peer_info(&self) -> Result<Table> {
        // SAFETY: as above.
        read_table(|made, error| unsafe { sys::haigha_connection_peer_info(self.0.get(), made, error) })
    }
}

fn read_table(
    make: impl FnOnce(*mut *mut sys::haigha_table, *mut *mut sys::haigha_error) -> i32,
) -> Result<Table> {
    let table = Handle::made(make)?;
    // SAFETY: a cursor may be zero, and walks the table, which lives.
    unsafe {
        let mut cursor: sys::haigha_cursor = std::mem::zeroed();
        sys::haigha_table_cursor(table.get(), &mut cursor);
        Table::read(&mut cursor)
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("state", &self.state()).finish()
    }
}
