//! Waiting for many descriptors at once: Linux's epoll, without a crate for five functions.

use crate::error::{Error, Result};
use haigha_sys as sys;
use std::os::raw::c_int;

const CLOEXEC: c_int = 0o2_000_000;
const NONBLOCK: c_int = 0o4000;
const ADD: c_int = 1;
const DELETE: c_int = 2;
const MODIFY: c_int = 3;
const READABLE: u32 = 1;
const ONE_SHOT: u32 = 1 << 30;

#[repr(C)]
#[cfg_attr(target_arch = "x86_64", repr(packed))]
#[derive(Clone, Copy)]
struct EpollEvent {
    events: u32,
    data: u64,
}

extern "C" {
    fn epoll_create1(flags: c_int) -> c_int;
    fn epoll_ctl(epoll: c_int, operation: c_int, fd: c_int, event: *mut EpollEvent) -> c_int;
    fn epoll_wait(epoll: c_int, events: *mut EpollEvent, capacity: c_int, timeout_ms: c_int) -> c_int;
    fn eventfd(initial: u32, flags: c_int) -> c_int;
    fn eventfd_write(fd: c_int, value: u64) -> c_int;
    fn close(fd: c_int) -> c_int;
}

struct Descriptor(c_int);

impl Descriptor {
    fn new(fd: c_int) -> Result<Descriptor> {
        if fd < 0 {
            return Err(Error::of_status(sys::HAIGHA_ERR_IO));
        }
        Ok(Descriptor(fd))
    }
}

impl Drop for Descriptor {
    fn drop(&mut self) {
        // SAFETY: the descriptor is this one's.
        unsafe { close(self.0) };
    }
}

/// The process that something was made in. In one that was forked since, nobody is told anything: the threads
/// that would are the parent's.
#[derive(Clone, Copy)]
pub(crate) struct Process(u32);

impl Process {
    pub(crate) fn this() -> Process {
        Process(std::process::id())
    }

    /// An error in another one.
    pub(crate) fn check(self) -> Result<()> {
        match std::process::id() == self.0 {
            true => Ok(()),
            false => Err(Error::of_status(sys::HAIGHA_ERR_FORKED)),
        }
    }
}

/// Descriptors by keys of the owner's, and one key more by which the waiter can be woken.
pub(crate) struct Readiness {
    epoll: Descriptor,
    waker: Descriptor,
    process: Process,
}

impl Readiness {
    pub(crate) fn new(waker_key: u64) -> Result<Readiness> {
        // SAFETY: these take no memory of ours.
        let (epoll, waker) = unsafe {
            (Descriptor::new(epoll_create1(CLOEXEC))?, Descriptor::new(eventfd(0, CLOEXEC | NONBLOCK))?)
        };
        let readiness = Readiness { epoll, waker, process: Process::this() };
        readiness.control(ADD, readiness.waker.0, READABLE, waker_key)?;
        Ok(readiness)
    }

    pub(crate) fn process(&self) -> Process {
        self.process
    }

    fn control(&self, operation: c_int, fd: c_int, events: u32, key: u64) -> Result<()> {
        // What is waited for is one with the parent's, which would feel it.
        self.process.check()?;
        let mut event = EpollEvent { events, data: key };
        // SAFETY: `event` lives for the time of the call.
        match unsafe { epoll_ctl(self.epoll.0, operation, fd, &mut event) } {
            0 => Ok(()),
            _ => Err(Error::of_status(sys::HAIGHA_ERR_IO)),
        }
    }

    /// Tells each time that `fd` is readable.
    pub(crate) fn watch(&self, fd: c_int, key: u64) -> Result<()> {
        self.control(ADD, fd, READABLE, key)
    }

    /// Tells nothing yet.
    pub(crate) fn add(&self, fd: c_int, key: u64) -> Result<()> {
        self.control(ADD, fd, ONE_SHOT, key)
    }

    /// Tells once that `fd`, which was added, is readable.
    pub(crate) fn arm(&self, fd: c_int, key: u64) -> Result<()> {
        self.control(MODIFY, fd, READABLE | ONE_SHOT, key)
    }

    pub(crate) fn remove(&self, fd: c_int) {
        // It was added, and is open: nothing can be wrong, but that the process was forked.
        let _ = self.control(DELETE, fd, 0, 0);
    }

    /// Has `wait` return the waker's key, now and ever after.
    pub(crate) fn wake(&self) {
        if self.process.check().is_err() {
            return;
        }
        // SAFETY: a number.
        unsafe { eventfd_write(self.waker.0, 1) };
    }

    /// Waits, and gives each key to `each`.
    pub(crate) fn wait(&self, mut each: impl FnMut(u64)) {
        let mut events = [EpollEvent { events: 0, data: 0 }; 16];
        // SAFETY: the array is as long as it says. A signal that interrupts it gives none.
        let count = unsafe { epoll_wait(self.epoll.0, events.as_mut_ptr(), events.len() as c_int, -1) };
        for event in &events[..count.max(0) as usize] {
            each(event.data);
        }
    }
}
