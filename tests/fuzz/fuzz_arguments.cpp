// The C API against its callers: argument structs of any size and with any tail, strings of any
// length, tables, cursors, options and numbers, on the handles of a connection that was never
// opened.
//
// An input is a series of calls, each an octet that says which and what its arguments take.
#include <haigha/haigha.h>

#include <array>
#include <string_view>
#include <utility>
#include <vector>

#include "fuzz_target.h"
#include "support/api_handles.h"
#include "table_caller.h"

namespace haigha::fuzz {
namespace {

using test::ConnectionHandle;
using test::InboxHandle;
using test::OptionsHandle;
using test::out;
using test::str;
using test::view;

constexpr std::size_t most_calls = 100;

Environment& environment() {
    static Environment only;
    return only;
}

// Runs calls, and holds each to what the header says of statuses and errors.
class Caller : private TableCaller {
  public:
    explicit Caller(Input input) : TableCaller(input, environment()) {}

    void run() {
        for (std::size_t calls = 0; !input_.empty() && calls < most_calls; ++calls)
            call(input_.u8());
        environment_.turn();
        for (const Callback& callback : callbacks_)
            callback.require_released();
    }

  private:
    // ---- the calls

    void call(unsigned which) {
        switch (which % 32) {
            case 0: {
                haigha_exchange_declare_args args = HAIGHA_EXCHANGE_DECLARE_ARGS_INIT;
                args.exchange = text();
                args.type = text();
                args.passive = input_.u8();
                args.arguments = table();
                fill(args.reserved);
                return operation(args, haigha_exchange_declare, haigha_exchange_declare_wait);
            }
            case 1: {
                haigha_exchange_delete_args args = HAIGHA_EXCHANGE_DELETE_ARGS_INIT;
                args.exchange = text();
                fill(args.reserved);
                return operation(args, haigha_exchange_delete, haigha_exchange_delete_wait);
            }
            case 2:
            case 3: {
                haigha_exchange_bind_args args = HAIGHA_EXCHANGE_BIND_ARGS_INIT;
                args.destination = text();
                args.source = text();
                args.routing_key = text();
                args.arguments = table();
                if (which % 32 == 2)
                    return operation(args, haigha_exchange_bind, haigha_exchange_bind_wait);
                return operation(args, haigha_exchange_unbind, haigha_exchange_unbind_wait);
            }
            case 4: {
                haigha_queue_declare_args args = HAIGHA_QUEUE_DECLARE_ARGS_INIT;
                args.queue = text();
                args.durable = input_.u8();
                args.arguments = table();
                fill(args.reserved);
                return operation(args, haigha_queue_declare, haigha_queue_declare_wait);
            }
            case 5:
            case 6: {
                haigha_queue_bind_args args = HAIGHA_QUEUE_BIND_ARGS_INIT;
                args.queue = text();
                args.exchange = text();
                args.routing_key = text();
                args.arguments = table();
                if (which % 32 == 5)
                    return operation(args, haigha_queue_bind, haigha_queue_bind_wait);
                return operation(args, haigha_queue_unbind, haigha_queue_unbind_wait);
            }
            case 7: {
                haigha_queue_delete_args args = HAIGHA_QUEUE_DELETE_ARGS_INIT;
                args.queue = text();
                fill(args.reserved);
                return operation(args, haigha_queue_delete, haigha_queue_delete_wait);
            }
            case 8: {
                haigha_qos_args args = HAIGHA_QOS_ARGS_INIT;
                args.prefetch_bytes = input_.u32();
                args.prefetch_count = input_.u16();
                fill(args.reserved);
                return operation(args, haigha_qos, haigha_qos_wait);
            }
            case 9: {
                haigha_get_args args = HAIGHA_GET_ARGS_INIT;
                args.queue = text();
                fill(args.reserved);
                return operation(args, haigha_get, haigha_get_wait);
            }
            case 10:
                return consume();
            case 11:
                return publish();
            case 12:
                return open_channel();
            case 13:
                return settle();
            case 14:
                return plain_operation();
            case 15:
                return set_events();
            case 16:
                return ask_connection();
            case 17:
                return answer_auth();
            case 18:
                return set_option();
            case 19:
                return describe_option();
            case 20:
                return set_uri();
            case 21:
            case 22:
                return add_field();
            case 23:
                return add_common_field();
            case 24:
                return walk_table();
            case 25:
                return walk_bytes();
            case 26:
                return poll_inbox();
            case 27:
                return read_options();
            case 28:
                return stop_consumer();
            default:
                return ask_nothing();
        }
    }

    void consume() {
        haigha_consume_args args = HAIGHA_CONSUME_ARGS_INIT;
        args.queue = text();
        args.consumer_tag = text();
        args.no_ack = input_.u8();
        args.arguments = table();
        fill(args.reserved);
        Callback& deliveries = offer();
        args.deliveries = deliveries.then(input_);
        operation(args, haigha_consume, haigha_consume_wait);
        deliveries.require_untouched();
    }

    void publish() {
        const haigha_publish_args* const given = publish_args();
        const haigha_str body = text();
        if (input_.flag()) {
            std::uint64_t sequence = 7;
            refused(haigha_publish(channel(), given, body, &sequence, error()));
            require(sequence == 7, "a call that fails gives no number");
        } else {
            const std::int64_t timeout_ms = timeout();
            refused_wait(haigha_publish_wait(channel(), given, body, timeout_ms, &reply_, error()));
        }
    }

    void open_channel() {
        haigha_channel_args args = HAIGHA_CHANNEL_ARGS_INIT;
        Callback& events = offer();
        args.events = events.then(input_);
        args.confirm = input_.u8();
        args.correlate_returns = input_.u8();
        args.max_in_flight = input_.u8();
        args.max_in_flight_bytes = input_.u8();
        fill(args.reserved);
        const haigha_channel_args* given =
            sized(args, offsetof(haigha_channel_args, max_in_flight));
        haigha_channel* opened = nullptr;
        if (input_.flag()) {
            const haigha_then* const answer = then();
            refused(haigha_channel_open(connection(), given, answer, &opened, error()));
        } else {
            const std::int64_t timeout_ms = timeout();
            refused_wait(
                haigha_channel_open_wait(connection(), given, timeout_ms, &opened, error()));
        }
        require(opened == nullptr, "a call that fails gives no channel");
        events.require_untouched();
    }

    void stop_consumer() {
        const unsigned which = input_.u8();
        const haigha_str tag = text();
        const haigha_then* const answer = which % 2 == 0 ? then() : nullptr;
        const std::int64_t timeout_ms = timeout();
        haigha_channel* const on = channel();
        switch (which % 6) {
            case 0:
                return refused(haigha_consumer_drain(on, tag, timeout_ms, answer, error()));
            case 1:
                return refused_wait(
                    haigha_consumer_drain_wait(on, tag, timeout_ms, &reply_, error()));
            case 2:
                return refused(haigha_consumer_pause(on, tag, answer, error()));
            case 3:
                return refused_wait(
                    haigha_consumer_pause_wait(on, tag, timeout_ms, &reply_, error()));
            case 4:
                return refused(haigha_consumer_resume(on, tag, answer, error()));
            default:
                return refused_wait(
                    haigha_consumer_resume_wait(on, tag, timeout_ms, &reply_, error()));
        }
    }

    void settle() {
        const std::uint64_t tag = input_.u64();
        const std::uint32_t flags = input_.flag() ? input_.below(4) : input_.u32();
        switch (input_.below(3)) {
            case 0:
                return refused(haigha_ack(channel(), tag, flags, error()));
            case 1:
                return refused(haigha_nack(channel(), tag, flags, error()));
            default:
                return refused(haigha_reject(channel(), tag, flags, error()));
        }
    }

    void plain_operation() {
        const unsigned which = input_.u8();
        const haigha_str name = text();
        const auto number = static_cast<std::int32_t>(input_.u32());
        const haigha_then* const answer = which % 2 == 0 ? then() : nullptr;
        const std::int64_t timeout_ms = timeout();
        haigha_channel* const on = channel();
        switch (which % 14) {
            case 0:
                return refused(haigha_queue_purge(on, name, answer, error()));
            case 1:
                return refused_wait(
                    haigha_queue_purge_wait(on, name, timeout_ms, &reply_, error()));
            case 2:
                return refused(haigha_cancel(on, name, answer, error()));
            case 3:
                return refused_wait(haigha_cancel_wait(on, name, timeout_ms, &reply_, error()));
            case 4:
                return refused(haigha_recover(on, number, answer, error()));
            case 5:
                return refused_wait(haigha_recover_wait(on, number, timeout_ms, &reply_, error()));
            case 6:
                return refused(haigha_channel_flow(on, number, answer, error()));
            case 7:
                return refused_wait(
                    haigha_channel_flow_wait(on, number, timeout_ms, &reply_, error()));
            case 8:
                return refused(haigha_confirm_select(on, answer, error()));
            case 9:
                return refused_wait(haigha_confirm_select_wait(on, timeout_ms, &reply_, error()));
            case 10:
                return refused(haigha_tx_select(on, answer, error()));
            case 11:
                return refused_wait(haigha_tx_commit_wait(on, timeout_ms, &reply_, error()));
            case 12:
                return refused(haigha_tx_rollback(on, answer, error()));
            default:
                return refused_wait(haigha_tx_select_wait(on, timeout_ms, &reply_, error()));
        }
    }

    void set_events() {
        const haigha_then* const events = then();
        Callback* const callback = events != nullptr ? offered_.back() : nullptr;
        haigha_status status = HAIGHA_OK;
        if (input_.flag()) {
            status = haigha_channel_set_events(channel(), events, error());
        } else {
            status = haigha_connection_set_events(connection(), events, error());
        }
        check(status, {HAIGHA_OK});
        if (callback == nullptr || status != HAIGHA_OK) return;
        // Replaced at once, so that the hook has run before its memory goes.
        haigha_channel_set_events(environment_.channel(), nullptr, nullptr);
        haigha_connection_set_events(environment_.connection(), nullptr, nullptr);
        environment_.turn();
        require(callback->released_times() == 1, "a release hook runs once");
    }

    void ask_connection() {
        std::int64_t value = 0;
        const haigha_str name = input_.flag() ? text() : str(info_names[input_.below(4)]);
        check(haigha_connection_info(connection(), name, &value, error()), {HAIGHA_OK});
        haigha_table* table = nullptr;
        check(haigha_connection_server_properties(connection(), &table, error()),
              {HAIGHA_ERR_CLOSED});
        check(haigha_connection_peer_info(connection(), &table, error()), {HAIGHA_ERR_CLOSED});
        require(table == nullptr, "a call that fails gives no table");
        require(haigha_connection_state(environment_.connection()) == HAIGHA_STATE_NEW,
                "no call opens a connection but open");
    }

    void answer_auth() {
        const std::uint64_t number = input_.u64();
        const haigha_str first = text();
        const haigha_str second = text();
        const auto lifetime = static_cast<std::int64_t>(input_.u64());
        switch (input_.below(4)) {
            case 0:
                return check(haigha_connection_answer_credentials(connection(), number, first,
                                                                  second, lifetime, error()),
                             {HAIGHA_ERR_STALE});
            case 1:
                return check(
                    haigha_connection_answer_response(connection(), number, first, error()),
                    {HAIGHA_ERR_STALE});
            case 2:
                return check(haigha_connection_refuse_auth(connection(), number, first, error()),
                             {HAIGHA_ERR_STALE});
            default: {
                const haigha_then* const answer = then();
                return refused(
                    haigha_connection_update_secret(connection(), first, second, answer, error()));
            }
        }
    }

    void set_option() {
        OptionsHandle options;
        check(haigha_options_new(out(options), error()), {HAIGHA_OK});
        haigha_str name = text();
        if (input_.flag()) {
            haigha_option_info info{};
            info.size = sizeof info;
            if (haigha_options_describe(input_.u8(), &info) == HAIGHA_OK) name = info.name;
        }
        check(haigha_options_set_string(options.get(), name, text(), error()), {HAIGHA_OK});
        const auto number = input_.flag() ? static_cast<std::int64_t>(input_.u64()) : input_.u16();
        check(haigha_options_set_int(options.get(), name, number, error()), {HAIGHA_OK});
        // Whatever was set makes a connection, if not one that can be opened.
        ConnectionHandle made;
        check(
            haigha_connection_new(environment_.loop(), options.get(), nullptr, out(made), error()),
            {HAIGHA_OK});
    }

    void describe_option() {
        haigha_option_info info{};
        info.size = sizeof info;
        const std::size_t index = input_.flag() ? input_.u8() : input_.u64();
        const auto* const given = sized(info);
        const bool unreadable = std::exchange(unreadable_, false);
        const haigha_status status =
            haigha_options_describe(index, const_cast<haigha_option_info*>(given));
        check(status, {HAIGHA_OK});
        require(!unreadable || status != HAIGHA_OK || given->size > sizeof info,
                "a struct that cannot be written is refused");
    }

    void set_uri() {
        OptionsHandle options;
        check(haigha_options_new(out(options), error()), {HAIGHA_OK});
        check(haigha_options_set_uri(options.get(), text(), error()),
              {HAIGHA_OK, HAIGHA_ERR_UNSUPPORTED});
    }

    haigha_str option_name() {
        haigha_option_info info{};
        info.size = sizeof info;
        const bool known = haigha_options_describe(input_.u8(), &info) == HAIGHA_OK;
        return known ? info.name : text();
    }

    // What was set is read back; what was refused is not there.
    void read_options() {
        OptionsHandle options;
        check(haigha_options_new(out(options), error()), {HAIGHA_OK});
        const haigha_str name = option_name();
        const haigha_str value = text();
        const haigha_status set = haigha_options_set_string(options.get(), name, value, error());
        check(set, {HAIGHA_OK});
        haigha_str read{};
        const haigha_status got = haigha_options_get_string(options.get(), name, &read, error());
        check(got, {HAIGHA_OK});
        if (set == HAIGHA_OK) {
            require(got == HAIGHA_OK && view(read) == view(value), "what was set is read back");
        }
        const auto number = static_cast<std::int64_t>(input_.u64());
        const haigha_status set_number =
            haigha_options_set_int(options.get(), name, number, error());
        check(set_number, {HAIGHA_OK});
        std::int64_t read_number = 0;
        const haigha_status got_number =
            haigha_options_get_int(options.get(), name, &read_number, error());
        check(got_number, {HAIGHA_OK});
        if (set_number == HAIGHA_OK) {
            require(got_number == HAIGHA_OK && read_number == number, "what was set is read back");
        }
        require(got != HAIGHA_OK || got_number != HAIGHA_OK, "an option is a string or a number");
        haigha_str uri{};
        check(haigha_options_get_uri(options.get(), input_.u8(), &uri, error()), {HAIGHA_OK});
        require(view(uri).starts_with("amqp"), "options can be told as a URI");
        const bool given = input_.flag();
        haigha_options* const some = given ? options.get() : nullptr;
        const auto ask = [](char*, std::size_t, void*) -> std::int32_t { return -1; };
        set_hook(given, [&](const haigha_then* hook) {
            return haigha_options_set_key_password_fn(
                some, hook != nullptr ? +ask : nullptr, hook != nullptr ? hook->user_data : nullptr,
                hook != nullptr ? hook->release : nullptr, error());
        });
        const auto prepare = [](void*, void*) -> std::int32_t { return 0; };
        set_hook(given, [&](const haigha_then* hook) {
            return haigha_options_set_tls_fn(some, hook != nullptr ? +prepare : nullptr,
                                             hook != nullptr ? hook->user_data : nullptr,
                                             hook != nullptr ? hook->release : nullptr, error());
        });
    }

    // `set` gives a function to options, or takes it away again (NULL).
    template <class Set>
    void set_hook(bool given, Set set) {
        Callback& asked = offer();
        const haigha_then hook = asked.then(input_);
        check(set(&hook), {HAIGHA_OK});
        if (!given) return asked.require_untouched();
        require(asked.released_times() == 0, "a release hook runs when its options are gone");
        check(set(nullptr), {HAIGHA_OK});
        require(asked.released_times() == 1, "a release hook runs once");
    }

    // ---- the rest

    void poll_inbox() {
        InboxHandle inbox;
        const std::size_t waiting = input_.flag() ? input_.u16() : input_.u64();
        const haigha_status made = haigha_inbox_new(waiting, out(inbox), error());
        check(made, {HAIGHA_OK});
        check(haigha_inbox_set_capacity_bytes(inbox.get(), waiting, error()), {HAIGHA_OK});
        const std::size_t event_bytes = input_.flag() ? sizeof(haigha_event) : input_.u16();
        const std::size_t capacity = input_.below(4);
        std::vector<haigha_event> events(1 + max_struct_size * 4 / sizeof(haigha_event));
        std::size_t count = 0;
        check(haigha_inbox_poll(inbox.get(), events.data(), event_bytes, capacity, 0, &count,
                                error()),
              {HAIGHA_OK});
        require(count == 0, "an inbox that nothing fills is empty");
    }

    void ask_nothing() {
        const auto number = static_cast<std::int32_t>(input_.u32());
        require(haigha_status_name(number) != nullptr, "any number has a name");
        require(haigha_error_status(nullptr) == 0 && haigha_reply_queue(nullptr).size == 0 &&
                    haigha_message_body(nullptr).size == 0,
                "nothing has nothing");
    }

    static constexpr std::array<std::string_view, 4> info_names = {"frame_max", "outbox_bytes",
                                                                   "channels", "local_port"};
};

}  // namespace
}  // namespace haigha::fuzz

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    haigha::fuzz::Caller(haigha::fuzz::Input(data, size)).run();
    return 0;
}
