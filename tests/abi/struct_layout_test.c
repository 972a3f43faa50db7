/* The binary interface in numbers: the sizes of the public structs, the offsets of their members
 * and the values of the constants, for LP64. A program that was compiled yesterday has these
 * numbers in it: a line may be added here, and none changed. Checked by the compiler. */
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
#include <haigha/topology.h>
#include <haigha/trace_context.h>
#include <haigha/workers.h>
#include <stddef.h>

#define SIZE(type, size) _Static_assert(sizeof(type) == (size), "the size of " #type)
#define MEMBER(type, member, offset) \
    _Static_assert(offsetof(type, member) == (offset), "the offset of " #type "." #member)
#define VALUE(name, value) _Static_assert((name) == (value), "the value of " #name)

#if defined(__LP64__)

SIZE(haigha_str, 16);
MEMBER(haigha_str, data, 0);
MEMBER(haigha_str, size, 8);

SIZE(haigha_field, 56);
MEMBER(haigha_field, name, 0);
MEMBER(haigha_field, bytes, 16);
MEMBER(haigha_field, integer, 32);
MEMBER(haigha_field, real, 40);
MEMBER(haigha_field, type, 48);
MEMBER(haigha_field, scale, 52);

SIZE(haigha_pool_args, 88);
MEMBER(haigha_pool_args, size, 0);
MEMBER(haigha_pool_args, events, 8);
MEMBER(haigha_pool_args, mode, 48);
MEMBER(haigha_pool_args, retry, 49);
MEMBER(haigha_pool_args, correlate_returns, 50);
MEMBER(haigha_pool_args, reserved, 51);
MEMBER(haigha_pool_args, max_channels, 56);
MEMBER(haigha_pool_args, max_attempts, 60);
MEMBER(haigha_pool_args, max_in_flight, 64);
MEMBER(haigha_pool_args, max_messages, 72);
MEMBER(haigha_pool_args, max_bytes, 80);

SIZE(haigha_pieces_args, 32);
MEMBER(haigha_pieces_args, size, 0);
MEMBER(haigha_pieces_args, fn, 8);
MEMBER(haigha_pieces_args, user_data, 16);
MEMBER(haigha_pieces_args, release, 24);

SIZE(haigha_piece, 96);
MEMBER(haigha_piece, size, 0);
MEMBER(haigha_piece, kind, 8);
MEMBER(haigha_piece, flags, 12);
MEMBER(haigha_piece, delivery_tag, 16);
MEMBER(haigha_piece, body_size, 24);
MEMBER(haigha_piece, offset, 32);
MEMBER(haigha_piece, octets, 40);
MEMBER(haigha_piece, consumer_tag, 56);
MEMBER(haigha_piece, message, 72);
MEMBER(haigha_piece, channel, 80);
MEMBER(haigha_piece, error, 88);

SIZE(haigha_rpc_client_args, 16);
MEMBER(haigha_rpc_client_args, size, 0);
MEMBER(haigha_rpc_client_args, max_calls, 8);

SIZE(haigha_queue_arguments, 120);
MEMBER(haigha_queue_arguments, size, 0);
MEMBER(haigha_queue_arguments, present, 8);
MEMBER(haigha_queue_arguments, kind, 12);
MEMBER(haigha_queue_arguments, overflow, 13);
MEMBER(haigha_queue_arguments, dead_letter_strategy, 14);
MEMBER(haigha_queue_arguments, single_active_consumer, 15);
MEMBER(haigha_queue_arguments, lazy, 16);
MEMBER(haigha_queue_arguments, max_priority, 17);
MEMBER(haigha_queue_arguments, quorum_initial_group_size, 20);
MEMBER(haigha_queue_arguments, dead_letter_exchange, 24);
MEMBER(haigha_queue_arguments, dead_letter_routing_key, 40);
MEMBER(haigha_queue_arguments, message_ttl_ms, 56);
MEMBER(haigha_queue_arguments, expires_ms, 64);
MEMBER(haigha_queue_arguments, max_length, 72);
MEMBER(haigha_queue_arguments, max_length_bytes, 80);
MEMBER(haigha_queue_arguments, delivery_limit, 88);
MEMBER(haigha_queue_arguments, stream_max_age, 96);
MEMBER(haigha_queue_arguments, stream_max_segment_bytes, 112);

SIZE(haigha_consumer_arguments, 40);
MEMBER(haigha_consumer_arguments, size, 0);
MEMBER(haigha_consumer_arguments, kind, 8);
MEMBER(haigha_consumer_arguments, stream_from, 9);
MEMBER(haigha_consumer_arguments, priority, 12);
MEMBER(haigha_consumer_arguments, stream_offset, 16);
MEMBER(haigha_consumer_arguments, stream_interval, 24);

SIZE(haigha_death, 120);
MEMBER(haigha_death, queue, 0);
MEMBER(haigha_death, reason, 16);
MEMBER(haigha_death, exchange, 32);
MEMBER(haigha_death, original_expiration, 48);
MEMBER(haigha_death, routing_key, 64);
MEMBER(haigha_death, routing_keys, 80);
MEMBER(haigha_death, count, 104);
MEMBER(haigha_death, time_s, 112);

SIZE(haigha_topology_row, 72);
MEMBER(haigha_topology_row, size, 0);
MEMBER(haigha_topology_row, kind, 8);
MEMBER(haigha_topology_row, state, 12);
MEMBER(haigha_topology_row, name, 16);
MEMBER(haigha_topology_row, source, 32);
MEMBER(haigha_topology_row, routing_key, 48);
MEMBER(haigha_topology_row, error, 64);

SIZE(haigha_retry_args, 80);
MEMBER(haigha_retry_args, size, 0);
MEMBER(haigha_retry_args, queue, 8);
MEMBER(haigha_retry_args, prefix, 24);
MEMBER(haigha_retry_args, quarantine, 40);
MEMBER(haigha_retry_args, delays_ms, 56);
MEMBER(haigha_retry_args, delay_count, 64);
MEMBER(haigha_retry_args, quorum, 72);

SIZE(haigha_stream_reader_args, 72);
MEMBER(haigha_stream_reader_args, size, 0);
MEMBER(haigha_stream_reader_args, stream, 8);
MEMBER(haigha_stream_reader_args, name, 24);
MEMBER(haigha_stream_reader_args, offset_queue, 40);
MEMBER(haigha_stream_reader_args, save_every, 56);
MEMBER(haigha_stream_reader_args, save_interval_ms, 64);
MEMBER(haigha_stream_reader_args, quorum, 68);

VALUE(HAIGHA_QUEUE_KIND_DEFAULT, 0);
VALUE(HAIGHA_QUEUE_CLASSIC, 1);
VALUE(HAIGHA_QUEUE_QUORUM, 2);
VALUE(HAIGHA_QUEUE_STREAM, 3);
VALUE(HAIGHA_OVERFLOW_DEFAULT, 0);
VALUE(HAIGHA_OVERFLOW_DROP_HEAD, 1);
VALUE(HAIGHA_OVERFLOW_REJECT_PUBLISH, 2);
VALUE(HAIGHA_OVERFLOW_REJECT_PUBLISH_DLX, 3);
VALUE(HAIGHA_DEAD_LETTER_DEFAULT, 0);
VALUE(HAIGHA_DEAD_LETTER_AT_MOST_ONCE, 1);
VALUE(HAIGHA_DEAD_LETTER_AT_LEAST_ONCE, 2);
VALUE(HAIGHA_QUEUE_HAS_DEAD_LETTER_EXCHANGE, 1);
VALUE(HAIGHA_QUEUE_HAS_DEAD_LETTER_ROUTING_KEY, 2);
VALUE(HAIGHA_QUEUE_HAS_MESSAGE_TTL, 4);
VALUE(HAIGHA_QUEUE_HAS_MAX_LENGTH, 8);
VALUE(HAIGHA_QUEUE_HAS_MAX_LENGTH_BYTES, 16);
VALUE(HAIGHA_QUEUE_HAS_DELIVERY_LIMIT, 32);
VALUE(HAIGHA_STREAM_OFFSET_NONE, 0);
VALUE(HAIGHA_STREAM_OFFSET_FIRST, 1);
VALUE(HAIGHA_STREAM_OFFSET_LAST, 2);
VALUE(HAIGHA_STREAM_OFFSET_NEXT, 3);
VALUE(HAIGHA_STREAM_OFFSET_NUMBER, 4);
VALUE(HAIGHA_STREAM_OFFSET_TIMESTAMP, 5);
VALUE(HAIGHA_STREAM_OFFSET_INTERVAL, 6);
VALUE(HAIGHA_TOPOLOGY_EXCHANGE, 1);
VALUE(HAIGHA_TOPOLOGY_QUEUE, 2);
VALUE(HAIGHA_TOPOLOGY_QUEUE_BINDING, 3);
VALUE(HAIGHA_TOPOLOGY_EXCHANGE_BINDING, 4);
VALUE(HAIGHA_TOPOLOGY_UNKNOWN, 0);
VALUE(HAIGHA_TOPOLOGY_EXISTS, 1);
VALUE(HAIGHA_TOPOLOGY_MISSING, 2);
VALUE(HAIGHA_TOPOLOGY_CREATED, 3);
VALUE(HAIGHA_TOPOLOGY_DIFFERS, 4);
VALUE(HAIGHA_TOPOLOGY_FAILED, 5);
VALUE(HAIGHA_TOPOLOGY_ANYWAY, 1);
VALUE(HAIGHA_DELIVERY_UNLIMITED, -1);
VALUE(HAIGHA_HISTOGRAM_BUCKETS, 28);
SIZE(haigha_histogram, 240);
MEMBER(haigha_histogram, count, 0);
MEMBER(haigha_histogram, sum_ns, 8);
MEMBER(haigha_histogram, buckets, 16);

SIZE(haigha_statistics, 824);
MEMBER(haigha_statistics, size, 0);
MEMBER(haigha_statistics, state, 8);
MEMBER(haigha_statistics, blocked, 12);
MEMBER(haigha_statistics, channels, 16);
MEMBER(haigha_statistics, consumers, 24);
MEMBER(haigha_statistics, outbox_bytes, 32);
MEMBER(haigha_statistics, calls_waiting, 40);
MEMBER(haigha_statistics, unconfirmed, 48);
MEMBER(haigha_statistics, unsettled, 56);
MEMBER(haigha_statistics, oldest_unconfirmed_ms, 64);
MEMBER(haigha_statistics, oldest_unsettled_ms, 72);
MEMBER(haigha_statistics, bytes_sent, 80);
MEMBER(haigha_statistics, bytes_received, 88);
MEMBER(haigha_statistics, frames_sent, 96);
MEMBER(haigha_statistics, frames_received, 104);
MEMBER(haigha_statistics, writes, 112);
MEMBER(haigha_statistics, reads, 120);
MEMBER(haigha_statistics, heartbeats_sent, 128);
MEMBER(haigha_statistics, heartbeats_received, 136);
MEMBER(haigha_statistics, published, 144);
MEMBER(haigha_statistics, confirmed, 152);
MEMBER(haigha_statistics, nacked, 160);
MEMBER(haigha_statistics, returned, 168);
MEMBER(haigha_statistics, not_sent, 176);
MEMBER(haigha_statistics, unknown, 184);
MEMBER(haigha_statistics, republished, 192);
MEMBER(haigha_statistics, publishes_refused, 200);
MEMBER(haigha_statistics, messages_returned, 208);
MEMBER(haigha_statistics, delivered, 216);
MEMBER(haigha_statistics, got, 224);
MEMBER(haigha_statistics, redelivered, 232);
MEMBER(haigha_statistics, acked, 240);
MEMBER(haigha_statistics, nacks_sent, 248);
MEMBER(haigha_statistics, rejected, 256);
MEMBER(haigha_statistics, settled_too_late, 264);
MEMBER(haigha_statistics, blocked_times, 272);
MEMBER(haigha_statistics, blocked_ms, 280);
MEMBER(haigha_statistics, channels_opened, 288);
MEMBER(haigha_statistics, channels_lost, 296);
MEMBER(haigha_statistics, connections_opened, 304);
MEMBER(haigha_statistics, connections_lost, 312);
MEMBER(haigha_statistics, recovery_attempts, 320);
MEMBER(haigha_statistics, recovery_failures, 328);
MEMBER(haigha_statistics, recoveries, 336);
MEMBER(haigha_statistics, confirm_latency, 344);
MEMBER(haigha_statistics, round_trip, 584);

VALUE(HAIGHA_TRACE_SAMPLED, 1);
VALUE(HAIGHA_TRACEPARENT_SIZE, 55);
SIZE(haigha_trace_context, 48);
MEMBER(haigha_trace_context, trace_id, 0);
MEMBER(haigha_trace_context, parent_id, 16);
MEMBER(haigha_trace_context, flags, 24);
MEMBER(haigha_trace_context, reserved, 25);
MEMBER(haigha_trace_context, tracestate, 32);

SIZE(haigha_label, 32);
MEMBER(haigha_label, name, 0);
MEMBER(haigha_label, value, 16);

SIZE(haigha_workers_args, 40);
MEMBER(haigha_workers_args, size, 0);
MEMBER(haigha_workers_args, threads, 8);
MEMBER(haigha_workers_args, most_in_a_row, 12);
MEMBER(haigha_workers_args, max_threads_per_channel, 16);
MEMBER(haigha_workers_args, reserved, 20);
MEMBER(haigha_workers_args, max_queued, 24);
MEMBER(haigha_workers_args, max_queued_bytes, 32);

SIZE(haigha_work_args, 88);
MEMBER(haigha_work_args, size, 0);
MEMBER(haigha_work_args, queue, 8);
MEMBER(haigha_work_args, consumer_tag, 24);
MEMBER(haigha_work_args, handle, 40);
MEMBER(haigha_work_args, key, 48);
MEMBER(haigha_work_args, user_data, 56);
MEMBER(haigha_work_args, release, 64);
MEMBER(haigha_work_args, arguments, 72);
MEMBER(haigha_work_args, order, 80);
MEMBER(haigha_work_args, no_ack, 81);
MEMBER(haigha_work_args, exclusive, 82);
MEMBER(haigha_work_args, reserved, 83);

SIZE(haigha_cursor, 24);
MEMBER(haigha_cursor, at, 0);
MEMBER(haigha_cursor, left_bytes, 8);
MEMBER(haigha_cursor, kind, 16);
MEMBER(haigha_cursor, depth, 20);

SIZE(haigha_event, 176);
MEMBER(haigha_event, type, 0);
MEMBER(haigha_event, flags, 4);
MEMBER(haigha_event, tag, 8);
MEMBER(haigha_event, number, 16);
MEMBER(haigha_event, user_data, 24);
MEMBER(haigha_event, error, 32);
MEMBER(haigha_event, reply, 40);
MEMBER(haigha_event, message, 48);
MEMBER(haigha_event, connection, 56);
MEMBER(haigha_event, channel, 64);
MEMBER(haigha_event, exchange, 72);
MEMBER(haigha_event, routing_key, 88);
MEMBER(haigha_event, consumer_tag, 104);
MEMBER(haigha_event, body, 120);
MEMBER(haigha_event, channel_id, 136);
MEMBER(haigha_event, outcome, 140);
MEMBER(haigha_event, state, 144);
MEMBER(haigha_event, previous_state, 148);
MEMBER(haigha_event, delay_ms, 152);
MEMBER(haigha_event, name, 160);

SIZE(haigha_then, 40);
MEMBER(haigha_then, fn, 0);
MEMBER(haigha_then, user_data, 8);
MEMBER(haigha_then, release, 16);
MEMBER(haigha_then, inbox, 24);
MEMBER(haigha_then, tag, 32);

SIZE(haigha_log_record, 88);
MEMBER(haigha_log_record, size, 0);
MEMBER(haigha_log_record, level, 8);
MEMBER(haigha_log_record, connection_id, 12);
MEMBER(haigha_log_record, time_ns, 16);
MEMBER(haigha_log_record, subject, 24);
MEMBER(haigha_log_record, message, 40);
MEMBER(haigha_log_record, event, 56);
MEMBER(haigha_log_record, fields, 72);
MEMBER(haigha_log_record, field_count, 80);

SIZE(haigha_option_info, 88);
MEMBER(haigha_option_info, size, 0);
MEMBER(haigha_option_info, name, 8);
MEMBER(haigha_option_info, meaning, 24);
MEMBER(haigha_option_info, default_string, 40);
MEMBER(haigha_option_info, default_int, 56);
MEMBER(haigha_option_info, minimum, 64);
MEMBER(haigha_option_info, maximum, 72);
MEMBER(haigha_option_info, type, 80);
MEMBER(haigha_option_info, secret, 84);

SIZE(haigha_host_state, 24);
MEMBER(haigha_host_state, host, 0);
MEMBER(haigha_host_state, failures, 16);
MEMBER(haigha_host_state, refused, 20);

SIZE(haigha_channel_args, 80);
MEMBER(haigha_channel_args, size, 0);
MEMBER(haigha_channel_args, events, 8);
MEMBER(haigha_channel_args, confirm, 48);
MEMBER(haigha_channel_args, correlate_returns, 49);
MEMBER(haigha_channel_args, recovery_policy, 50);
MEMBER(haigha_channel_args, publish_policy, 51);
MEMBER(haigha_channel_args, reserved, 52);
MEMBER(haigha_channel_args, max_in_flight, 56);
MEMBER(haigha_channel_args, max_in_flight_bytes, 64);
MEMBER(haigha_channel_args, publish_max_age_ms, 72);

SIZE(haigha_exchange_declare_args, 56);
MEMBER(haigha_exchange_declare_args, size, 0);
MEMBER(haigha_exchange_declare_args, exchange, 8);
MEMBER(haigha_exchange_declare_args, type, 24);
MEMBER(haigha_exchange_declare_args, passive, 40);
MEMBER(haigha_exchange_declare_args, durable, 41);
MEMBER(haigha_exchange_declare_args, auto_delete, 42);
MEMBER(haigha_exchange_declare_args, internal, 43);
MEMBER(haigha_exchange_declare_args, reserved, 44);
MEMBER(haigha_exchange_declare_args, arguments, 48);

SIZE(haigha_exchange_delete_args, 32);
MEMBER(haigha_exchange_delete_args, size, 0);
MEMBER(haigha_exchange_delete_args, exchange, 8);
MEMBER(haigha_exchange_delete_args, if_unused, 24);
MEMBER(haigha_exchange_delete_args, reserved, 25);

SIZE(haigha_exchange_bind_args, 64);
MEMBER(haigha_exchange_bind_args, size, 0);
MEMBER(haigha_exchange_bind_args, destination, 8);
MEMBER(haigha_exchange_bind_args, source, 24);
MEMBER(haigha_exchange_bind_args, routing_key, 40);
MEMBER(haigha_exchange_bind_args, arguments, 56);

SIZE(haigha_queue_declare_args, 40);
MEMBER(haigha_queue_declare_args, size, 0);
MEMBER(haigha_queue_declare_args, queue, 8);
MEMBER(haigha_queue_declare_args, passive, 24);
MEMBER(haigha_queue_declare_args, durable, 25);
MEMBER(haigha_queue_declare_args, exclusive, 26);
MEMBER(haigha_queue_declare_args, auto_delete, 27);
MEMBER(haigha_queue_declare_args, reserved, 28);
MEMBER(haigha_queue_declare_args, arguments, 32);

SIZE(haigha_queue_bind_args, 64);
MEMBER(haigha_queue_bind_args, size, 0);
MEMBER(haigha_queue_bind_args, queue, 8);
MEMBER(haigha_queue_bind_args, exchange, 24);
MEMBER(haigha_queue_bind_args, routing_key, 40);
MEMBER(haigha_queue_bind_args, arguments, 56);

SIZE(haigha_queue_delete_args, 32);
MEMBER(haigha_queue_delete_args, size, 0);
MEMBER(haigha_queue_delete_args, queue, 8);
MEMBER(haigha_queue_delete_args, if_unused, 24);
MEMBER(haigha_queue_delete_args, if_empty, 25);
MEMBER(haigha_queue_delete_args, reserved, 26);

SIZE(haigha_properties, 192);
MEMBER(haigha_properties, size, 0);
MEMBER(haigha_properties, present, 8);
MEMBER(haigha_properties, delivery_mode, 12);
MEMBER(haigha_properties, priority, 13);
MEMBER(haigha_properties, reserved, 14);
MEMBER(haigha_properties, timestamp, 16);
MEMBER(haigha_properties, content_type, 24);
MEMBER(haigha_properties, content_encoding, 40);
MEMBER(haigha_properties, correlation_id, 56);
MEMBER(haigha_properties, reply_to, 72);
MEMBER(haigha_properties, expiration, 88);
MEMBER(haigha_properties, message_id, 104);
MEMBER(haigha_properties, type, 120);
MEMBER(haigha_properties, user_id, 136);
MEMBER(haigha_properties, app_id, 152);
MEMBER(haigha_properties, cluster_id, 168);
MEMBER(haigha_properties, headers, 184);

SIZE(haigha_publish_args, 64);
MEMBER(haigha_publish_args, size, 0);
MEMBER(haigha_publish_args, exchange, 8);
MEMBER(haigha_publish_args, routing_key, 24);
MEMBER(haigha_publish_args, properties, 40);
MEMBER(haigha_publish_args, user_data, 48);
MEMBER(haigha_publish_args, mandatory, 56);
MEMBER(haigha_publish_args, immediate, 57);
MEMBER(haigha_publish_args, reserved, 58);

SIZE(haigha_stop_args, 24);
MEMBER(haigha_stop_args, size, 0);
MEMBER(haigha_stop_args, settle_timeout_ms, 8);
MEMBER(haigha_stop_args, publish_timeout_ms, 12);
MEMBER(haigha_stop_args, close_timeout_ms, 16);
MEMBER(haigha_stop_args, reserved, 20);

SIZE(haigha_qos_args, 16);
MEMBER(haigha_qos_args, size, 0);
MEMBER(haigha_qos_args, prefetch_bytes, 8);
MEMBER(haigha_qos_args, prefetch_count, 12);
MEMBER(haigha_qos_args, global, 14);
MEMBER(haigha_qos_args, reserved, 15);

SIZE(haigha_consume_args, 96);
MEMBER(haigha_consume_args, size, 0);
MEMBER(haigha_consume_args, queue, 8);
MEMBER(haigha_consume_args, consumer_tag, 24);
MEMBER(haigha_consume_args, deliveries, 40);
MEMBER(haigha_consume_args, no_local, 80);
MEMBER(haigha_consume_args, no_ack, 81);
MEMBER(haigha_consume_args, exclusive, 82);
MEMBER(haigha_consume_args, pause_when_full, 83);
MEMBER(haigha_consume_args, reserved, 84);
MEMBER(haigha_consume_args, arguments, 88);

SIZE(haigha_get_args, 32);
MEMBER(haigha_get_args, size, 0);
MEMBER(haigha_get_args, queue, 8);
MEMBER(haigha_get_args, no_ack, 24);
MEMBER(haigha_get_args, reserved, 25);

#endif /* LP64 */

VALUE(HAIGHA_OK, 0);
VALUE(HAIGHA_ERR_ARGUMENT, -1);
VALUE(HAIGHA_ERR_WOULD_BLOCK, -2);
VALUE(HAIGHA_ERR_WRONG_THREAD, -3);
VALUE(HAIGHA_ERR_CLOSED, -4);
VALUE(HAIGHA_ERR_STALE, -5);
VALUE(HAIGHA_ERR_NO_MEMORY, -6);
VALUE(HAIGHA_ERR_STRUCT_VERSION, -7);
VALUE(HAIGHA_ERR_CHANNEL_LIMIT, -8);
VALUE(HAIGHA_ERR_FORKED, -9);
VALUE(HAIGHA_ERR_UNSUPPORTED, -10);
VALUE(HAIGHA_ERR_MALFORMED, -11);
VALUE(HAIGHA_ERR_TIMEOUT, -100);
VALUE(HAIGHA_ERR_IO, -101);
VALUE(HAIGHA_ERR_TLS, -102);
VALUE(HAIGHA_ERR_PROTOCOL, -103);
VALUE(HAIGHA_ERR_AUTH, -104);
VALUE(HAIGHA_ERR_CHANNEL_CLOSED_BY_BROKER, -105);
VALUE(HAIGHA_ERR_CONNECTION_CLOSED_BY_BROKER, -106);
VALUE(HAIGHA_ERR_RESOLVE, -107);
VALUE(HAIGHA_ERR_HEARTBEAT, -108);
VALUE(HAIGHA_ERR_RETURNED, -109);
VALUE(HAIGHA_ERR_INTERNAL, -900);

VALUE(HAIGHA_STAGE_NONE, 0);
VALUE(HAIGHA_STAGE_RESOLVE, 1);
VALUE(HAIGHA_STAGE_CONNECT, 2);
VALUE(HAIGHA_STAGE_TLS, 3);
VALUE(HAIGHA_STAGE_HANDSHAKE, 4);
VALUE(HAIGHA_STAGE_OPEN, 5);
VALUE(HAIGHA_STAGE_READY, 6);

VALUE(HAIGHA_FIELD_BOOL, 116);
VALUE(HAIGHA_FIELD_INT8, 98);
VALUE(HAIGHA_FIELD_UINT8, 66);
VALUE(HAIGHA_FIELD_INT16, 115);
VALUE(HAIGHA_FIELD_UINT16, 117);
VALUE(HAIGHA_FIELD_INT32, 73);
VALUE(HAIGHA_FIELD_UINT32, 105);
VALUE(HAIGHA_FIELD_INT64, 108);
VALUE(HAIGHA_FIELD_INT64_L, 76);
VALUE(HAIGHA_FIELD_FLOAT, 102);
VALUE(HAIGHA_FIELD_DOUBLE, 100);
VALUE(HAIGHA_FIELD_DECIMAL, 68);
VALUE(HAIGHA_FIELD_STRING, 83);
VALUE(HAIGHA_FIELD_BYTES, 120);
VALUE(HAIGHA_FIELD_TIMESTAMP, 84);
VALUE(HAIGHA_FIELD_ARRAY, 65);
VALUE(HAIGHA_FIELD_TABLE, 70);
VALUE(HAIGHA_FIELD_VOID, 86);

VALUE(HAIGHA_EVENT_REPLY, 1);
VALUE(HAIGHA_EVENT_DELIVERY, 2);
VALUE(HAIGHA_EVENT_OUTCOME, 3);
VALUE(HAIGHA_EVENT_RETURN, 4);
VALUE(HAIGHA_EVENT_CONNECTION_STATE, 5);
VALUE(HAIGHA_EVENT_CHANNEL_STATE, 6);
VALUE(HAIGHA_EVENT_CONSUMER_CANCELLED, 7);
VALUE(HAIGHA_EVENT_WRITABLE, 8);
VALUE(HAIGHA_EVENT_BLOCKED, 9);
VALUE(HAIGHA_EVENT_UNBLOCKED, 10);
VALUE(HAIGHA_EVENT_FLOW, 11);
VALUE(HAIGHA_EVENT_AUTH, 12);
VALUE(HAIGHA_AUTH_CREDENTIALS, 1);
VALUE(HAIGHA_AUTH_RESPONSE, 2);
VALUE(HAIGHA_AUTH_RENEWAL, 3);

VALUE(HAIGHA_FLAG_REDELIVERED, 1);
VALUE(HAIGHA_FLAG_PROPERTIES, 2);

VALUE(HAIGHA_OUTCOME_CONFIRMED, 1);
VALUE(HAIGHA_OUTCOME_NACKED, 2);
VALUE(HAIGHA_OUTCOME_RETURNED, 3);
VALUE(HAIGHA_OUTCOME_NOT_SENT, 4);
VALUE(HAIGHA_OUTCOME_UNKNOWN, 5);
VALUE(HAIGHA_OUTCOME_REFUSED, 6);

VALUE(HAIGHA_POOL_CONFIRM, 0);
VALUE(HAIGHA_POOL_TX, 1);
VALUE(HAIGHA_POOL_RETRY_ALL, 0);
VALUE(HAIGHA_POOL_RETRY_SAFE, 1);
VALUE(HAIGHA_POOL_RETRY_NONE, 2);

VALUE(HAIGHA_STATE_NEW, 0);
VALUE(HAIGHA_STATE_OPENING, 1);
VALUE(HAIGHA_STATE_OPEN, 2);
VALUE(HAIGHA_STATE_CLOSING, 3);
VALUE(HAIGHA_STATE_CLOSED, 4);

VALUE(HAIGHA_LOG_ERROR, 0);
VALUE(HAIGHA_LOG_WARN, 1);
VALUE(HAIGHA_LOG_INFO, 2);
VALUE(HAIGHA_LOG_DEBUG, 3);
VALUE(HAIGHA_LOG_TRACE, 4);

VALUE(HAIGHA_OPTION_STRING, 1);
VALUE(HAIGHA_OPTION_INT, 2);

VALUE(HAIGHA_PROPERTY_CONTENT_TYPE, 32768);
VALUE(HAIGHA_PROPERTY_CONTENT_ENCODING, 16384);
VALUE(HAIGHA_PROPERTY_HEADERS, 8192);
VALUE(HAIGHA_PROPERTY_DELIVERY_MODE, 4096);
VALUE(HAIGHA_PROPERTY_PRIORITY, 2048);
VALUE(HAIGHA_PROPERTY_CORRELATION_ID, 1024);
VALUE(HAIGHA_PROPERTY_REPLY_TO, 512);
VALUE(HAIGHA_PROPERTY_EXPIRATION, 256);
VALUE(HAIGHA_PROPERTY_MESSAGE_ID, 128);
VALUE(HAIGHA_PROPERTY_TIMESTAMP, 64);
VALUE(HAIGHA_PROPERTY_TYPE, 32);
VALUE(HAIGHA_PROPERTY_USER_ID, 16);
VALUE(HAIGHA_PROPERTY_APP_ID, 8);
VALUE(HAIGHA_PROPERTY_CLUSTER_ID, 4);

VALUE(HAIGHA_MULTIPLE, 1);
VALUE(HAIGHA_REQUEUE, 2);

int main(void) {
    return 0;
}
