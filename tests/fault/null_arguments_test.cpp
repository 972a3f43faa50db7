// Every function of the header with nothing but NULL and 0: an error by its name, or no effect.
#include <gtest/gtest.h>
#include <haigha/death.h>
#include <haigha/haigha.h>
#include <haigha/log.h>
#include <haigha/pieces.h>
#include <haigha/pool.h>
#include <haigha/queue_arguments.h>
#include <haigha/retry.h>
#include <haigha/rpc.h>
#include <haigha/statistics.h>
#include <haigha/streams.h>
#include <haigha/testing.h>
#include <haigha/topology.h>
#include <haigha/trace_context.h>
#include <haigha/workers.h>

#include <cstring>
#include <string>
#include <type_traits>

#include "support/api_fixture.h"

namespace haigha::test {
namespace {

template <class T>
T nothing(haigha_error** error) {
    if constexpr (std::is_same_v<T, haigha_error**>) {
        return error;
    } else {
        return T{};
    }
}

template <class Result, class... Arguments>
Result call(Result (*function)(Arguments...), haigha_error** error) {
    return function(nothing<Arguments>(error)...);
}
template <class Result, class... Arguments>
constexpr bool tells_details(Result (*)(Arguments...)) {
    return (std::is_same_v<Arguments, haigha_error**> || ...);
}

template <class Function>
void expect_argument(const char* name, Function* function) {
    EXPECT_EQ(call(function, nullptr), HAIGHA_ERR_ARGUMENT) << name;
    haigha_error* error = nullptr;
    EXPECT_EQ(call(function, &error), HAIGHA_ERR_ARGUMENT) << name;
    const ErrorHandle owner(error);
    EXPECT_EQ(error != nullptr, tells_details(function)) << name;
    if (error == nullptr) return;
    EXPECT_EQ(haigha_error_status(error), HAIGHA_ERR_ARGUMENT) << name;
    EXPECT_NE(std::strstr(haigha_error_message(error), "NULL"), nullptr)
        << name << ": " << haigha_error_message(error);
}
#define EXPECT_ARGUMENT(function) expect_argument(#function, &(function))

// rules 100, 150
TEST(NullArguments, FallibleFunctionsNameTheArgument) {
    EXPECT_ARGUMENT(haigha_ack);
    EXPECT_ARGUMENT(haigha_cancel);
    EXPECT_ARGUMENT(haigha_cancel_wait);
    EXPECT_ARGUMENT(haigha_channel_close);
    EXPECT_ARGUMENT(haigha_channel_close_wait);
    EXPECT_ARGUMENT(haigha_channel_flow);
    EXPECT_ARGUMENT(haigha_channel_flow_wait);
    EXPECT_ARGUMENT(haigha_channel_open);
    EXPECT_ARGUMENT(haigha_channel_open_wait);
    EXPECT_ARGUMENT(haigha_channel_set_events);
    EXPECT_ARGUMENT(haigha_confirm_select);
    EXPECT_ARGUMENT(haigha_confirm_select_wait);
    EXPECT_ARGUMENT(haigha_connect_wait);
    EXPECT_ARGUMENT(haigha_connection_close);
    EXPECT_ARGUMENT(haigha_connection_close_wait);
    EXPECT_ARGUMENT(haigha_connection_flush);
    EXPECT_ARGUMENT(haigha_connection_flush_wait);
    EXPECT_ARGUMENT(haigha_connection_info);
    EXPECT_ARGUMENT(haigha_connection_new);
    EXPECT_ARGUMENT(haigha_connection_open);
    EXPECT_ARGUMENT(haigha_connection_open_fd);
    EXPECT_ARGUMENT(haigha_connection_open_fd_wait);
    EXPECT_ARGUMENT(haigha_connection_open_wait);
    EXPECT_ARGUMENT(haigha_connection_server_properties);
    EXPECT_ARGUMENT(haigha_connection_set_trace_fn);
    EXPECT_ARGUMENT(haigha_connection_peer_info);
    EXPECT_ARGUMENT(haigha_connection_statistics);
    EXPECT_ARGUMENT(haigha_connection_set_events);
    EXPECT_ARGUMENT(haigha_connection_set_auth);
    EXPECT_ARGUMENT(haigha_connection_answer_credentials);
    EXPECT_ARGUMENT(haigha_connection_answer_response);
    EXPECT_ARGUMENT(haigha_connection_refuse_auth);
    EXPECT_ARGUMENT(haigha_connection_stop);
    EXPECT_ARGUMENT(haigha_connection_stop_wait);
    EXPECT_ARGUMENT(haigha_connection_update_secret);
    EXPECT_ARGUMENT(haigha_connection_update_secret_wait);
    EXPECT_ARGUMENT(haigha_consume);
    EXPECT_ARGUMENT(haigha_consumer_arguments_add);
    EXPECT_ARGUMENT(haigha_consumer_drain);
    EXPECT_ARGUMENT(haigha_consumer_drain_wait);
    EXPECT_ARGUMENT(haigha_consumer_pause);
    EXPECT_ARGUMENT(haigha_consumer_pause_wait);
    EXPECT_ARGUMENT(haigha_consumer_resume);
    EXPECT_ARGUMENT(haigha_consumer_resume_wait);
    EXPECT_ARGUMENT(haigha_consume_wait);
    EXPECT_ARGUMENT(haigha_cursor_enter);
    EXPECT_ARGUMENT(haigha_cursor_next);
    EXPECT_ARGUMENT(haigha_exchange_bind);
    EXPECT_ARGUMENT(haigha_exchange_bind_wait);
    EXPECT_ARGUMENT(haigha_exchange_declare);
    EXPECT_ARGUMENT(haigha_exchange_declare_wait);
    EXPECT_ARGUMENT(haigha_exchange_delete);
    EXPECT_ARGUMENT(haigha_exchange_delete_wait);
    EXPECT_ARGUMENT(haigha_exchange_unbind);
    EXPECT_ARGUMENT(haigha_exchange_unbind_wait);
    EXPECT_ARGUMENT(haigha_get);
    EXPECT_ARGUMENT(haigha_get_wait);
    EXPECT_ARGUMENT(haigha_inbox_new);
    EXPECT_ARGUMENT(haigha_inbox_set_capacity_bytes);
    EXPECT_ARGUMENT(haigha_inbox_set_ready);
    EXPECT_ARGUMENT(haigha_inbox_next_message);
    EXPECT_ARGUMENT(haigha_inbox_poll);
    EXPECT_ARGUMENT(haigha_loop_advance);
    EXPECT_ARGUMENT(haigha_loop_advance_wait);
    EXPECT_ARGUMENT(haigha_loop_attach_checked);
    EXPECT_ARGUMENT(haigha_loop_close);
    EXPECT_ARGUMENT(haigha_log_logfmt);
    EXPECT_ARGUMENT(haigha_loop_set_log);
    EXPECT_ARGUMENT(haigha_loop_start);
    EXPECT_ARGUMENT(haigha_loop_stop_clock);
    EXPECT_ARGUMENT(haigha_message_death_count);
    EXPECT_ARGUMENT(haigha_message_deaths);
    EXPECT_ARGUMENT(haigha_message_delivery_count);
    EXPECT_ARGUMENT(haigha_message_headers);
    EXPECT_ARGUMENT(haigha_message_properties);
    EXPECT_ARGUMENT(haigha_message_retries);
    EXPECT_ARGUMENT(haigha_nack);
    EXPECT_ARGUMENT(haigha_options_describe);
    EXPECT_ARGUMENT(haigha_options_new);
    EXPECT_ARGUMENT(haigha_options_set_int);
    EXPECT_ARGUMENT(haigha_options_set_string);
    EXPECT_ARGUMENT(haigha_options_set_uri);
    EXPECT_ARGUMENT(haigha_options_set_key_password_fn);
    EXPECT_ARGUMENT(haigha_options_set_choose_host_fn);
    EXPECT_ARGUMENT(haigha_options_set_recovery_filter_fn);
    EXPECT_ARGUMENT(haigha_options_set_tls_fn);
    EXPECT_ARGUMENT(haigha_options_get_string);
    EXPECT_ARGUMENT(haigha_options_get_int);
    EXPECT_ARGUMENT(haigha_options_get_uri);
    EXPECT_ARGUMENT(haigha_pool_close);
    EXPECT_ARGUMENT(haigha_pool_close_wait);
    EXPECT_ARGUMENT(haigha_pool_drain);
    EXPECT_ARGUMENT(haigha_pool_drain_wait);
    EXPECT_ARGUMENT(haigha_pool_info);
    EXPECT_ARGUMENT(haigha_pool_new);
    EXPECT_ARGUMENT(haigha_pool_publish);
    EXPECT_ARGUMENT(haigha_pool_publish_wait);
    EXPECT_ARGUMENT(haigha_publish);
    EXPECT_ARGUMENT(haigha_publish_wait);
    EXPECT_ARGUMENT(haigha_publisher_new);
    EXPECT_ARGUMENT(haigha_publisher_publish);
    EXPECT_ARGUMENT(haigha_publisher_publish_lent);
    EXPECT_ARGUMENT(haigha_qos);
    EXPECT_ARGUMENT(haigha_qos_wait);
    EXPECT_ARGUMENT(haigha_queue_arguments_add);
    EXPECT_ARGUMENT(haigha_queue_bind);
    EXPECT_ARGUMENT(haigha_queue_bind_wait);
    EXPECT_ARGUMENT(haigha_queue_declare);
    EXPECT_ARGUMENT(haigha_queue_declare_wait);
    EXPECT_ARGUMENT(haigha_queue_delete);
    EXPECT_ARGUMENT(haigha_queue_delete_wait);
    EXPECT_ARGUMENT(haigha_queue_purge);
    EXPECT_ARGUMENT(haigha_queue_purge_wait);
    EXPECT_ARGUMENT(haigha_queue_unbind);
    EXPECT_ARGUMENT(haigha_queue_unbind_wait);
    EXPECT_ARGUMENT(haigha_recover);
    EXPECT_ARGUMENT(haigha_recover_wait);
    EXPECT_ARGUMENT(haigha_reject);
    EXPECT_ARGUMENT(haigha_retry_declare_wait);
    EXPECT_ARGUMENT(haigha_retry_describe);
    EXPECT_ARGUMENT(haigha_retry_info);
    EXPECT_ARGUMENT(haigha_retry_message);
    EXPECT_ARGUMENT(haigha_retry_new);
    EXPECT_ARGUMENT(haigha_retry_quarantine);
    EXPECT_ARGUMENT(haigha_message_stream_offset);
    EXPECT_ARGUMENT(haigha_stream_reader_consume);
    EXPECT_ARGUMENT(haigha_stream_reader_consume_wait);
    EXPECT_ARGUMENT(haigha_stream_reader_handled);
    EXPECT_ARGUMENT(haigha_stream_reader_info);
    EXPECT_ARGUMENT(haigha_stream_reader_new);
    EXPECT_ARGUMENT(haigha_stream_reader_save);
    EXPECT_ARGUMENT(haigha_stream_reader_save_wait);
    EXPECT_ARGUMENT(haigha_body_write);
    EXPECT_ARGUMENT(haigha_body_write_wait);
    EXPECT_ARGUMENT(haigha_body_writer_abort);
    EXPECT_ARGUMENT(haigha_body_writer_new);
    EXPECT_ARGUMENT(haigha_connection_pause_reading);
    EXPECT_ARGUMENT(haigha_connection_resume_reading);
    EXPECT_ARGUMENT(haigha_consume_pieces);
    EXPECT_ARGUMENT(haigha_consume_pieces_wait);
    EXPECT_ARGUMENT(haigha_rpc_call);
    EXPECT_ARGUMENT(haigha_rpc_call_wait);
    EXPECT_ARGUMENT(haigha_rpc_client_info);
    EXPECT_ARGUMENT(haigha_rpc_client_new);
    EXPECT_ARGUMENT(haigha_rpc_reply);
    EXPECT_ARGUMENT(haigha_message_trace_context);
    EXPECT_ARGUMENT(haigha_metrics_add);
    EXPECT_ARGUMENT(haigha_metrics_new);
    EXPECT_ARGUMENT(haigha_metrics_prometheus);
    EXPECT_ARGUMENT(haigha_workers_close);
    EXPECT_ARGUMENT(haigha_workers_close_wait);
    EXPECT_ARGUMENT(haigha_workers_consume);
    EXPECT_ARGUMENT(haigha_workers_consume_wait);
    EXPECT_ARGUMENT(haigha_workers_drain);
    EXPECT_ARGUMENT(haigha_workers_drain_wait);
    EXPECT_ARGUMENT(haigha_workers_info);
    EXPECT_ARGUMENT(haigha_workers_new);
    EXPECT_ARGUMENT(haigha_table_add);
    EXPECT_ARGUMENT(haigha_table_add_bool);
    EXPECT_ARGUMENT(haigha_table_add_double);
    EXPECT_ARGUMENT(haigha_table_add_int);
    EXPECT_ARGUMENT(haigha_table_add_string);
    EXPECT_ARGUMENT(haigha_table_add_table);
    EXPECT_ARGUMENT(haigha_table_add_trace_context);
    EXPECT_ARGUMENT(haigha_table_cursor);
    EXPECT_ARGUMENT(haigha_table_new);
    EXPECT_ARGUMENT(haigha_table_new_array);
    EXPECT_ARGUMENT(haigha_topology_add_exchange);
    EXPECT_ARGUMENT(haigha_trace_context_format);
    EXPECT_ARGUMENT(haigha_trace_context_parse);
    EXPECT_ARGUMENT(haigha_topology_add_exchange_binding);
    EXPECT_ARGUMENT(haigha_topology_add_queue);
    EXPECT_ARGUMENT(haigha_topology_add_queue_binding);
    EXPECT_ARGUMENT(haigha_topology_add_text);
    EXPECT_ARGUMENT(haigha_topology_apply_wait);
    EXPECT_ARGUMENT(haigha_topology_compare_wait);
    EXPECT_ARGUMENT(haigha_topology_new);
    EXPECT_ARGUMENT(haigha_topology_report_row);
    EXPECT_ARGUMENT(haigha_tx_commit);
    EXPECT_ARGUMENT(haigha_tx_commit_wait);
    EXPECT_ARGUMENT(haigha_tx_rollback);
    EXPECT_ARGUMENT(haigha_tx_rollback_wait);
    EXPECT_ARGUMENT(haigha_tx_select);
    EXPECT_ARGUMENT(haigha_tx_select_wait);
}

TEST(NullArguments, AccessorsAnswerNothing) {
    EXPECT_EQ(haigha_text(nullptr).size, 0U);
    EXPECT_EQ(haigha_channel_id(nullptr), 0);
    EXPECT_EQ(haigha_channel_state(nullptr), HAIGHA_STATE_CLOSED);
    EXPECT_EQ(haigha_channel_last_error(nullptr), nullptr);
    EXPECT_EQ(haigha_connection_state(nullptr), HAIGHA_STATE_CLOSED);
    EXPECT_EQ(haigha_connection_last_error(nullptr), nullptr);
    EXPECT_EQ(haigha_error_status(nullptr), HAIGHA_OK);
    EXPECT_STREQ(haigha_error_message(nullptr), "");
    EXPECT_EQ(haigha_error_reply_code(nullptr), 0);
    EXPECT_EQ(haigha_error_reply_text(nullptr).size, 0U);
    EXPECT_EQ(haigha_error_class_id(nullptr), 0);
    EXPECT_EQ(haigha_error_method_id(nullptr), 0);
    EXPECT_STREQ(haigha_error_method_name(nullptr), "");
    EXPECT_EQ(haigha_error_stage(nullptr), HAIGHA_STAGE_NONE);
    EXPECT_STREQ(haigha_error_stage_name(nullptr), "");
    EXPECT_EQ(haigha_error_channel_id(nullptr), 0);
    EXPECT_EQ(haigha_error_host(nullptr).size, 0U);
    EXPECT_EQ(haigha_error_os_errno(nullptr), 0);
    EXPECT_EQ(haigha_error_accepted(nullptr), 0);
    EXPECT_EQ(haigha_error_copy(nullptr), nullptr);
    EXPECT_EQ(haigha_inbox_fd(nullptr), -1);
    EXPECT_EQ(haigha_message_body(nullptr).size, 0U);
    EXPECT_EQ(haigha_message_exchange(nullptr).size, 0U);
    EXPECT_EQ(haigha_message_routing_key(nullptr).size, 0U);
    EXPECT_EQ(haigha_message_delivery_tag(nullptr), 0U);
    EXPECT_EQ(haigha_message_redelivered(nullptr), 0);
    EXPECT_EQ(haigha_publisher_channel(nullptr), nullptr);
    EXPECT_EQ(haigha_reply_queue(nullptr).size, 0U);
    EXPECT_EQ(haigha_reply_message_count(nullptr), 0U);
    EXPECT_EQ(haigha_reply_consumer_count(nullptr), 0U);
    EXPECT_EQ(haigha_reply_consumer_tag(nullptr).size, 0U);
    EXPECT_EQ(haigha_reply_message(nullptr), nullptr);
    EXPECT_EQ(haigha_reply_unwritten_bytes(nullptr), 0U);
    EXPECT_EQ(haigha_reply_unconfirmed(nullptr), 0U);
    EXPECT_EQ(haigha_reply_unsettled(nullptr), 0U);
    EXPECT_EQ(haigha_reply_outcome(nullptr), 0);
    EXPECT_EQ(haigha_reply_return_reason(nullptr), nullptr);
    EXPECT_EQ(haigha_topology_report_size(nullptr), 0U);
    EXPECT_EQ(haigha_topology_report_count(nullptr, HAIGHA_TOPOLOGY_EXISTS), 0U);
}

TEST(NullArguments, ReferencesOfNothing) {
    EXPECT_EQ(haigha_channel_ref(nullptr), nullptr);
    EXPECT_EQ(haigha_connection_ref(nullptr), nullptr);
    EXPECT_EQ(haigha_inbox_ref(nullptr), nullptr);
    EXPECT_EQ(haigha_loop_advanced(nullptr), -1);
    EXPECT_EQ(haigha_loop_ref(nullptr), nullptr);
    EXPECT_EQ(haigha_message_ref(nullptr), nullptr);
    EXPECT_EQ(haigha_publisher_ref(nullptr), nullptr);
    EXPECT_EQ(haigha_pool_ref(nullptr), nullptr);
    EXPECT_EQ(haigha_retry_ref(nullptr), nullptr);
    EXPECT_EQ(haigha_stream_reader_ref(nullptr), nullptr);
    EXPECT_EQ(haigha_rpc_client_ref(nullptr), nullptr);
    EXPECT_EQ(haigha_body_writer_ref(nullptr), nullptr);
    EXPECT_EQ(haigha_body_writer_sequence(nullptr), 0U);
    EXPECT_EQ(haigha_workers_ref(nullptr), nullptr);
    EXPECT_EQ(haigha_reply_ref(nullptr), nullptr);
    haigha_channel_unref(nullptr);
    haigha_connection_unref(nullptr);
    haigha_inbox_unref(nullptr);
    haigha_loop_unref(nullptr);
    haigha_message_unref(nullptr);
    haigha_publisher_unref(nullptr);
    haigha_pool_unref(nullptr);
    haigha_retry_unref(nullptr);
    haigha_stream_reader_unref(nullptr);
    haigha_rpc_client_unref(nullptr);
    haigha_topology_free(nullptr);
    haigha_topology_report_free(nullptr);
    haigha_body_writer_unref(nullptr);
    haigha_workers_unref(nullptr);
    haigha_reply_unref(nullptr);
    haigha_error_free(nullptr);
    haigha_options_free(nullptr);
    haigha_table_free(nullptr);
    haigha_metrics_free(nullptr);
}

TEST(NullArguments, EveryStatusHasAName) {
    for (haigha_status status = -1000; status <= 100; ++status)
        ASSERT_NE(haigha_status_name(status), nullptr);
    EXPECT_STREQ(haigha_status_name(HAIGHA_OK), "HAIGHA_OK");
    EXPECT_STREQ(haigha_status_name(HAIGHA_ERR_TIMEOUT), "HAIGHA_ERR_TIMEOUT");
    EXPECT_EQ(haigha_version(), static_cast<std::uint32_t>(HAIGHA_VERSION));
    EXPECT_STRNE(haigha_version_string(), "");
}

}  // namespace
}  // namespace haigha::test
