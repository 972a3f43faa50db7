//! The functions of errors, tables, inboxes, loops and options.

use crate::*;
use std::os::raw::{c_char, c_int, c_void};

extern "C" {
    pub fn haigha_text(text: *const c_char) -> haigha_str;
    pub fn haigha_version() -> u32;
    pub fn haigha_version_string() -> *const c_char;
    pub fn haigha_error_status(error: *const haigha_error) -> haigha_status;
    pub fn haigha_error_message(error: *const haigha_error) -> *const c_char;
    pub fn haigha_error_reply_code(error: *const haigha_error) -> u16;
    pub fn haigha_error_reply_text(error: *const haigha_error) -> haigha_str;
    pub fn haigha_error_class_id(error: *const haigha_error) -> u16;
    pub fn haigha_error_method_id(error: *const haigha_error) -> u16;
    pub fn haigha_error_method_name(error: *const haigha_error) -> *const c_char;
    pub fn haigha_error_stage(error: *const haigha_error) -> i32;
    pub fn haigha_error_stage_name(error: *const haigha_error) -> *const c_char;
    pub fn haigha_error_channel_id(error: *const haigha_error) -> u16;
    pub fn haigha_error_host(error: *const haigha_error) -> haigha_str;
    pub fn haigha_error_os_errno(error: *const haigha_error) -> i32;
    pub fn haigha_error_accepted(error: *const haigha_error) -> i32;
    pub fn haigha_error_copy(error: *const haigha_error) -> *mut haigha_error;
    pub fn haigha_error_free(error: *mut haigha_error);
    pub fn haigha_status_name(status: haigha_status) -> *const c_char;
    pub fn haigha_cursor_next(cursor: *mut haigha_cursor, field: *mut haigha_field) -> i32;
    pub fn haigha_cursor_enter(
        cursor: *const haigha_cursor,
        field: *const haigha_field,
        nested: *mut haigha_cursor,
    ) -> haigha_status;
    pub fn haigha_table_new(table: *mut *mut haigha_table, error: *mut *mut haigha_error) -> haigha_status;
    pub fn haigha_table_new_array(
        table: *mut *mut haigha_table,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_table_free(table: *mut haigha_table);
    pub fn haigha_table_add(
        table: *mut haigha_table,
        field: *const haigha_field,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_table_add_string(
        table: *mut haigha_table,
        name: haigha_str,
        value: haigha_str,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_table_add_int(
        table: *mut haigha_table,
        name: haigha_str,
        value: i64,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_table_add_bool(
        table: *mut haigha_table,
        name: haigha_str,
        value: i32,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_table_add_double(
        table: *mut haigha_table,
        name: haigha_str,
        value: f64,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_table_add_table(
        table: *mut haigha_table,
        name: haigha_str,
        value: *const haigha_table,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_table_cursor(table: *const haigha_table, cursor: *mut haigha_cursor) -> haigha_status;
    pub fn haigha_inbox_new(
        capacity_events: usize,
        inbox: *mut *mut haigha_inbox,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_inbox_set_capacity_bytes(
        inbox: *mut haigha_inbox,
        capacity_bytes: u64,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_inbox_set_ready(
        inbox: *mut haigha_inbox,
        ready: Option<haigha_ready_fn>,
        user_data: *mut c_void,
        release: Option<haigha_release_fn>,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_inbox_fd(inbox: *const haigha_inbox) -> c_int;
    pub fn haigha_inbox_poll(
        inbox: *mut haigha_inbox,
        events: *mut haigha_event,
        event_bytes: usize,
        capacity: usize,
        timeout_ms: i64,
        count: *mut usize,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_inbox_next_message(
        inbox: *mut haigha_inbox,
        timeout_ms: i64,
        message: *mut *mut haigha_message,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_inbox_ref(inbox: *mut haigha_inbox) -> *mut haigha_inbox;
    pub fn haigha_inbox_unref(inbox: *mut haigha_inbox);
    pub fn haigha_loop_start(loop_: *mut *mut haigha_loop, error: *mut *mut haigha_error) -> haigha_status;
    pub fn haigha_loop_attach_checked(
        uv: *mut uv_loop_s,
        callers_uv_run: Option<unsafe extern "C" fn()>,
        loop_: *mut *mut haigha_loop,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_loop_close(
        loop_: *mut haigha_loop,
        then: *const haigha_then,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_loop_ref(loop_: *mut haigha_loop) -> *mut haigha_loop;
    pub fn haigha_loop_unref(loop_: *mut haigha_loop);
    pub fn haigha_loop_set_log(
        loop_: *mut haigha_loop,
        level: i32,
        fn_: Option<haigha_log_fn>,
        user_data: *mut c_void,
        release: Option<haigha_release_fn>,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_options_new(
        options: *mut *mut haigha_options,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_options_free(options: *mut haigha_options);
    pub fn haigha_options_set_string(
        options: *mut haigha_options,
        name: haigha_str,
        value: haigha_str,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_options_set_int(
        options: *mut haigha_options,
        name: haigha_str,
        value: i64,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_options_set_uri(
        options: *mut haigha_options,
        uri: haigha_str,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_options_get_string(
        options: *const haigha_options,
        name: haigha_str,
        value: *mut haigha_str,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_options_get_int(
        options: *const haigha_options,
        name: haigha_str,
        value: *mut i64,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_options_get_uri(
        options: *mut haigha_options,
        with_secrets: i32,
        uri: *mut haigha_str,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_options_set_key_password_fn(
        options: *mut haigha_options,
        fn_: Option<haigha_key_password_fn>,
        user_data: *mut c_void,
        release: Option<haigha_release_fn>,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_options_set_tls_fn(
        options: *mut haigha_options,
        fn_: Option<haigha_tls_fn>,
        user_data: *mut c_void,
        release: Option<haigha_release_fn>,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_options_set_choose_host_fn(
        options: *mut haigha_options,
        fn_: Option<haigha_choose_host_fn>,
        user_data: *mut c_void,
        release: Option<haigha_release_fn>,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_options_set_recovery_filter_fn(
        options: *mut haigha_options,
        fn_: Option<haigha_recovery_filter_fn>,
        user_data: *mut c_void,
        release: Option<haigha_release_fn>,
        error: *mut *mut haigha_error,
    ) -> haigha_status;
    pub fn haigha_options_describe(index: usize, info: *mut haigha_option_info) -> haigha_status;
}
