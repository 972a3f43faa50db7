//! What every module needs of the C API: handles that drop their reference, and views of bytes.

use crate::error::{Error, Result};
use haigha_sys as sys;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::ptr::{null_mut, NonNull};

/// A type of the library's whose references are counted.
pub(crate) trait Native {
    /// # Safety
    /// `pointer` is a reference of the caller's, and is not used by it afterwards.
    unsafe fn release(pointer: *mut Self);
}

macro_rules! native {
    ($($name:ident $release:ident),* $(,)?) => {$(
        impl Native for sys::$name {
            unsafe fn release(pointer: *mut Self) {
                // SAFETY: as the trait says.
                unsafe { sys::$release(pointer) }
            }
        }
    )*};
}

native!(
    haigha_loop haigha_loop_unref,
    haigha_options haigha_options_free,
    haigha_connection haigha_connection_unref,
    haigha_channel haigha_channel_unref,
    haigha_inbox haigha_inbox_unref,
    haigha_publisher haigha_publisher_unref,
    haigha_message haigha_message_unref,
    haigha_reply haigha_reply_unref,
    haigha_table haigha_table_free,
    haigha_error haigha_error_free,
    haigha_pool haigha_pool_unref,
);

/// One reference.
pub(crate) struct Handle<T: Native>(NonNull<T>);

// SAFETY: "every function may be called from any thread" (haigha.h), and references may be dropped on any.
// What is not for two threads at once, options and tables that are being built, is only ever owned by one
// value of which `&mut` is asked for.
unsafe impl<T: Native> Send for Handle<T> {}
// SAFETY: as above.
unsafe impl<T: Native> Sync for Handle<T> {}

impl<T: Native> Handle<T> {
    /// Takes over a reference that the library gave; None for NULL.
    ///
    /// # Safety
    /// `pointer` is NULL or a reference that nobody else will drop.
    pub(crate) unsafe fn adopt(pointer: *mut T) -> Option<Handle<T>> {
        NonNull::new(pointer).map(Handle)
    }

    /// What `make` puts into its argument.
    pub(crate) fn made(
        make: impl FnOnce(*mut *mut T, *mut *mut sys::haigha_error) -> i32,
    ) -> Result<Handle<T>> {
        let mut made = null_mut();
        check(|error| make(&mut made, error))?;
        // SAFETY: a call that succeeds has made a reference for its caller.
        unsafe { Handle::adopt(made) }.ok_or_else(|| Error::of_status(sys::HAIGHA_ERR_INTERNAL))
    }

    pub(crate) fn get(&self) -> *mut T {
        self.0.as_ptr()
    }
}

impl<T: Native> Drop for Handle<T> {
    fn drop(&mut self) {
        // SAFETY: the reference is this one's.
        unsafe { T::release(self.0.as_ptr()) }
    }
}

/// A call that may fail: its error, with the details that it put into its argument.
pub(crate) fn check(call: impl FnOnce(*mut *mut sys::haigha_error) -> i32) -> Result<()> {
    let mut error = null_mut();
    let status = call(&mut error);
    if status == sys::HAIGHA_OK {
        return Ok(());
    }
    // SAFETY: the error that a failing call gives is its caller's.
    Err(unsafe { Error::adopt(error, status) })
}

/// Does what may run users' code, such as a waker's, where nothing may unwind. What a panic carries is forgotten,
/// since its drop may panic as well.
pub(crate) fn contain(work: impl FnOnce()) {
    if let Err(carried) = catch_unwind(AssertUnwindSafe(work)) {
        std::mem::forget(carried);
    }
}

pub(crate) fn text(bytes: &(impl AsRef<[u8]> + ?Sized)) -> sys::haigha_str {
    let bytes = bytes.as_ref();
    sys::haigha_str { data: bytes.as_ptr().cast(), size: bytes.len() }
}

/// # Safety
/// What `view` shows lives, and does not change, for as long as `'a`.
pub(crate) unsafe fn bytes<'a>(view: sys::haigha_str) -> &'a [u8] {
    if view.size == 0 {
        return &[];
    }
    // SAFETY: as above.
    unsafe { std::slice::from_raw_parts(view.data.cast(), view.size) }
}

/// A copy, with what is no UTF-8 replaced.
///
/// # Safety
/// As [`bytes`], for the time of the call.
pub(crate) unsafe fn string(view: sys::haigha_str) -> String {
    // SAFETY: as above.
    String::from_utf8_lossy(unsafe { bytes(view) }).into_owned()
}
