//! Who waits for an inbox of its own, and is woken by the library's thread.

use crate::error::Result;
use crate::native::{check, contain, Handle};
use crate::reactor::{lock, wake};
use haigha_sys as sys;
use std::os::raw::c_void;
use std::ptr::null_mut;
use std::sync::{Arc, Mutex};
use std::task::Waker;

#[derive(Default)]
pub(crate) struct Sleeper(Mutex<Option<Waker>>);

impl Sleeper {
    /// It is woken when something comes to the inbox, where nothing was.
    pub(crate) fn of(inbox: &Handle<sys::haigha_inbox>) -> Result<Arc<Sleeper>> {
        let sleeper = Arc::new(Sleeper::default());
        let share = Arc::into_raw(Arc::clone(&sleeper));
        // SAFETY: the inbox lives, and the share is the library's until `release`.
        let set = check(|error| unsafe {
            let data = share as *mut c_void;
            sys::haigha_inbox_set_ready(inbox.get(), Some(ready), data, Some(release), error)
        });
        if set.is_err() {
            // SAFETY: what was refused is the caller's still.
            unsafe { drop(Arc::from_raw(share)) };
        }
        set.map(|()| sleeper)
    }

    /// Has the one task woken that waits. What has come before is not told: look again.
    pub(crate) fn sleep(&self, waker: &Waker) {
        let mut place = lock(&self.0);
        match &*place {
            Some(before) if before.will_wake(waker) => {}
            _ => {
                // Its drop may be that of another task.
                let before = place.replace(waker.clone());
                drop(place);
                drop(before);
            }
        }
    }

    fn take(&self) -> Option<Waker> {
        lock(&self.0).take()
    }

    /// Nobody waits any more, and the inbox's descriptor tells of it.
    pub(crate) fn leave(&self, inbox: &Handle<sys::haigha_inbox>) {
        // SAFETY: the inbox lives. In a forked child there is nothing to be told.
        unsafe { sys::haigha_inbox_set_ready(inbox.get(), None, null_mut(), None, null_mut()) };
        drop(self.take());
    }
}

/// # Safety
/// `data` is the share that the library has.
unsafe extern "C" fn ready(data: *mut c_void) {
    // SAFETY: as above, until `release`.
    let sleeper = unsafe { &*data.cast::<Sleeper>() };
    if let Some(waker) = sleeper.take() {
        wake(waker);
    }
}

/// # Safety
/// `data` is the share that the library has, and leaves.
unsafe extern "C" fn release(data: *mut c_void) {
    // SAFETY: as above.
    contain(|| drop(unsafe { Arc::from_raw(data.cast::<Sleeper>()) }));
}
