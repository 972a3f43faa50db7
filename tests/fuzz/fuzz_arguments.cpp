// The C API against its callers: argument structs of any size and with any tail, strings of any
// length, tables, cursors, options and numbers, on the handles of a connection that was never
// opened.
//
// An input is a series of calls, each an octet that says which and what its arguments take.
#include <haigha/haigha.h>
#include <uv.h>

#include <array>
#include <cstring>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "client/channel.h"
#include "fuzz_target.h"
#include "handles.h"
#include "support/api_handles.h"

namespace haigha::fuzz {
namespace {

using test::ChannelHandle;
using test::ConnectionHandle;
using test::InboxHandle;
using test::LoopHandle;
using test::OptionsHandle;
using test::out;
using test::str;
using test::TableHandle;
using test::view;

constexpr std::size_t max_struct_size = 4096;
constexpr std::size_t most_calls = 100;

// A loop that is attached and run between inputs, and so needs no thread; a connection on it that
// is not opened; and a channel, which no public function gives on such a connection.
class Environment {
  public:
    Environment() {
        require(uv_loop_init(&uv_) == 0, "a libuv loop is made");
        require(haigha_loop_attach(&uv_, out(loop_), nullptr) == HAIGHA_OK, "a loop is attached");
        require(haigha_connection_new(loop_.get(), nullptr, nullptr, out(connection_), nullptr) ==
                    HAIGHA_OK,
                "a connection is made");
        auto made = Ref<client::Channel>::adopt(
            new client::Channel(Ref<client::Connection>(capi::core(connection_.get())),
                                client::Then(), client::ChannelModes()));
        channel_.reset(reinterpret_cast<haigha_channel*>(made.leak()));
    }
    ~Environment() {
        channel_.reset();
        connection_.reset();
        loop_.reset();
        uv_run(&uv_, UV_RUN_DEFAULT);
        uv_loop_close(&uv_);
    }
    Environment(const Environment&) = delete;
    Environment& operator=(const Environment&) = delete;

    haigha_loop* loop() const { return loop_.get(); }
    haigha_connection* connection() const { return connection_.get(); }
    haigha_channel* channel() const { return channel_.get(); }
    void turn() { uv_run(&uv_, UV_RUN_NOWAIT); }

  private:
    uv_loop_t uv_{};
    LoopHandle loop_;
    ConnectionHandle connection_;
    ChannelHandle channel_;
};

Environment& environment() {
    static Environment only;
    return only;
}

// What a call may be given besides its arguments, and what must not happen to it when it is
// refused.
class Callback {
  public:
    haigha_then then(Input& input) {
        return {input.flag() ? &told : nullptr, this, &released, nullptr, input.u8()};
    }
    // For the call that came last.
    void require_untouched() const {
        require(told_ == 0 && released_ == 0, "a refused call takes nothing");
    }
    int released_times() const { return released_; }

  private:
    static void told(const haigha_event*, void* self) { ++static_cast<Callback*>(self)->told_; }
    static void released(void* self) { ++static_cast<Callback*>(self)->released_; }
    int told_ = 0;
    int released_ = 0;
};

// Runs calls, and holds each to what the header says of statuses and errors.
class Caller {
  public:
    explicit Caller(Input input) : input_(input) {}

    void run() {
        for (std::size_t calls = 0; !input_.empty() && calls < most_calls; ++calls)
            call(input_.u8());
        environment().turn();
        for (const Callback& callback : callbacks_)
            require(callback.released_times() <= 1, "a release hook runs once");
    }

  private:
    // ---- arguments

    // A string in memory of its own; a size without data; or nothing.
    haigha_str text() {
        const unsigned how = input_.u8();
        if (how < 4) return {nullptr, how};
        // Around the limit of names and of what one octet can say.
        const std::size_t size = how < 0xF0 ? how / 8 : 248 + how % 16;
        const Bytes given = input_.bytes(size);
        std::vector<char>& kept = strings_.emplace_back(size, 'x');
        if (!given.empty()) std::memcpy(kept.data(), given.data(), given.size());
        return {kept.data(), kept.size()};
    }
    const haigha_table* table() {
        switch (input_.below(3)) {
            case 0:
                return nullptr;
            case 1:
                return table_.get();
            default:
                return array_.get();
        }
    }
    haigha_channel* channel() { return input_.u8() == 0xFF ? nullptr : environment().channel(); }
    haigha_connection* connection() {
        return input_.u8() == 0xFF ? nullptr : environment().connection();
    }
    std::int64_t timeout() { return static_cast<std::int8_t>(input_.u8()); }
    const haigha_then* then() {
        if (!input_.flag()) return nullptr;
        callback_ = &callbacks_.emplace_back();
        then_ = callback_->then(input_);
        return &then_;
    }

    // The struct in memory of as many bytes as its size says, where that is believed: what lies
    // behind it must not be read. Its own members are as the caller set them, but for flags.
    // first_size: of its first release, where it has grown.
    template <class Struct>
    const Struct* sized(const Struct& today, std::size_t first_size = sizeof(Struct)) {
        std::size_t size = sizeof(Struct);
        switch (input_.below(8)) {
            case 0:
                return nullptr;
            case 1:
                size = input_.u16();
                break;
            case 2:
                size = static_cast<std::size_t>(input_.u64());
                break;
            case 3:
                size = sizeof(Struct) + input_.u8();
                break;
            default:
                break;
        }
        const std::size_t kept = size > max_struct_size ? sizeof(Struct) : size;
        std::vector<unsigned char>& memory = structs_.emplace_back(std::max(kept, sizeof size));
        unsigned char* const bytes = memory.data();
        std::memcpy(bytes, &today, std::min(kept, sizeof(Struct)));
        std::memcpy(bytes, &size, sizeof size);
        bool tail = false;
        for (std::size_t i = sizeof(Struct); i < kept && input_.flag(); ++i)
            tail |= (bytes[i] = input_.u8()) != 0;
        if (size < first_size || size > max_struct_size || tail) unreadable_ = true;
        return reinterpret_cast<const Struct*>(bytes);
    }
    template <std::size_t size>
    void fill(std::uint8_t (&reserved)[size]) {
        for (std::uint8_t& octet : reserved)
            octet = input_.u8();
    }

    // ---- what must hold after a call

    haigha_error** error() {
        error_ = nullptr;
        return input_.flag() ? &error_ : nullptr;
    }
    // `allowed`: the statuses besides ARGUMENT and STRUCT_VERSION.
    void check(haigha_status status, std::initializer_list<haigha_status> allowed) {
        bool documented = status == HAIGHA_ERR_ARGUMENT || status == HAIGHA_ERR_STRUCT_VERSION;
        for (const haigha_status one : allowed)
            documented |= one == status;
        require(documented, "a call gives a status that is documented");
        require(
            !unreadable_ || status == HAIGHA_ERR_STRUCT_VERSION || status == HAIGHA_ERR_ARGUMENT,
            "a struct that cannot be read is refused");
        unreadable_ = false;
        if (callback_ != nullptr && status != HAIGHA_OK) callback_->require_untouched();
        callback_ = nullptr;
        if (error_ == nullptr) return;
        require(status != HAIGHA_OK, "a call that succeeds gives no error");
        require(haigha_error_status(error_) == status, "an error has the status of its call");
        require(std::strlen(haigha_error_message(error_)) > 0, "an error says what is wrong");
        require(haigha_status_name(status) != nullptr, "a status has a name");
        haigha_error* const copy = haigha_error_copy(error_);
        haigha_error_free(std::exchange(error_, nullptr));
        (void)view(haigha_error_reply_text(copy));
        (void)view(haigha_error_host(copy));
        require(std::strlen(haigha_error_stage_name(copy)) < 16, "a stage has a name");
        haigha_error_free(copy);
    }
    // Of an operation on a channel that is not open: it ends with its arguments.
    void refused(haigha_status status) { check(status, {HAIGHA_ERR_CLOSED}); }
    void refused_wait(haigha_status status) {
        check(status, {HAIGHA_ERR_CLOSED, HAIGHA_ERR_WRONG_THREAD});
        require(reply_ == nullptr, "a call that fails gives no reply");
    }

    // ---- the calls

    template <class Struct, class Start, class Wait>
    void operation(const Struct& args, Start start, Wait wait) {
        const Struct* const given = sized(args);
        if (input_.flag()) {
            const haigha_then* const answer = then();
            refused(start(channel(), given, answer, error()));
        } else {
            const std::int64_t timeout_ms = timeout();
            refused_wait(wait(channel(), given, timeout_ms, &reply_, error()));
        }
    }

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
        Callback& deliveries = callbacks_.emplace_back();
        args.deliveries = deliveries.then(input_);
        operation(args, haigha_consume, haigha_consume_wait);
        deliveries.require_untouched();
    }

    void publish() {
        haigha_properties properties = HAIGHA_PROPERTIES_INIT;
        properties.present = input_.flag() ? input_.u16() & 0xFFFCU : input_.u32();
        properties.delivery_mode = input_.u8();
        properties.timestamp = input_.u64();
        for (haigha_str* const member :
             {&properties.content_type, &properties.content_encoding, &properties.correlation_id,
              &properties.reply_to, &properties.expiration, &properties.message_id,
              &properties.type, &properties.user_id, &properties.app_id, &properties.cluster_id}) {
            if (input_.flag()) *member = text();
        }
        properties.headers = table();
        haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
        args.exchange = text();
        args.routing_key = text();
        args.properties = input_.flag() ? sized(properties) : nullptr;
        // Not looked at when the struct that names them is refused first.
        const bool bad_properties = std::exchange(unreadable_, false);
        const haigha_publish_args* const given = sized(args);
        unreadable_ |= bad_properties;
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
        Callback& events = callbacks_.emplace_back();
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
        Callback* const callback = callback_;
        haigha_status status = HAIGHA_OK;
        if (input_.flag()) {
            status = haigha_channel_set_events(channel(), events, error());
        } else {
            status = haigha_connection_set_events(connection(), events, error());
        }
        check(status, {HAIGHA_OK});
        if (callback == nullptr || status != HAIGHA_OK) return;
        // Replaced at once, so that the hook has run before its memory goes.
        haigha_channel_set_events(environment().channel(), nullptr, nullptr);
        haigha_connection_set_events(environment().connection(), nullptr, nullptr);
        environment().turn();
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
        require(haigha_connection_state(environment().connection()) == HAIGHA_STATE_NEW,
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
            haigha_connection_new(environment().loop(), options.get(), nullptr, out(made), error()),
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
        Callback& asked = callbacks_.emplace_back();
        const haigha_then hook = asked.then(input_);
        check(set(&hook), {HAIGHA_OK});
        if (!given) return asked.require_untouched();
        require(asked.released_times() == 0, "a release hook runs when its options are gone");
        check(set(nullptr), {HAIGHA_OK});
        require(asked.released_times() == 1, "a release hook runs once");
    }

    // ---- tables

    TableHandle& some_table() {
        TableHandle& chosen = input_.flag() ? array_ : table_;
        const bool array = &chosen == &array_;
        if (chosen == nullptr || input_.below(16) == 0) {
            check(array ? haigha_table_new_array(out(chosen), error())
                        : haigha_table_new(out(chosen), error()),
                  {HAIGHA_OK});
        }
        return chosen;
    }

    void add_field() {
        TableHandle& table = some_table();
        haigha_field field{};
        field.name = text();
        field.bytes = text();
        field.integer = static_cast<std::int64_t>(input_.u64());
        const std::uint64_t real = input_.u64();
        std::memcpy(&field.real, &real, sizeof real);
        constexpr std::string_view types = "tbBsuIilLfdDSxTAFV";
        field.type = input_.flag() ? static_cast<unsigned char>(types[input_.below(types.size())])
                                   : input_.u32();
        field.scale = input_.flag() ? input_.u8() : input_.u32();
        check(haigha_table_add(table.get(), &field, error()), {HAIGHA_OK});
        require_walks(table.get());
    }

    void add_common_field() {
        TableHandle& table = some_table();
        const haigha_str name = text();
        switch (input_.below(5)) {
            case 0:
                return check(haigha_table_add_string(table.get(), name, text(), error()),
                             {HAIGHA_OK});
            case 1:
                return check(haigha_table_add_int(table.get(), name,
                                                  static_cast<std::int64_t>(input_.u64()), error()),
                             {HAIGHA_OK});
            case 2:
                return check(haigha_table_add_bool(table.get(), name, input_.u8(), error()),
                             {HAIGHA_OK});
            case 3: {
                const std::uint64_t bits = input_.u64();
                double value = 0;
                std::memcpy(&value, &bits, sizeof value);
                return check(haigha_table_add_double(table.get(), name, value, error()),
                             {HAIGHA_OK});
            }
            default: {
                // One may be put into itself: it is copied.
                const std::size_t before = size_of(table.get());
                if (before > 1U << 16) return;
                return check(haigha_table_add_table(table.get(), name, this->table(), error()),
                             {HAIGHA_OK});
            }
        }
    }

    static std::size_t size_of(const haigha_table* table) {
        haigha_cursor cursor;
        return haigha_table_cursor(table, &cursor) == HAIGHA_OK ? cursor.left_bytes : 0;
    }

    static int walk(haigha_cursor cursor, std::size_t depth) {
        require(depth < 40, "a walk ends");
        haigha_field field;
        for (;;) {
            const int status = haigha_cursor_next(&cursor, &field);
            require(status == 1 || status == 0 || status == HAIGHA_ERR_MALFORMED ||
                        status == HAIGHA_ERR_ARGUMENT,
                    "a cursor gives a status that is documented");
            if (status != 1) return status;
            require(field.name.size <= 255, "a name is a name");
            haigha_cursor nested;
            if (haigha_cursor_enter(&cursor, &field, &nested) != HAIGHA_OK) continue;
            if (const int inner = walk(nested, depth + 1); inner != 0) return inner;
        }
    }
    static void require_walks(const haigha_table* table) {
        haigha_cursor cursor;
        require(haigha_table_cursor(table, &cursor) == HAIGHA_OK, "a table has a cursor");
        require(walk(cursor, 0) == 0, "what was added can be walked");
    }
    void walk_table() { require_walks(some_table().get()); }

    void walk_bytes() {
        const haigha_str bytes = text();
        haigha_cursor cursor{bytes.data, bytes.size, input_.u32(), 0};
        cursor.depth = input_.flag() ? input_.below(40) : input_.u32();
        (void)walk(cursor, 0);
        haigha_cursor nested;
        haigha_field field{};
        field.bytes = bytes;
        field.type = input_.u32();
        const haigha_status status = haigha_cursor_enter(&cursor, &field, &nested);
        require(
            status == HAIGHA_OK || status == HAIGHA_ERR_ARGUMENT || status == HAIGHA_ERR_MALFORMED,
            "a cursor enters what it may");
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

    Input input_;
    // What was passed in stays where it is until the end, so that a late read shows.
    std::deque<std::vector<char>> strings_;
    std::deque<std::vector<unsigned char>> structs_;
    std::deque<Callback> callbacks_;
    TableHandle table_;
    TableHandle array_;
    haigha_then then_{};
    Callback* callback_ = nullptr;  // of the call that is being made
    haigha_reply* reply_ = nullptr;
    haigha_error* error_ = nullptr;
    bool unreadable_ = false;  // the struct of the call that is being made
};

}  // namespace
}  // namespace haigha::fuzz

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    haigha::fuzz::Caller(haigha::fuzz::Input(data, size)).run();
    return 0;
}
