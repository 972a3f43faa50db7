//! What the futures and deliveries of a channel, or of a pool, hold.

use crate::connection::Core;
use crate::error::Result;
use crate::native::contain;
use crate::outcomes::{Outcomes, Sender};
use crate::reactor::Reactor;
use haigha_sys as sys;
use std::os::raw::c_void;
use std::ptr::null_mut;
use std::sync::{Arc, Weak};

/// A channel, or a pool, with what its futures and deliveries need.
pub(crate) struct Endpoint {
    pub(crate) sender: Sender,
    pub(crate) outcomes: Arc<Outcomes>,
    pub(crate) core: Arc<Core>,
}

impl Endpoint {
    /// Of what `make` makes, which is given where its events are to go.
    pub(crate) fn make(
        core: &Arc<Core>,
        make: impl FnOnce(sys::haigha_then) -> Result<Sender>,
    ) -> Result<Arc<Endpoint>> {
        let outcomes = Arc::new(Outcomes::new(core.number(), Arc::clone(&core.hub)));
        let listener =
            Arc::new(Listener { outcomes: Arc::clone(&outcomes), reactor: Arc::downgrade(core.reactor()) });
        let user_data = Arc::into_raw(listener) as *mut c_void;
        let then = sys::haigha_then {
            fn_: Some(hear),
            user_data,
            release: Some(release),
            inbox: null_mut(),
            tag: 0,
        };
        match make(then) {
            Ok(sender) => Ok(Arc::new(Endpoint { sender, outcomes, core: Arc::clone(core) })),
            Err(error) => {
                // SAFETY: what was refused has taken nothing.
                unsafe { release(user_data) };
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

/// What the library holds of a channel or a pool, until it has told its last event.
struct Listener {
    outcomes: Arc<Outcomes>,
    reactor: Weak<Reactor>,
}

unsafe extern "C" fn release(user_data: *mut c_void) {
    // SAFETY: it is the share that was given away.
    let listener = unsafe { Arc::from_raw(user_data as *const Listener) };
    contain(move || drop(listener));
}

/// On the library's thread: outcomes are so many that an inbox for them costs more than a call each.
unsafe extern "C" fn hear(event: *const sys::haigha_event, user_data: *mut c_void) {
    // SAFETY: the library gives an event that lives for the time of the call, and what it was given.
    let (event, listener) = unsafe { (&*event, &*(user_data as *const Listener)) };
    // Nothing unwinds into the library.
    contain(|| {
        // SAFETY: as above.
        unsafe {
            if event.type_ == sys::HAIGHA_EVENT_OUTCOME {
                listener.outcomes.settle(event);
                return;
            }
            listener.outcomes.hear(event);
        }
        if let Some(reactor) = listener.reactor.upgrade() {
            reactor.hear(event.type_);
        }
    });
}
