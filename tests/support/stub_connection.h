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

#include "support/stub_broker.h"
#include "support/stub_log.h"
#include "support/stub_queues.h"
#include "support/stub_script.h"
#include "wire/frame.h"
#include "wire/method_table.h"

namespace haigha::test {

// What all connections of a broker share.
struct StubWorld {
    StubOptions options;
    StubScript script;
    StubQueues queues;
    StubLog log;
};

// A method with its content, if it has any: whole, so that it can be executed later.
struct StubCommand {
    std::uint16_t channel = 0;
    std::vector<std::byte> method{};  // a method frame's payload
    std::vector<std::byte> properties{};
    std::vector<std::byte> body{};
    std::uint64_t sequence = 0;  // of a publish on a confirm channel
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
    std::uint64_t next_tag = 1;
    std::uint16_t prefetch = 0;
    std::string last_queue{};
    std::map<std::uint64_t, StubUnacked> unacked{};
    std::map<std::string, StubConsumerRef, std::less<>> consumers{};
    std::vector<StubCommand> in_transaction{};

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
    void block(std::string_view reason);
    void unblock();
    void flow(std::uint16_t channel, bool active);

    // ---- of the queues
    void deliver(const StubConsumerRef& consumer, const StubEntry& entry);
    void consumer_cancelled(const StubConsumer& consumer);

  private:
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
    // Records it and, with a code, closes the connection as RabbitMQ does.
    void violated(std::uint16_t code, const std::string& text);

    // ---- stub_channel.cpp: what comes on a channel, and in what order
    void on_channel_frame(const wire::Frame& frame);
    void on_channel_method(const wire::MethodInfo& info, std::uint16_t number, wire::Bytes payload);
    void on_content(StubChannel& channel, const wire::Frame& frame);
    void content_complete(StubChannel& channel);
    void close_channel(std::uint16_t number, std::uint16_t code, std::string_view text,
                       wire::MethodId blamed = {});
    void forget_channel(std::uint16_t number);
    void execute(const StubCommand& command);

    // ---- stub_methods.cpp: what the methods do. They throw StubRefusal.
    void execute_method(StubChannel& channel, const StubCommand& command);
    void execute_basic(StubChannel& channel, const StubCommand& command, wire::MethodId id);
    void publish(StubChannel& channel, const StubCommand& command);
    void route(const StubCommand& command);
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
};

}  // namespace haigha::test
