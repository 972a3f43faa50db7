//! The functions of connections.

use crate::*;
use std::os::raw::c_int;

extern "C" {
    pub fn haigha_connection_new(
        loop_: *mut haigha_loop,
        options: *const haigha_options,
        events: *const haigha_then,
        connection: *mut *mut haigha_connection,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_connection_set_events(
        connection: *mut haigha_connection,
        events: *const haigha_then,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_connection_set_auth(
        connection: *mut haigha_connection,
        auth: *const haigha_then,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_connection_answer_credentials(
        connection: *mut haigha_connection,
        number: u64,
        user: haigha_str,
        password: haigha_str,
        lifetime_ms: i64,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_connection_answer_response(
        connection: *mut haigha_connection,
        number: u64,
        response: haigha_str,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_connection_refuse_auth(
        connection: *mut haigha_connection,
        number: u64,
        why: haigha_str,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_connection_update_secret(
        connection: *mut haigha_connection,
        secret: haigha_str,
        reason: haigha_str,
        then: *const haigha_then,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_connection_update_secret_wait(
        connection: *mut haigha_connection,
        secret: haigha_str,
        reason: haigha_str,
        timeout_ms: i64,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_connection_open(
        connection: *mut haigha_connection,
        then: *const haigha_then,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_connection_open_wait(
        connection: *mut haigha_connection,
        timeout_ms: i64,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_connect_wait(
        uri: haigha_str,
        timeout_ms: i64,
        connection: *mut *mut haigha_connection,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_connection_open_fd(
        connection: *mut haigha_connection,
        fd: c_int,
        then: *const haigha_then,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_connection_open_fd_wait(
        connection: *mut haigha_connection,
        fd: c_int,
        timeout_ms: i64,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_connection_close(
        connection: *mut haigha_connection,
        then: *const haigha_then,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_connection_close_wait(
        connection: *mut haigha_connection,
        timeout_ms: i64,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_connection_stop(
        connection: *mut haigha_connection,
        args: *const haigha_stop_args,
        then: *const haigha_then,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_connection_stop_wait(
        connection: *mut haigha_connection,
        args: *const haigha_stop_args,
        reply: *mut *mut haigha_reply,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_connection_flush(
        connection: *mut haigha_connection,
        then: *const haigha_then,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_connection_flush_wait(
        connection: *mut haigha_connection,
        timeout_ms: i64,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_connection_state(connection: *const haigha_connection) -> i32;
    pub fn haigha_connection_last_error(connection: *const haigha_connection) -> *mut haigha_error;
    pub fn haigha_connection_info(
        connection: *const haigha_connection,
        name: haigha_str,
        value: *mut i64,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_connection_server_properties(
        connection: *const haigha_connection,
        table: *mut *mut haigha_table,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_connection_peer_info(
        connection: *const haigha_connection,
        table: *mut *mut haigha_table,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_connection_ref(connection: *mut haigha_connection) -> *mut haigha_connection;
    pub fn haigha_connection_unref(connection: *mut haigha_connection);
}
