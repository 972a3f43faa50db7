// Calls on objects that publish on a connection: pools, RPC clients and ladders of retries; and how
// the objects that other calls need are made.
#pragma once

#include <haigha/pieces.h>
#include <haigha/pool.h>
#include <haigha/retry.h>
#include <haigha/rpc.h>
#include <haigha/streams.h>
#include <haigha/topology.h>
#include <haigha/workers.h>

#include <array>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <vector>

#include "support/api_handles.h"
#include "value_caller.h"

namespace haigha::fuzz {

using BodyWriterHandle = std::unique_ptr<haigha_body_writer, test::Drop<haigha_body_writer_unref>>;

class ObjectCaller : public ValueCaller {
  protected:
    using ValueCaller::ValueCaller;

    // ---- what they have in common

    // make(&made): in place of what `handle` was, if that succeeds.
    template <class Handle, class Make>
    void make(Handle& handle, Make make) {
        typename Handle::pointer made = nullptr;
        const haigha_status status = make(wanted(&made));
        check(status, {HAIGHA_OK, HAIGHA_ERR_CLOSED});
        require((status == HAIGHA_OK) == (made != nullptr), "what succeeds gives a handle");
        if (status == HAIGHA_OK) handle.reset(made);
    }
    // Mostly the object, made with the least that it needs when there is none.
    template <class Handle>
    typename Handle::pointer some(Handle& handle) {
        if (handle == nullptr && input_.u8() % 4 != 0) make_plain(handle);
        return wanted(handle.get());
    }
    // Where connection, channel or loop are gone there is none.
    void make_plain(test::PoolHandle& pool) {
        (void)haigha_pool_new(environment_.connection(), nullptr, test::out(pool), nullptr);
    }
    void make_plain(test::RpcClientHandle& client) {
        (void)haigha_rpc_client_new(environment_.connection(), nullptr, test::out(client), nullptr);
    }
    void make_plain(test::RetryHandle& retry) {
        constexpr std::array<std::uint64_t, 2> delays = {10, 1000};
        haigha_retry_args args = HAIGHA_RETRY_ARGS_INIT;
        args.queue = test::str("q");
        args.delays_ms = delays.data();
        args.delay_count = delays.size();
        (void)haigha_retry_new(environment_.connection(), &args, test::out(retry), nullptr);
    }
    void make_plain(test::StreamReaderHandle& reader) {
        haigha_stream_reader_args args = HAIGHA_STREAM_READER_ARGS_INIT;
        args.stream = test::str("s");
        args.name = test::str("n");
        (void)haigha_stream_reader_new(environment_.channel(), &args, test::out(reader), nullptr);
    }
    void make_plain(BodyWriterHandle& writer) {
        const haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
        (void)haigha_body_writer_new(environment_.channel(), &args, 100, nullptr, test::out(writer),
                                     nullptr);
    }
    void make_plain(test::WorkersHandle& workers) {
        haigha_workers_args args = HAIGHA_WORKERS_ARGS_INIT;
        args.threads = 1;
        (void)haigha_workers_new(environment_.loop(), &args, test::out(workers), nullptr);
    }
    void make_plain(test::TopologyHandle& topology) {
        (void)haigha_topology_new(test::out(topology), nullptr);
    }

    // What is published: now and then anything, mostly what is taken.
    const haigha_publish_args* request() {
        if (input_.below(4) == 0) return publish_args();
        haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
        args.routing_key = short_text();
        args.mandatory = input_.u8() % 2;
        return whole(args);
    }
    // A struct as its initialiser makes it, where it stays.
    template <class Struct>
    const Struct* whole(const Struct& given) {
        std::vector<unsigned char>& memory = structs_.emplace_back(sizeof given);
        std::memcpy(memory.data(), &given, sizeof given);
        return reinterpret_cast<const Struct*>(memory.data());
    }
    haigha_loop* loop() { return wanted(environment_.loop()); }

    // start(then) or wait(timeout_ms), which is refused on this thread.
    template <class Start, class Wait>
    void start_or_wait(std::initializer_list<haigha_status> allowed, Start start, Wait wait) {
        if (input_.flag()) return check(start(then()), allowed);
        check(wait(timeout()), {HAIGHA_ERR_CLOSED, HAIGHA_ERR_WRONG_THREAD});
        require(reply_ == nullptr, "a call that fails gives no reply");
    }

    // ---- pools

    void make_pool() {
        haigha_pool_args args = HAIGHA_POOL_ARGS_INIT;
        args.events = offer().then(input_);
        args.mode = input_.u8() % 3;
        args.retry = input_.u8() % 4;
        args.correlate_returns = input_.u8() % 2;
        fill(args.reserved);
        args.max_channels = static_cast<std::uint32_t>(number_of_any_size());
        args.max_attempts = input_.u8();
        args.max_in_flight = number_of_any_size();
        args.max_messages = number_of_any_size();
        args.max_bytes = number_of_any_size();
        const haigha_pool_args* const given = sized(args);
        if (given == nullptr) offered_.clear();
        haigha_connection* const on = connection();
        make(pool_, [&](haigha_pool** made) { return haigha_pool_new(on, given, made, error()); });
    }

    void publish_by_pool() {
        const haigha_publish_args* const given = request();
        const haigha_str body = text();
        haigha_pool* const by = some(pool_);
        if (input_.flag()) {
            std::uint64_t number = 0;
            const haigha_status status =
                haigha_pool_publish(by, given, body, wanted(&number), error());
            return check(status, {HAIGHA_OK, HAIGHA_ERR_CLOSED, HAIGHA_ERR_WOULD_BLOCK});
        }
        const std::int64_t timeout_ms = timeout();
        refused_wait(haigha_pool_publish_wait(by, given, body, timeout_ms, &reply_, error()));
    }

    void end_pool() {
        haigha_pool* const of = some(pool_);
        const bool closes = input_.flag();
        start_or_wait(
            {HAIGHA_OK},
            [&](const haigha_then* answer) {
                return closes ? haigha_pool_close(of, answer, error())
                              : haigha_pool_drain(of, answer, error());
            },
            [&](std::int64_t timeout_ms) {
                return closes ? haigha_pool_close_wait(of, timeout_ms, error())
                              : haigha_pool_drain_wait(of, timeout_ms, error());
            });
    }

    // ---- requests and answers

    void make_rpc_client() {
        haigha_rpc_client_args args = HAIGHA_RPC_CLIENT_ARGS_INIT;
        args.max_calls = number_of_any_size();
        const haigha_rpc_client_args* const given = sized(args);
        haigha_connection* const on = connection();
        make(rpc_, [&](haigha_rpc_client** made) {
            return haigha_rpc_client_new(on, given, made, error());
        });
    }

    void call_rpc() {
        const haigha_publish_args* const given = request();
        const haigha_str body = text();
        haigha_rpc_client* const by = some(rpc_);
        const std::int64_t timeout_ms = timeout();
        if (input_.flag()) {
            const haigha_then* const answer = then();
            const haigha_status status =
                haigha_rpc_call(by, given, body, timeout_ms, answer, error());
            return check(status, {HAIGHA_OK, HAIGHA_ERR_CLOSED, HAIGHA_ERR_WOULD_BLOCK});
        }
        refused_wait(haigha_rpc_call_wait(by, given, body, timeout_ms, &reply_, error()));
    }

    void answer_rpc() {
        const haigha_message* const request = message();
        haigha_properties properties = HAIGHA_PROPERTIES_INIT;
        properties.present = input_.u16() & 0xFFFCU;
        properties.headers = table();
        const haigha_properties* const given = sized(properties);
        const haigha_str body = text();
        const haigha_status status = haigha_rpc_reply(channel(), request, given, body, error());
        check(status, {HAIGHA_ERR_CLOSED, HAIGHA_ERR_MALFORMED});
    }

    // ---- retries

    void make_retry() {
        haigha_retry_args args = HAIGHA_RETRY_ARGS_INIT;
        args.queue = text();
        args.prefix = text();
        args.quarantine = text();
        std::vector<std::uint64_t> delays(input_.below(4));
        for (std::uint64_t& delay : delays)
            delay = number_of_any_size();
        args.delays_ms = wanted(delays.data());
        args.delay_count = args.delays_ms == nullptr ? input_.u8() : delays.size();
        args.quorum = input_.u8();
        fill(args.reserved);
        const haigha_retry_args* const given = sized(args);
        haigha_connection* const on = connection();
        make(retry_,
             [&](haigha_retry** made) { return haigha_retry_new(on, given, made, error()); });
    }

    void retry_message() {
        haigha_message* const again = message();
        const haigha_str reason = text();
        haigha_retry* const by = some(retry_);
        haigha_channel* const on = channel();
        const haigha_then* const answer = then();
        const haigha_status status =
            input_.flag() ? haigha_retry_message(by, on, again, reason, answer, error())
                          : haigha_retry_quarantine(by, on, again, reason, answer, error());
        check(status, {HAIGHA_OK, HAIGHA_ERR_CLOSED, HAIGHA_ERR_MALFORMED, HAIGHA_ERR_WOULD_BLOCK});
    }

    void use_retry() {
        haigha_retry* const of = some(retry_);
        haigha_topology* const to = some(topology_);
        check(haigha_retry_describe(of, to, error()), {HAIGHA_OK});
        const std::int64_t timeout_ms = timeout();
        check(haigha_retry_declare_wait(of, timeout_ms, error()),
              {HAIGHA_ERR_CLOSED, HAIGHA_ERR_WRONG_THREAD});
    }

    test::PoolHandle pool_;
    test::RpcClientHandle rpc_;
    test::RetryHandle retry_;
    test::StreamReaderHandle reader_;
    BodyWriterHandle writer_;
    test::WorkersHandle workers_;
    test::TopologyHandle topology_;
};

}  // namespace haigha::fuzz
