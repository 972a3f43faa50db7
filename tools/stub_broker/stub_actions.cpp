// What a script or a test makes a connection do: the half of StubConnection that is not honest.
#include <algorithm>
#include <iterator>

#include "stub_broker/stub_connection.h"

namespace haigha::test {

void StubConnection::close_connection(std::uint16_t code, std::string_view text,
                                      wire::MethodId blamed) {
    if (dead_ || state_ == State::closing || state_ == State::ended) return;
    wire::connection::Close close{};
    close.reply_code = code;
    const std::string shortened = stub_reply_text(text);
    close.reply_text = {shortened};
    close.class_id = blamed.class_id;
    close.method_id = blamed.method_id;
    send(0, close);
    state_ = State::closing;
}

void StubConnection::act(const StubAction& action, std::uint16_t channel) {
    if (dead_) return;
    switch (action.verb) {
        case StubVerb::no_reply:
        case StubVerb::hold:
        case StubVerb::nack:
        case StubVerb::return_message:
        case StubVerb::tell:
            return;
        case StubVerb::raw:
            send_bytes(action.bytes);
            if (const auto found = channels_.find(channel); found != channels_.end()) {
                found->second.pending = {};
            }
            return;
        case StubVerb::inject:
            return send_bytes(action.bytes);
        case StubVerb::close_channel:
            return close_channel(channel, action.code, action.text);
        case StubVerb::close_connection:
            return close_connection(action.code, action.text);
        case StubVerb::reset:
            return reset();
        case StubVerb::drop:
            dead_ = true;  // its descriptor is closed with it
            return;
        case StubVerb::half_close:
            finishing_ = true;
            return;
        case StubVerb::one_byte:
            one_byte_ = true;
            return;
        case StubVerb::stop_reading:
            reading_ = false;
            return;
        case StubVerb::block:
            return block(action.text);
        case StubVerb::unblock:
            return unblock();
        case StubVerb::cancel:
            return cancel_consumers(channel, action.text);
    }
}

void StubConnection::hold(StubCommand command) {
    if (held_.size() >= most_held) {
        close_connection(506, "RESOURCE_ERROR - the script holds too many methods");
        return;
    }
    held_.push_back(std::move(command));
}

void StubConnection::cancel_consumers(std::uint16_t channel, std::string_view tag) {
    for (auto& [number, one] : channels_) {
        if ((channel != 0 && number != channel) || one.closing) continue;
        std::vector<StubConsumerRef> going;
        for (const auto& [name, consumer] : one.consumers) {
            if (tag.empty() || name == tag) going.push_back(consumer);
        }
        for (const StubConsumerRef& consumer : going) {
            consumer_cancelled(*consumer);
            world_.queues.drop_consumer(consumer);
        }
    }
}

// The message is lost, and a publisher who has asked for confirms is told so.
void StubConnection::nack(StubChannel& channel, const StubCommand& command) {
    if (command.sequence != 0) channel.nacks_due.push_back(command.sequence);
}

// As if no queue had taken a mandatory message, for the reason that the script gives.
void StubConnection::give_back_message(StubChannel& channel, const StubCommand& command,
                                       const StubAction& action) {
    const auto method = decoded<wire::basic::Publish>(command.method);
    const StubMessage message{std::string(method.exchange.text),
                              std::string(method.routing_key.text), command.properties,
                              command.body};
    send_return(command, action.code, action.text, message);
    if (command.sequence != 0) channel.confirms_due.push_back(command.sequence);
}

void StubConnection::release(std::size_t count) {
    std::vector<StubCommand> going(
        std::make_move_iterator(held_.begin()),
        std::make_move_iterator(held_.begin() +
                                static_cast<std::ptrdiff_t>(std::min(count, held_.size()))));
    held_.erase(held_.begin(), held_.begin() + static_cast<std::ptrdiff_t>(going.size()));
    // Messages of which only a part has come would be held once they are whole.
    std::size_t left = count - going.size();
    for (auto& [number, channel] : channels_) {
        const bool waits = channel.content_action && channel.content_action->verb == StubVerb::hold;
        if (!waits || left == 0) continue;
        channel.content_action = std::nullopt;
        --left;
    }
    for (const StubCommand& command : going) {
        if (dead_) return;
        if (command.channel != 0) {
            execute(command);
            continue;
        }
        const wire::MethodInfo* info = wire::find_method(*wire::read_method_id(command.method));
        try {
            on_handshake(*info, command.method);
        } catch (const StubRefusal& refusal) {
            close_connection(refusal.code, refusal.text, info->id);
        }
    }
    if (!dead_) send_confirms();
}

void StubConnection::block(std::string_view reason) {
    if (dead_ || state_ != State::running || !takes_blocked_) return;
    wire::connection::Blocked blocked{};
    blocked.reason = {reason.substr(0, wire::max_short_string)};
    send(0, blocked);
}

void StubConnection::unblock() {
    if (!dead_ && state_ == State::running && takes_blocked_) {
        send(0, wire::connection::Unblocked{});
    }
}

}  // namespace haigha::test
