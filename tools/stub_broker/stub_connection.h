// One client of the stub broker: its bytes, its frames, and whether it keeps to the protocol.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "stub_broker/stub_broker.h"
#include "stub_broker/stub_log.h"
#include "stub_broker/stub_memory.h"
#include "stub_broker/stub_queues.h"
#include "stub_broker/stub_replies.h"
#include "stub_broker/stub_script.h"
#include "wire/frame.h"
#include "wire/method_table.h"

namespace haigha::test {

// What all connections of a broker share.
struct StubWorld {
    explicit StubWorld(StubOptions given) : options(std::move(given)) {}
    StubOptions options;
    StubScript script;
    StubMemory memory;  // outlives what is charged to it
    StubQueues queues{memory};
    StubReplies replies;
    StubLog log;
};

// A method with its content, if it has any: whole, so that it can be executed later.
struct StubCommand {
    std::uint16_t channel = 0;
    std::vector<std::byte> method{};  // a method frame's payload
    std::vector<std::byte> properties{};
    std::vector<std::byte> body{};
    std::uint64_t sequence = 0;  // of a publish on a confirm channel
    StubCharge charge{};
};

struct StubUnacked {
    std::string queue;
    StubEntry entry;
    StubConsumerRef consumer;  // null: from basic.get
};

struct StubChannel {
    bool closing = false;         // the broker said channel.close
    bool client_closing = false;  // the client did
    bool confirm = false;
    bool tx = false;
    bool stopped = false;         // the client has answered channel.flow off
    std::string_view pending{};   // the synchronous method that waits for its reply
    std::uint64_t published = 0;  // since confirm.select
    std::uint64_t confirmed = 0;  // so far without a gap
    std::vector<std::uint64_t> confirms_due{};
    std::vector<std::uint64_t> nacks_due{};
    std::uint64_t next_tag = 1;
    std::uint16_t prefetch = 0;      // of consumers to come
    std::uint16_t prefetch_all = 0;  // of all of them together
    std::string last_queue{};
    std::map<std::uint64_t, StubUnacked> unacked{};
    std::map<std::string, StubConsumerRef, std::less<>> consumers{};
    std::vector<StubCommand> in_transaction{};  // publishes and settlements
    std::string reply_name{};                   // of its consumer of amq.rabbitmq.reply-to

    // Content that is being received.
    bool in_content = false;
    bool has_header = false;
    std::uint64_t body_size = 0;
    StubCommand content{};
    std::optional<StubAction> content_action{};
};

class StubConnection {
  public:
    using Clock = std::chrono::steady_clock;

    StubConnection(int fd, int number, StubWorld& world);
    ~StubConnection();
    StubConnection(const StubConnection&) = delete;
    StubConnection& operator=(const StubConnection&) = delete;

    int fd() const { return fd_; }
    bool dead() const { return dead_; }
    bool wants_write() const { return !dead_ && sent_ < out_.size(); }
    // Not while so much waits to be sent that answers would fill the memory.
    bool wants_read() const {
        return !dead_ && reading_ && world_.script.reading && out_.size() - sent_ < most_unsent;
    }
    void resume() { reading_ = true; }
    // Whether that consumer takes more: what is not delivered stays in the queues.
    bool takes_deliveries(const StubConsumer& consumer) const;
    // When on_time() wants to be called.
    Clock::time_point due() const;

    void on_readable();
    void write_some();
    void on_time(Clock::time_point now);
    // It is dead: its consumers and unacknowledged messages go back.
    void clean_up();

    // ---- commands: stub_actions.cpp
    void act(const StubAction& action, std::uint16_t channel);
    void release(std::size_t count);
    void send_bytes(std::span<const std::byte> bytes);
    void flow(std::uint16_t channel, bool active);

    // ---- of the queues
    void deliver(const StubConsumerRef& consumer, const StubEntry& entry);
    void consumer_cancelled(const StubConsumer& consumer);

  private:
    // Octets on the way to a client that does not read.
    static constexpr std::size_t most_undelivered = std::size_t{16} << 20;
    static constexpr std::size_t most_unsent = std::size_t{64} << 20;
    // Of a frame, when no frame_max holds; what comes in pieces may be larger.
    static constexpr std::uint32_t most_frame = std::uint32_t{16} << 20;
    // Consumers of one client, and methods that a script has it hold.
    static constexpr std::size_t most_held = 100'000;

    enum class State : std::uint8_t {
        protocol_header,
        start_ok,
        secure_ok,
        tune_ok,
        open,
        running,
        closing,  // the broker said connection.close
        ended,    // close-ok was said
        stalled,
    };

    // ---- stub_connection.cpp: bytes, the handshake, and channel 0
    bool has_room() const {
        return !dead_ && state_ == State::running && out_.size() - sent_ < most_undelivered;
    }
    void process();
    void greet();
    void on_frame(const wire::Frame& frame);
    void on_connection_method(const wire::MethodInfo& info, wire::Bytes payload);
    void on_handshake(const wire::MethodInfo& info, wire::Bytes payload);
    void on_start_ok(wire::Bytes payload);
    void on_tune_ok(wire::Bytes payload);
    void on_open(wire::Bytes payload);
    void challenge(std::string text);
    void on_secure_ok(wire::Bytes payload);
    void authenticated(bool allowed);
    void close_connection(std::uint16_t code, std::string_view text, wire::MethodId blamed = {});
    void reset();
    void log(std::string_view name, std::uint16_t channel = 0, bool ignored = false);
    // What the script says of a method, which is told when it says something.
    std::optional<StubAction> scripted(std::string_view name, std::uint16_t channel);
    void hold(StubCommand command);
    // Records it and, with a code, closes the connection as RabbitMQ does.
    void violated(std::uint16_t code, const std::string& text);

    // ---- stub_channel.cpp: what comes on a channel, and in what order
    void on_channel_frame(const wire::Frame& frame);
    void on_channel_method(const wire::MethodInfo& info, std::uint16_t number, wire::Bytes payload);
    void on_content(StubChannel& channel, const wire::Frame& frame);
    void content_complete(StubChannel& channel);
    void follow(StubChannel& channel, StubCommand command, const std::optional<StubAction>& action);
    void close_channel(std::uint16_t number, std::uint16_t code, std::string_view text,
                       wire::MethodId blamed = {});
    void forget_channel(std::uint16_t number);
    void execute(const StubCommand& command);
    void block(std::string_view reason);
    void unblock();
    void cancel_consumers(std::uint16_t channel, std::string_view tag);
    void nack(StubChannel& channel, const StubCommand& command);
    void give_back_message(StubChannel& channel, const StubCommand& command,
                           const StubAction& action);

    // ---- stub_methods.cpp and stub_basic.cpp: what the methods do. They throw StubRefusal.
    void execute_method(StubChannel& channel, const StubCommand& command);
    void execute_basic(StubChannel& channel, const StubCommand& command, wire::MethodId id);
    void qos(StubChannel& channel, const StubCommand& command);
    void keep_for_commit(StubChannel& channel, const StubCommand& command);
    void publish(StubChannel& channel, const StubCommand& command);
    void route(const StubCommand& command);
    void send_return(const StubCommand& command, std::uint16_t code, std::string_view text,
                     const StubMessage& message);
    void declare_queue(StubChannel& channel, const StubCommand& command);
    void delete_queue(StubChannel& channel, const StubCommand& command);
    void execute_transaction(StubChannel& channel, const StubCommand& command, wire::MethodId id);
    void execute_settlement(StubChannel& channel, const StubCommand& command, wire::MethodId id);
    void consume_replies(StubChannel& channel, const StubCommand& command);
    void rewrite_reply_to(const StubChannel& channel, std::vector<std::byte>& properties) const;
    void check_memory() const;
    void consume(StubChannel& channel, const StubCommand& command);
    void get(StubChannel& channel, const StubCommand& command);
    void settle(StubChannel& channel, std::uint64_t tag, bool multiple, bool requeue);
    void give_back(StubChannel& channel);
    void send_confirms();
    std::string queue_name(const StubChannel& channel, std::string_view given) const;

    template <class Method>
    void send(std::uint16_t channel, const Method& method) {
        if (finishing_) return;
        const std::size_t at = out_.size();
        out_.resize(at + wire::method_frame_size(method));
        wire::write_method_frame(out_.data() + at, channel, method);
    }
    // Answers the channel's synchronous method.
    template <class Method>
    void reply(std::uint16_t number, const Method& method) {
        if (const auto found = channels_.find(number); found != channels_.end()) {
            found->second.pending = {};
        }
        send(number, method);
    }
    void send_content(std::uint16_t channel, const StubMessage& message);
    template <class Method>
    static Method decoded(wire::Bytes payload) {
        Method method{};
        if (!wire::decode_method(payload.subspan(wire::method_id_size), method)) {
            throw StubRefusal{502, "SYNTAX_ERROR - " + std::string(Method::name), true};
        }
        return method;
    }

    int fd_;
    const int number_;
    StubWorld& world_;
    State state_ = State::protocol_header;
    std::string mechanism_;
    std::string expected_;  // in secure-ok
    int steps_left_ = 0;    // challenges after this one
    bool dead_ = false;
    bool cleaned_ = false;
    bool finishing_ = false;  // nothing more is said; then the sending direction ends
    bool shut_ = false;
    bool reading_ = true;
    bool one_byte_ = false;
    bool takes_blocked_ = false;
    bool takes_cancel_ = false;
    std::vector<std::byte> in_;
    std::vector<std::byte> out_;
    std::size_t sent_ = 0;
    std::size_t received_bytes_ = 0;
    std::uint32_t frame_max_ = 8192;  // until it is agreed
    std::uint16_t channel_max_ = 0;
    std::chrono::seconds heartbeat_{0};
    Clock::time_point last_sent_ = Clock::now();
    Clock::time_point last_heard_ = Clock::now();
    std::map<std::uint16_t, StubChannel> channels_;
    std::vector<StubCommand> held_;
    std::size_t tags_made_ = 0;
};

}  // namespace haigha::test
