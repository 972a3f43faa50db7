//! Declarations of libhaigha's C API, `haigha/haigha.h` and `haigha/pool.h`, as they are there; those
//! headers say what each is. Programs use the crate `haigha` over these.
//!
//! They are written by hand; `tests/header.rs` compares each with the header of the library that this
//! is built against.

#![allow(non_camel_case_types)]
#![allow(missing_docs)]

mod base_functions;
mod channel_functions;
mod connection_functions;
mod constants;
mod message_functions;
mod records;

pub use base_functions::*;
pub use channel_functions::*;
pub use connection_functions::*;
pub use constants::*;
pub use message_functions::*;
pub use records::*;

/// 0 or a negative `HAIGHA_ERR_*`.
pub type haigha_status = i32;

macro_rules! opaque {
    ($($name:ident),* $(,)?) => {$(
        /// A handle of the library's, used behind pointers alone.
        #[repr(C)]
        pub struct $name {
            private: [u8; 0],
            // Neither Send nor Sync, and not to be moved.
            marker: core::marker::PhantomData<(*mut u8, core::marker::PhantomPinned)>,
        }
    )*};
}

opaque!(
    haigha_error,
    haigha_loop,
    haigha_options,
    haigha_connection,
    haigha_channel,
    haigha_inbox,
    haigha_publisher,
    haigha_message,
    haigha_reply,
    haigha_table,
    haigha_pool,
    uv_loop_s
);
