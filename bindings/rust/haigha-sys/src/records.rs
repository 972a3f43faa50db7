//! The structs of the header, and the functions that a program gives the library.

use crate::*;
use std::os::raw::{c_char, c_void};

pub type haigha_release_fn = unsafe extern "C" fn(user_data: *mut c_void);
pub type haigha_ready_fn = unsafe extern "C" fn(user_data: *mut c_void);
pub type haigha_event_fn = unsafe extern "C" fn(event: *const haigha_event, user_data: *mut c_void);
pub type haigha_log_fn = unsafe extern "C" fn(record: *const haigha_log_record, user_data: *mut c_void);
pub type haigha_key_password_fn =
    unsafe extern "C" fn(buffer: *mut c_char, capacity: usize, user_data: *mut c_void) -> i32;
pub type haigha_tls_fn = unsafe extern "C" fn(ssl_ctx: *mut c_void, user_data: *mut c_void) -> i32;
pub type haigha_choose_host_fn =
    unsafe extern "C" fn(hosts: *const haigha_host_state, count: usize, user_data: *mut c_void) -> i32;
pub type haigha_recovery_filter_fn =
    unsafe extern "C" fn(entity: *const haigha_recovery_entity, user_data: *mut c_void) -> i32;

#[repr(C)]
#[derive(Clone, Copy)]
pub struct haigha_str {
    pub data: *const c_char,
    pub size: usize,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct haigha_field {
    pub name: haigha_str,
    pub bytes: haigha_str,
    pub integer: i64,
    pub real: f64,
    pub type_: u32,
    pub scale: u32,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct haigha_cursor {
    pub at: *const c_void,
    pub left_bytes: usize,
    pub kind: u32,
    pub depth: u32,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct haigha_event {
    pub type_: u32,
    pub flags: u32,
    pub tag: u64,
    pub number: u64,
    pub user_data: *mut c_void,
    pub error: *const haigha_error,
    pub reply: *const haigha_reply,
    pub message: *mut haigha_message,
    pub connection: *mut haigha_connection,
    pub channel: *mut haigha_channel,
    pub exchange: haigha_str,
    pub routing_key: haigha_str,
    pub consumer_tag: haigha_str,
    pub body: haigha_str,
    pub channel_id: u32,
    pub outcome: i32,
    pub state: i32,
    pub previous_state: i32,
    pub delay_ms: i64,
    pub name: haigha_str,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct haigha_then {
    pub fn_: Option<haigha_event_fn>,
    pub user_data: *mut c_void,
    pub release: Option<haigha_release_fn>,
    pub inbox: *mut haigha_inbox,
    pub tag: u64,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct haigha_log_record {
    pub size: usize,
    pub level: i32,
    pub connection_id: u32,
    pub time_ns: u64,
    pub subject: haigha_str,
    pub message: haigha_str,
    pub event: haigha_str,
    pub fields: *const haigha_field,
    pub field_count: usize,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct haigha_host_state {
    pub host: haigha_str,
    pub failures: u32,
    pub refused: u32,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct haigha_recovery_entity {
    pub kind: u32,
    pub reserved: u32,
    pub name: haigha_str,
    pub exchange: haigha_str,
    pub routing_key: haigha_str,
    pub consumer_tag: haigha_str,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct haigha_option_info {
    pub size: usize,
    pub name: haigha_str,
    pub meaning: haigha_str,
    pub default_string: haigha_str,
    pub default_int: i64,
    pub minimum: i64,
    pub maximum: i64,
    pub type_: i32,
    pub secret: i32,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct haigha_stop_args {
    pub size: usize,
    pub settle_timeout_ms: u32,
    pub publish_timeout_ms: u32,
    pub close_timeout_ms: u32,
    pub reserved: [u8; 4],
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct haigha_channel_args {
    pub size: usize,
    pub events: haigha_then,
    pub confirm: u8,
    pub correlate_returns: u8,
    pub recovery_policy: u8,
    pub publish_policy: u8,
    pub reserved: [u8; 4],
    pub max_in_flight: u64,
    pub max_in_flight_bytes: u64,
    pub publish_max_age_ms: u64,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct haigha_exchange_declare_args {
    pub size: usize,
    pub exchange: haigha_str,
    pub type_: haigha_str,
    pub passive: u8,
    pub durable: u8,
    pub auto_delete: u8,
    pub internal: u8,
    pub reserved: [u8; 4],
    pub arguments: *const haigha_table,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct haigha_exchange_delete_args {
    pub size: usize,
    pub exchange: haigha_str,
    pub if_unused: u8,
    pub reserved: [u8; 7],
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct haigha_exchange_bind_args {
    pub size: usize,
    pub destination: haigha_str,
    pub source: haigha_str,
    pub routing_key: haigha_str,
    pub arguments: *const haigha_table,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct haigha_queue_declare_args {
    pub size: usize,
    pub queue: haigha_str,
    pub passive: u8,
    pub durable: u8,
    pub exclusive: u8,
    pub auto_delete: u8,
    pub reserved: [u8; 4],
    pub arguments: *const haigha_table,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct haigha_queue_bind_args {
    pub size: usize,
    pub queue: haigha_str,
    pub exchange: haigha_str,
    pub routing_key: haigha_str,
    pub arguments: *const haigha_table,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct haigha_queue_delete_args {
    pub size: usize,
    pub queue: haigha_str,
    pub if_unused: u8,
    pub if_empty: u8,
    pub reserved: [u8; 6],
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct haigha_properties {
    pub size: usize,
    pub present: u32,
    pub delivery_mode: u8,
    pub priority: u8,
    pub reserved: [u8; 2],
    pub timestamp: u64,
    pub content_type: haigha_str,
    pub content_encoding: haigha_str,
    pub correlation_id: haigha_str,
    pub reply_to: haigha_str,
    pub expiration: haigha_str,
    pub message_id: haigha_str,
    pub type_: haigha_str,
    pub user_id: haigha_str,
    pub app_id: haigha_str,
    pub cluster_id: haigha_str,
    pub headers: *const haigha_table,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct haigha_publish_args {
    pub size: usize,
    pub exchange: haigha_str,
    pub routing_key: haigha_str,
    pub properties: *const haigha_properties,
    pub user_data: *mut c_void,
    pub mandatory: u8,
    pub immediate: u8,
    pub reserved: [u8; 6],
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct haigha_qos_args {
    pub size: usize,
    pub prefetch_bytes: u32,
    pub prefetch_count: u16,
    pub global: u8,
    pub reserved: [u8; 1],
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct haigha_consume_args {
    pub size: usize,
    pub queue: haigha_str,
    pub consumer_tag: haigha_str,
    pub deliveries: haigha_then,
    pub no_local: u8,
    pub no_ack: u8,
    pub exclusive: u8,
    pub pause_when_full: u8,
    pub reserved: [u8; 4],
    pub arguments: *const haigha_table,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct haigha_get_args {
    pub size: usize,
    pub queue: haigha_str,
    pub no_ack: u8,
    pub reserved: [u8; 7],
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct haigha_pool_args {
    pub size: usize,
    pub events: haigha_then,
    pub mode: u8,
    pub retry: u8,
    pub correlate_returns: u8,
    pub reserved: [u8; 5],
    pub max_channels: u32,
    pub max_attempts: u32,
    pub max_in_flight: u64,
    pub max_messages: u64,
    pub max_bytes: u64,
}

/// As the header's initialisers: everything zero but `size`.
macro_rules! initialised {
    ($($name:ident),* $(,)?) => {$(
        impl Default for $name {
            fn default() -> Self {
                // SAFETY: numbers, pointers and optional functions may all be zero.
                let mut zero: Self = unsafe { std::mem::zeroed() };
                zero.size = std::mem::size_of::<Self>();
                zero
            }
        }
    )*};
}

macro_rules! zeroed {
    ($($name:ident),* $(,)?) => {$(
        impl Default for $name {
            fn default() -> Self {
                // SAFETY: as above.
                unsafe { std::mem::zeroed() }
            }
        }
    )*};
}

initialised!(
    haigha_log_record,
    haigha_option_info,
    haigha_stop_args,
    haigha_channel_args,
    haigha_exchange_declare_args,
    haigha_exchange_delete_args,
    haigha_exchange_bind_args,
    haigha_queue_declare_args,
    haigha_queue_bind_args,
    haigha_queue_delete_args,
    haigha_properties,
    haigha_publish_args,
    haigha_qos_args,
    haigha_consume_args,
    haigha_get_args,
    haigha_pool_args
);
zeroed!(
    haigha_str,
    haigha_field,
    haigha_cursor,
    haigha_event,
    haigha_then,
    haigha_host_state,
    haigha_recovery_entity
);
