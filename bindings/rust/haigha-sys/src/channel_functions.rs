//! The functions of channels, replies, exchanges and queues.

use crate::*;

extern "C" {
    pub fn haigha_channel_open(
        connection: *mut haigha_connection,
        args: *const haigha_channel_args,
        then: *const haigha_then,
        channel: *mut *mut haigha_channel,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_channel_open_wait(
        connection: *mut haigha_connection,
        args: *const haigha_channel_args,
        timeout_ms: i64,
        channel: *mut *mut haigha_channel,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_channel_close(
        channel: *mut haigha_channel,
        then: *const haigha_then,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_channel_close_wait(
        channel: *mut haigha_channel,
        timeout_ms: i64,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_channel_set_events(
        channel: *mut haigha_channel,
        events: *const haigha_then,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_channel_flow(
        channel: *mut haigha_channel,
        active: i32,
        then: *const haigha_then,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_channel_flow_wait(
        channel: *mut haigha_channel,
        active: i32,
        timeout_ms: i64,
        reply: *mut *mut haigha_reply,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_channel_state(channel: *const haigha_channel) -> i32;
    pub fn haigha_channel_id(channel: *const haigha_channel) -> u16;
    pub fn haigha_channel_last_error(channel: *const haigha_channel) -> *mut haigha_error;
    pub fn haigha_channel_ref(channel: *mut haigha_channel) -> *mut haigha_channel;
    pub fn haigha_channel_unref(channel: *mut haigha_channel);
    pub fn haigha_reply_queue(reply: *const haigha_reply) -> haigha_str;
    pub fn haigha_reply_message_count(reply: *const haigha_reply) -> u32;
    pub fn haigha_reply_consumer_count(reply: *const haigha_reply) -> u32;
    pub fn haigha_reply_consumer_tag(reply: *const haigha_reply) -> haigha_str;
    pub fn haigha_reply_message(reply: *const haigha_reply) -> *mut haigha_message;
    pub fn haigha_reply_outcome(reply: *const haigha_reply) -> i32;
    pub fn haigha_reply_return_reason(reply: *const haigha_reply) -> *const haigha_error;
    pub fn haigha_reply_unwritten_bytes(reply: *const haigha_reply) -> u64;
    pub fn haigha_reply_unconfirmed(reply: *const haigha_reply) -> u64;
    pub fn haigha_reply_unsettled(reply: *const haigha_reply) -> u64;
    pub fn haigha_reply_mechanism(reply: *const haigha_reply) -> haigha_str;
    pub fn haigha_reply_challenge(reply: *const haigha_reply) -> haigha_str;
    pub fn haigha_reply_ref(reply: *const haigha_reply) -> *mut haigha_reply;
    pub fn haigha_reply_unref(reply: *mut haigha_reply);
    pub fn haigha_exchange_declare(
        channel: *mut haigha_channel,
        args: *const haigha_exchange_declare_args,
        then: *const haigha_then,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_exchange_declare_wait(
        channel: *mut haigha_channel,
        args: *const haigha_exchange_declare_args,
        timeout_ms: i64,
        reply: *mut *mut haigha_reply,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_exchange_delete(
        channel: *mut haigha_channel,
        args: *const haigha_exchange_delete_args,
        then: *const haigha_then,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_exchange_delete_wait(
        channel: *mut haigha_channel,
        args: *const haigha_exchange_delete_args,
        timeout_ms: i64,
        reply: *mut *mut haigha_reply,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_exchange_bind(
        channel: *mut haigha_channel,
        args: *const haigha_exchange_bind_args,
        then: *const haigha_then,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_exchange_bind_wait(
        channel: *mut haigha_channel,
        args: *const haigha_exchange_bind_args,
        timeout_ms: i64,
        reply: *mut *mut haigha_reply,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_exchange_unbind(
        channel: *mut haigha_channel,
        args: *const haigha_exchange_bind_args,
        then: *const haigha_then,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_exchange_unbind_wait(
        channel: *mut haigha_channel,
        args: *const haigha_exchange_bind_args,
        timeout_ms: i64,
        reply: *mut *mut haigha_reply,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_queue_declare(
        channel: *mut haigha_channel,
        args: *const haigha_queue_declare_args,
        then: *const haigha_then,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_queue_declare_wait(
        channel: *mut haigha_channel,
        args: *const haigha_queue_declare_args,
        timeout_ms: i64,
        reply: *mut *mut haigha_reply,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_queue_bind(
        channel: *mut haigha_channel,
        args: *const haigha_queue_bind_args,
        then: *const haigha_then,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_queue_bind_wait(
        channel: *mut haigha_channel,
        args: *const haigha_queue_bind_args,
        timeout_ms: i64,
        reply: *mut *mut haigha_reply,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_queue_unbind(
        channel: *mut haigha_channel,
        args: *const haigha_queue_bind_args,
        then: *const haigha_then,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_queue_unbind_wait(
        channel: *mut haigha_channel,
        args: *const haigha_queue_bind_args,
        timeout_ms: i64,
        reply: *mut *mut haigha_reply,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_queue_purge(
        channel: *mut haigha_channel,
        queue: haigha_str,
        then: *const haigha_then,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_queue_purge_wait(
        channel: *mut haigha_channel,
        queue: haigha_str,
        timeout_ms: i64,
        reply: *mut *mut haigha_reply,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_queue_delete(
        channel: *mut haigha_channel,
        args: *const haigha_queue_delete_args,
        then: *const haigha_then,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_queue_delete_wait(
        channel: *mut haigha_channel,
        args: *const haigha_queue_delete_args,
        timeout_ms: i64,
        reply: *mut *mut haigha_reply,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
}
