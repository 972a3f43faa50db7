#include "bench_queue.h"

#include <cstdio>
#include <random>

#include "failure.h"

namespace tool {

namespace {

// Of a durable queue of ours whose process was killed: the broker deletes it by itself.
constexpr std::int64_t orphan_expiry_ms = 30 * 60 * 1000;
constexpr int not_found = 404;

std::string fresh_name() {
    char name[32];
    std::snprintf(name, sizeof name, "haigha-bench-%08x", std::random_device()());
    return name;
}

}  // namespace

BenchQueue::BenchQueue(const BenchOptions& options, const Session& session)
    : name_(options.queue.empty() ? fresh_name() : options.queue),
      ours_(options.queue.empty()),
      timeout_ms_(session.timeout_ms()),
      channel_(session.open_channel()) {
    if (!ours_) {
        kind_ = "existing";
        if (!exists(session)) declare(options, true, false);
        return;
    }
    // A quorum queue can be nothing but durable. A transient one ends with its connection.
    declare(options, options.persistent || options.queue_type == "quorum", true);
    if (options.exchange.empty()) return;
    haigha_queue_bind_args args = HAIGHA_QUEUE_BIND_ARGS_INIT;
    args.queue = to_str(name_);
    args.exchange = to_str(options.exchange);
    args.routing_key = to_str(options.routing_key.empty() ? name_ : options.routing_key);
    ErrorSlot error;
    require(haigha_queue_bind_wait(channel_.get(), &args, timeout_ms_, nullptr, error), error);
}

void BenchQueue::declare(const BenchOptions& options, bool durable, bool ours) {
    ErrorSlot error;
    TableHandle arguments;
    require(haigha_table_new(out(arguments), error), error);
    if (!options.queue_type.empty()) {
        require(haigha_table_add_string(arguments.get(), to_str("x-queue-type"),
                                        to_str(options.queue_type), error),
                error);
    }
    if (ours && durable && options.consumers > 0) {
        require(haigha_table_add_int(arguments.get(), to_str("x-expires"), orphan_expiry_ms, error),
                error);
    }
    haigha_queue_declare_args args = HAIGHA_QUEUE_DECLARE_ARGS_INIT;
    args.queue = to_str(name_);
    args.durable = durable ? 1 : 0;
    args.exclusive = ours && !durable ? 1 : 0;
    args.arguments = arguments.get();
    require(haigha_queue_declare_wait(channel_.get(), &args, timeout_ms_, nullptr, error), error);
    kind_ = durable ? "durable" : "exclusive";
    if (!options.queue_type.empty()) kind_ += " " + options.queue_type;
}

bool BenchQueue::exists(const Session& session) const {
    // On a channel of its own: the broker closes it when there is no such queue.
    const ChannelHandle channel = session.open_channel();
    haigha_queue_declare_args args = HAIGHA_QUEUE_DECLARE_ARGS_INIT;
    args.queue = to_str(name_);
    args.passive = 1;
    ErrorSlot error;
    const haigha_status status =
        haigha_queue_declare_wait(channel.get(), &args, timeout_ms_, nullptr, error);
    if (status == HAIGHA_ERR_CHANNEL_CLOSED_BY_BROKER &&
        haigha_error_reply_code(error.get()) == not_found) {
        return false;
    }
    require(status, error);
    return true;
}

void BenchQueue::remove() {
    if (!ours_) return;
    haigha_queue_delete_args args = HAIGHA_QUEUE_DELETE_ARGS_INIT;
    args.queue = to_str(name_);
    haigha_queue_delete_wait(channel_.get(), &args, timeout_ms_, nullptr, nullptr);
}

}  // namespace tool
