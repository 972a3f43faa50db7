//! The functions of messages, publishing, consuming and the pool.

use crate::*;
use std::os::raw::c_void;

extern "C" {
    pub fn haigha_message_ref(message: *mut haigha_message) -> *mut haigha_message;
    pub fn haigha_message_unref(message: *mut haigha_message);
    pub fn haigha_message_body(message: *const haigha_message) -> haigha_str;
    pub fn haigha_message_exchange(message: *const haigha_message) -> haigha_str;
    pub fn haigha_message_routing_key(message: *const haigha_message) -> haigha_str;
    pub fn haigha_message_delivery_tag(message: *const haigha_message) -> u64;
    pub fn haigha_message_redelivered(message: *const haigha_message) -> i32;
    pub fn haigha_message_properties(
        message: *const haigha_message,
        properties: *mut haigha_properties,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_message_headers(
        message: *const haigha_message,
        cursor: *mut haigha_cursor,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_publish(
        channel: *mut haigha_channel,
        args: *const haigha_publish_args,
        body: haigha_str,
        sequence: *mut u64,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_publish_lent(
        channel: *mut haigha_channel,
        args: *const haigha_publish_args,
        body: haigha_str,
        release: Option<haigha_release_fn>,
        release_data: *mut c_void,
        sequence: *mut u64,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_publish_wait(
        channel: *mut haigha_channel,
        args: *const haigha_publish_args,
        body: haigha_str,
        timeout_ms: i64,
        reply: *mut *mut haigha_reply,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_publisher_new(
        channel: *mut haigha_channel,
        args: *const haigha_publish_args,
        publisher: *mut *mut haigha_publisher,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_publisher_publish(
        publisher: *mut haigha_publisher,
        body: haigha_str,
        user_data: *mut c_void,
        sequence: *mut u64,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_publisher_publish_lent(
        publisher: *mut haigha_publisher,
        body: haigha_str,
        release: Option<haigha_release_fn>,
        release_data: *mut c_void,
        user_data: *mut c_void,
        sequence: *mut u64,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_publisher_channel(publisher: *const haigha_publisher) -> *mut haigha_channel;
    pub fn haigha_publisher_ref(publisher: *mut haigha_publisher) -> *mut haigha_publisher;
    pub fn haigha_publisher_unref(publisher: *mut haigha_publisher);
    pub fn haigha_confirm_select(
        channel: *mut haigha_channel,
        then: *const haigha_then,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_confirm_select_wait(
        channel: *mut haigha_channel,
        timeout_ms: i64,
        reply: *mut *mut haigha_reply,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_tx_select(
        channel: *mut haigha_channel,
        then: *const haigha_then,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_tx_select_wait(
        channel: *mut haigha_channel,
        timeout_ms: i64,
        reply: *mut *mut haigha_reply,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_tx_commit(
        channel: *mut haigha_channel,
        then: *const haigha_then,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_tx_commit_wait(
        channel: *mut haigha_channel,
        timeout_ms: i64,
        reply: *mut *mut haigha_reply,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_tx_rollback(
        channel: *mut haigha_channel,
        then: *const haigha_then,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_tx_rollback_wait(
        channel: *mut haigha_channel,
        timeout_ms: i64,
        reply: *mut *mut haigha_reply,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_qos(
        channel: *mut haigha_channel,
        args: *const haigha_qos_args,
        then: *const haigha_then,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_qos_wait(
        channel: *mut haigha_channel,
        args: *const haigha_qos_args,
        timeout_ms: i64,
        reply: *mut *mut haigha_reply,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_consume(
        channel: *mut haigha_channel,
        args: *const haigha_consume_args,
        then: *const haigha_then,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_consume_wait(
        channel: *mut haigha_channel,
        args: *const haigha_consume_args,
        timeout_ms: i64,
        reply: *mut *mut haigha_reply,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_cancel(
        channel: *mut haigha_channel,
        consumer_tag: haigha_str,
        then: *const haigha_then,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_cancel_wait(
        channel: *mut haigha_channel,
        consumer_tag: haigha_str,
        timeout_ms: i64,
        reply: *mut *mut haigha_reply,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_consumer_drain(
        channel: *mut haigha_channel,
        consumer_tag: haigha_str,
        timeout_ms: i64,
        then: *const haigha_then,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_consumer_drain_wait(
        channel: *mut haigha_channel,
        consumer_tag: haigha_str,
        timeout_ms: i64,
        reply: *mut *mut haigha_reply,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_consumer_pause(
        channel: *mut haigha_channel,
        consumer_tag: haigha_str,
        then: *const haigha_then,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_consumer_pause_wait(
        channel: *mut haigha_channel,
        consumer_tag: haigha_str,
        timeout_ms: i64,
        reply: *mut *mut haigha_reply,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_consumer_resume(
        channel: *mut haigha_channel,
        consumer_tag: haigha_str,
        then: *const haigha_then,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_consumer_resume_wait(
        channel: *mut haigha_channel,
        consumer_tag: haigha_str,
        timeout_ms: i64,
        reply: *mut *mut haigha_reply,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_get(
        channel: *mut haigha_channel,
        args: *const haigha_get_args,
        then: *const haigha_then,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_get_wait(
        channel: *mut haigha_channel,
        args: *const haigha_get_args,
        timeout_ms: i64,
        reply: *mut *mut haigha_reply,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_ack(
        channel: *mut haigha_channel,
        delivery_tag: u64,
        flags: u32,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_nack(
        channel: *mut haigha_channel,
        delivery_tag: u64,
        flags: u32,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_reject(
        channel: *mut haigha_channel,
        delivery_tag: u64,
        flags: u32,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_recover(
        channel: *mut haigha_channel,
        requeue: i32,
        then: *const haigha_then,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_recover_wait(
        channel: *mut haigha_channel,
        requeue: i32,
        timeout_ms: i64,
        reply: *mut *mut haigha_reply,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_pool_new(
        connection: *mut haigha_connection,
        args: *const haigha_pool_args,
        pool: *mut *mut haigha_pool,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_pool_publish(
        pool: *mut haigha_pool,
        args: *const haigha_publish_args,
        body: haigha_str,
        number: *mut u64,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_pool_publish_wait(
        pool: *mut haigha_pool,
        args: *const haigha_publish_args,
        body: haigha_str,
        timeout_ms: i64,
        reply: *mut *mut haigha_reply,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_pool_drain(
        pool: *mut haigha_pool,
        then: *const haigha_then,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_pool_drain_wait(
        pool: *mut haigha_pool,
        timeout_ms: i64,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_pool_close(
        pool: *mut haigha_pool,
        then: *const haigha_then,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_pool_close_wait(
        pool: *mut haigha_pool,
        timeout_ms: i64,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_pool_info(
        pool: *const haigha_pool,
        name: haigha_str,
        value: *mut i64,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_pool_ref(pool: *mut haigha_pool) -> *mut haigha_pool;
    pub fn haigha_pool_unref(pool: *mut haigha_pool);
}
