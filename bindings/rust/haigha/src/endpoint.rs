//! What the futures and deliveries of a channel, or of a pool, hold.

use crate::connection::Core;
use crate::error::Result;
use crate::outcomes::{Outcomes, Sender};
use crate::reactor::Listener;
use haigha_sys as sys;
use std::sync::Arc;

/// A channel, or a pool, with what its futures and deliveries need.
pub(crate) struct Endpoint {
    pub(crate) sender: Sender,
    pub(crate) outcomes: Arc<Outcomes>,
    tag: u64,
    pub(crate) core: Arc<Core>,
}

impl Endpoint {
    /// Of what `make` makes, which is given where its events are to go.
    pub(crate) fn make(
        core: &Arc<Core>,
        make: impl FnOnce(sys::haigha_then) -> Result<Sender>,
    ) -> Result<Arc<Endpoint>> {
        let outcomes = Arc::new(Outcomes::new(core.number(), Arc::clone(&core.hub)));
        let (tag, then) = core.reactor().listen(core.number(), Listener::Outcomes(Arc::clone(&outcomes)));
        match make(then) {
            Ok(sender) => Ok(Arc::new(Endpoint { sender, outcomes, tag, core: Arc::clone(core) })),
            Err(error) => {
                core.reactor().forget(tag);
                Err(error)
            }
        }
    }

    /// NULL, which the library refuses, for a pool.
    pub(crate) fn channel(&self) -> *mut sys::haigha_channel {
        match &self.sender {
            Sender::Channel(channel) => channel.get(),
            _ => std::ptr::null_mut(),
        }
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.core.reactor().forget(self.tag);
    }
}
