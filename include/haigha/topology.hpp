// haigha::Topology, haigha::Retry, typed arguments and deaths: topology.h, retry.h,
// queue_arguments.h and death.h for C++20. What a function does is said there.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "death.h"
#include "haigha.hpp"
#include "queue_arguments.h"
#include "retry.h"
#include "topology.h"

namespace haigha {
inline namespace v0_1 {

// ---- typed arguments

enum class QueueKind : std::uint8_t {
    by_default = HAIGHA_QUEUE_KIND_DEFAULT,
    classic = HAIGHA_QUEUE_CLASSIC,
    quorum = HAIGHA_QUEUE_QUORUM,
    stream = HAIGHA_QUEUE_STREAM,
};
enum class Overflow : std::uint8_t {
    by_default = HAIGHA_OVERFLOW_DEFAULT,
    drop_head = HAIGHA_OVERFLOW_DROP_HEAD,
    reject_publish = HAIGHA_OVERFLOW_REJECT_PUBLISH,
    reject_publish_dlx = HAIGHA_OVERFLOW_REJECT_PUBLISH_DLX,
};
enum class DeadLetter : std::uint8_t {
    by_default = HAIGHA_DEAD_LETTER_DEFAULT,
    at_most_once = HAIGHA_DEAD_LETTER_AT_MOST_ONCE,
    at_least_once = HAIGHA_DEAD_LETTER_AT_LEAST_ONCE,
};
enum class StreamFrom : std::uint8_t {
    none = HAIGHA_STREAM_OFFSET_NONE,
    first = HAIGHA_STREAM_OFFSET_FIRST,
    last = HAIGHA_STREAM_OFFSET_LAST,
    next = HAIGHA_STREAM_OFFSET_NEXT,
    number = HAIGHA_STREAM_OFFSET_NUMBER,
    timestamp = HAIGHA_STREAM_OFFSET_TIMESTAMP,
    interval = HAIGHA_STREAM_OFFSET_INTERVAL,
};

// haigha_queue_arguments; what has no value, or is 0 or empty, is left out.
struct QueueArguments {
    QueueKind kind = QueueKind::by_default;
    Overflow overflow = Overflow::by_default;
    DeadLetter dead_letter_strategy = DeadLetter::by_default;
    bool single_active_consumer = false;
    bool lazy = false;
    std::uint8_t max_priority = 0;
    std::uint32_t quorum_initial_group_size = 0;
    std::optional<std::string_view> dead_letter_exchange{};
    std::optional<std::string_view> dead_letter_routing_key{};
    std::optional<std::chrono::milliseconds> message_ttl{};
    std::chrono::milliseconds expires{0};
    std::optional<std::uint64_t> max_length{};
    std::optional<std::uint64_t> max_length_bytes{};
    std::optional<std::int64_t> delivery_limit{};  // or HAIGHA_DELIVERY_UNLIMITED
    std::string_view stream_max_age{};
    std::uint64_t stream_max_segment_bytes = 0;
};
// haigha_consumer_arguments.
struct ConsumerArguments {
    QueueKind kind = QueueKind::by_default;
    StreamFrom stream_from = StreamFrom::none;
    std::int32_t priority = 0;
    std::uint64_t stream_offset = 0;
    std::string_view stream_interval{};
};

namespace detail {

template <class Add>
Result<Table> table_by(Add add) noexcept {
    haigha_table* made = nullptr;
    const Result<void> created =
        checked([&](haigha_error** error) { return haigha_table_new(&made, error); });
    if (!created) return created.error();
    Table table(made);
    const Result<void> added = checked([&](haigha_error** error) { return add(made, error); });
    if (!added) return added.error();
    return table;
}
inline haigha_queue_arguments c_arguments(const QueueArguments& given) noexcept {
    haigha_queue_arguments args = HAIGHA_QUEUE_ARGUMENTS_INIT;
    args.kind = static_cast<std::uint8_t>(given.kind);
    args.overflow = static_cast<std::uint8_t>(given.overflow);
    args.dead_letter_strategy = static_cast<std::uint8_t>(given.dead_letter_strategy);
    args.single_active_consumer = flag(given.single_active_consumer);
    args.lazy = flag(given.lazy);
    args.max_priority = given.max_priority;
    args.quorum_initial_group_size = given.quorum_initial_group_size;
    const auto set = [&](bool there, std::uint32_t bit) {
        if (there) args.present |= bit;
        return there;
    };
    if (set(given.dead_letter_exchange.has_value(), HAIGHA_QUEUE_HAS_DEAD_LETTER_EXCHANGE))
        args.dead_letter_exchange = str(*given.dead_letter_exchange);
    if (set(given.dead_letter_routing_key.has_value(), HAIGHA_QUEUE_HAS_DEAD_LETTER_ROUTING_KEY))
        args.dead_letter_routing_key = str(*given.dead_letter_routing_key);
    // A time below zero becomes one that is refused.
    if (set(given.message_ttl.has_value(), HAIGHA_QUEUE_HAS_MESSAGE_TTL))
        args.message_ttl_ms = static_cast<std::uint64_t>(given.message_ttl->count());
    args.expires_ms = static_cast<std::uint64_t>(given.expires.count());
    if (set(given.max_length.has_value(), HAIGHA_QUEUE_HAS_MAX_LENGTH))
        args.max_length = *given.max_length;
    if (set(given.max_length_bytes.has_value(), HAIGHA_QUEUE_HAS_MAX_LENGTH_BYTES))
        args.max_length_bytes = *given.max_length_bytes;
    if (set(given.delivery_limit.has_value(), HAIGHA_QUEUE_HAS_DELIVERY_LIMIT))
        args.delivery_limit = *given.delivery_limit;
    args.stream_max_age = str(given.stream_max_age);
    args.stream_max_segment_bytes = given.stream_max_segment_bytes;
    return args;
}

}  // namespace detail

// For QueueDeclare::arguments: haigha_queue_arguments_add. With a connection, what its broker's
// version does not do is refused too.
inline Result<Table> arguments(const QueueArguments& given,
                               const Connection& connection = {}) noexcept {
    const haigha_queue_arguments args = detail::c_arguments(given);
    return detail::table_by([&](haigha_table* table, haigha_error** error) {
        return haigha_queue_arguments_add(&args, nullptr, connection.get(), table, error);
    });
}
// For Consume::arguments: haigha_consumer_arguments_add.
inline Result<Table> arguments(const ConsumerArguments& given) noexcept {
    haigha_consumer_arguments args = HAIGHA_CONSUMER_ARGUMENTS_INIT;
    args.kind = static_cast<std::uint8_t>(given.kind);
    args.stream_from = static_cast<std::uint8_t>(given.stream_from);
    args.priority = given.priority;
    args.stream_offset = given.stream_offset;
    args.stream_interval = str(given.stream_interval);
    return detail::table_by([&](haigha_table* table, haigha_error** error) {
        return haigha_consumer_arguments_add(&args, nullptr, table, error);
    });
}

// ---- topology

// What became of each entity: haigha_topology_report.
class TopologyReport {
  public:
    using Row = haigha_topology_row;  // borrowed from the report

    TopologyReport() noexcept = default;  // without rows
    explicit TopologyReport(haigha_topology_report* owned) noexcept : report_(owned) {}
    std::size_t size() const noexcept { return haigha_topology_report_size(report_.get()); }
    // How many are in a state, HAIGHA_TOPOLOGY_*.
    std::size_t count(std::int32_t state) const noexcept {
        return haigha_topology_report_count(report_.get(), state);
    }
    Result<Row> row(std::size_t index) const noexcept {
        Row row = HAIGHA_TOPOLOGY_ROW_INIT;
        const Result<void> read = detail::checked([&](haigha_error** error) {
            return haigha_topology_report_row(report_.get(), index, &row, error);
        });
        return {row, read.error()};
    }

  private:
    struct Free {
        void operator()(haigha_topology_report* r) const noexcept {
            haigha_topology_report_free(r);
        }
    };
    std::unique_ptr<haigha_topology_report, Free> report_;
};

// What a program wants to be there: haigha_topology.
class Topology {
  public:
    Topology() noexcept = default;  // nothing can be added
    static Result<Topology> make() noexcept {
        haigha_topology* made = nullptr;
        const Result<void> created = detail::checked(
            [&](haigha_error** error) { return haigha_topology_new(&made, error); });
        if (!created) return created.error();
        return Topology(made);
    }
    // haigha_topology_add_text.
    static Result<Topology> parse(std::string_view text) noexcept {
        Result<Topology> made = make();
        if (!made) return made;
        const Result<void> added = made->add(text);
        if (!added) return added.error();
        return made;
    }
    Result<void> add(std::string_view text) noexcept {
        return detail::checked([&](haigha_error** error) {
            return haigha_topology_add_text(get(), str(text), error);
        });
    }
    // haigha_topology_add_exchange, _add_queue, _add_queue_binding and _add_exchange_binding.
    Result<void> add(const ExchangeDeclare& given) noexcept {
        haigha_exchange_declare_args args = HAIGHA_EXCHANGE_DECLARE_ARGS_INIT;
        args.exchange = str(given.exchange);
        args.type = str(given.type);
        args.passive = detail::flag(given.passive);
        args.durable = detail::flag(given.durable);
        args.auto_delete = detail::flag(given.auto_delete);
        args.internal = detail::flag(given.internal);
        args.arguments = given.arguments.get();
        return add(args, given.arguments, &haigha_topology_add_exchange);
    }
    Result<void> add(const QueueDeclare& given) noexcept {
        haigha_queue_declare_args args = HAIGHA_QUEUE_DECLARE_ARGS_INIT;
        args.queue = str(given.queue);
        args.passive = detail::flag(given.passive);
        args.durable = detail::flag(given.durable);
        args.exclusive = detail::flag(given.exclusive);
        args.auto_delete = detail::flag(given.auto_delete);
        args.arguments = given.arguments.get();
        return add(args, given.arguments, &haigha_topology_add_queue);
    }
    Result<void> add(const QueueBind& given) noexcept {
        return add(detail::binding(given), given.arguments, &haigha_topology_add_queue_binding);
    }
    Result<void> add(const ExchangeBind& given) noexcept {
        return add(detail::binding(given), given.arguments, &haigha_topology_add_exchange_binding);
    }
    // Blocks: haigha_topology_compare_wait. What was found is there with an error too.
    Result<TopologyReport> compare(const Connection& connection,
                                   Timeout timeout = default_timeout) const noexcept {
        haigha_topology_report* report = nullptr;
        const Result<void> done = detail::checked([&](haigha_error** error) {
            return haigha_topology_compare_wait(get(), connection.get(), timeout.count(), &report,
                                                error);
        });
        return {TopologyReport(report), done.error()};
    }
    // Blocks: haigha_topology_apply_wait. flags: 0 or HAIGHA_TOPOLOGY_ANYWAY.
    Result<TopologyReport> apply(const Connection& connection, std::uint32_t flags = 0,
                                 Timeout timeout = default_timeout) const noexcept {
        haigha_topology_report* report = nullptr;
        const Result<void> done = detail::checked([&](haigha_error** error) {
            return haigha_topology_apply_wait(get(), connection.get(), flags, timeout.count(),
                                              &report, error);
        });
        return {TopologyReport(report), done.error()};
    }
    haigha_topology* get() const noexcept { return topology_.get(); }

  private:
    struct Free {
        void operator()(haigha_topology* topology) const noexcept {
            haigha_topology_free(topology);
        }
    };
    explicit Topology(haigha_topology* owned) noexcept : topology_(owned) {}
    template <class Args, class Add>
    Result<void> add(const Args& args, const Table& table, Add function) noexcept {
        return detail::checked([&](haigha_error** error) {
            return detail::with(table, error, [&] { return function(get(), &args, error); });
        });
    }

    std::unique_ptr<haigha_topology, Free> topology_;
};

// ---- retries

struct RetryOptions {
    std::string_view queue{};
    std::span<const std::uint64_t> delays_ms{};
    std::string_view prefix{};      // empty: queue + ".retry"
    std::string_view quarantine{};  // empty: queue + ".quarantine"
    bool quorum = false;
};

namespace detail {
template <class Call>
auto retry_operation(Call call, haigha_retry* retry, haigha_channel* channel,
                     haigha_message* message, std::string_view reason) {
    return operation<std::string>(
        [=](const haigha_then* then, haigha_error** error) {
            return call(retry, channel, message, str(reason), then, error);
        },
        [](std::int64_t, haigha_reply**, haigha_error**) -> haigha_status {
            return HAIGHA_ERR_UNSUPPORTED;
        },
        [](const haigha_reply* reply, const haigha_event*) {
            return std::string(view(haigha_reply_queue(reply)));
        });
}
}  // namespace detail

// A ladder of delays for one queue: haigha_retry. A copy is another reference.
class Retry : public detail::Handle<haigha_retry, &haigha_retry_ref, &haigha_retry_unref> {
  public:
    Retry() noexcept = default;
    static Result<Retry> create(const Connection& connection,
                                const RetryOptions& options) noexcept {
        haigha_retry_args args = HAIGHA_RETRY_ARGS_INIT;
        args.queue = str(options.queue);
        args.prefix = str(options.prefix);
        args.quarantine = str(options.quarantine);
        args.delays_ms = options.delays_ms.data();
        args.delay_count = options.delays_ms.size();
        args.quorum = detail::flag(options.quorum);
        haigha_retry* made = nullptr;
        haigha_error* error = nullptr;
        const haigha_status status = haigha_retry_new(connection.get(), &args, &made, &error);
        if (status != HAIGHA_OK) return Error(status, error);
        return Retry(made);
    }
    // Adds it to a topology: haigha_retry_describe.
    Result<void> describe(Topology& topology) const noexcept {
        return detail::checked([&](haigha_error** error) {
            return haigha_retry_describe(get(), topology.get(), error);
        });
    }
    // Blocks: haigha_retry_declare_wait.
    Result<void> declare(Timeout timeout = default_timeout) const noexcept {
        return detail::checked([&](haigha_error** error) {
            return haigha_retry_declare_wait(get(), timeout.count(), error);
        });
    }
    // haigha_retry_message: answers with the queue that has it now. There is no C form that waits:
    // wait() is UNSUPPORTED.
    OperationOf<std::string> auto retry(const Channel& channel, const Message& message,
                                        std::string_view reason = {}) const {
        return detail::retry_operation(&haigha_retry_message, get(), channel.get(), message.get(),
                                       reason);
    }
    OperationOf<std::string> auto retry(const Delivery& delivery,
                                        std::string_view reason = {}) const {
        return detail::retry_operation(&haigha_retry_message, get(), delivery.raw().channel,
                                       delivery.raw().message, reason);
    }
    // haigha_retry_quarantine.
    OperationOf<std::string> auto quarantine(const Channel& channel, const Message& message,
                                             std::string_view reason = {}) const {
        return detail::retry_operation(&haigha_retry_quarantine, get(), channel.get(),
                                       message.get(), reason);
    }
    OperationOf<std::string> auto quarantine(const Delivery& delivery,
                                             std::string_view reason = {}) const {
        return detail::retry_operation(&haigha_retry_quarantine, get(), delivery.raw().channel,
                                       delivery.raw().message, reason);
    }
    // A number by name: see haigha_retry_info.
    Result<std::int64_t> info(std::string_view name) const noexcept {
        std::int64_t value = 0;
        const Result<void> read = detail::checked([&](haigha_error** error) {
            return haigha_retry_info(get(), str(name), &value, error);
        });
        return {value, read.error()};
    }

  private:
    explicit Retry(haigha_retry* owned) noexcept : Handle(owned) {}
};

// How often it has been given to a ladder: haigha_message_retries.
inline Result<std::uint64_t> retries(const Message& message) noexcept {
    std::uint64_t count = 0;
    const Result<void> read = detail::checked(
        [&](haigha_error** error) { return haigha_message_retries(message.get(), &count, error); });
    return {count, read.error()};
}

// ---- deaths

// The latest first, borrowed from the message: haigha_message_deaths.
inline Result<std::vector<haigha_death>> deaths(const Message& message) {
    std::size_t count = 0;
    const auto read = [&](std::vector<haigha_death>& into) {
        return detail::checked([&](haigha_error** error) {
            return haigha_message_deaths(message.get(), into.data(), into.size(), &count, error);
        });
    };
    std::vector<haigha_death> all;
    const Result<void> counted = read(all);
    if (!counted) return counted.error();
    all.resize(count);
    const Result<void> filled = read(all);
    if (!filled) return filled.error();
    return all;
}
// haigha_message_death_count; empty: in any queue, for any reason.
inline Result<std::uint64_t> death_count(const Message& message, std::string_view queue = {},
                                         std::string_view reason = {}) noexcept {
    std::uint64_t count = 0;
    const Result<void> read = detail::checked([&](haigha_error** error) {
        return haigha_message_death_count(message.get(), str(queue), str(reason), &count, error);
    });
    return {count, read.error()};
}

}  // namespace v0_1
}  // namespace haigha
