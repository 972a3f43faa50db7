// What a script or a test makes a connection do: the half of StubConnection that is not honest.
#include <algorithm>
#include <iterator>

#include "support/stub_connection.h"

namespace haigha::test {

void StubConnection::close_connection(std::uint16_t code, std::string_view text,
                                      wire::MethodId blamed) {
    if (dead_ || state_ == State::closing || state_ == State::ended) return;
    wire::connection::Close close{};
    close.reply_code = code;
    close.reply_text = {text.substr(0, wire::max_short_string)};
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
            return;
        case StubVerb::raw:
            send_bytes(action.bytes);
            if (const auto found = channels_.find(channel); found != channels_.end()) {
                found->second.pending = {};
            }
            return;
        case StubVerb::close_channel:
            close_channel(channel, action.code, action.text);
            return;
        case StubVerb::close_connection:
            close_connection(action.code, action.text);
            return;
        case StubVerb::reset:
            reset();
            return;
        case StubVerb::half_close:
            finishing_ = true;
            return;
        case StubVerb::one_byte:
            one_byte_ = true;
            return;
    }
}

void StubConnection::release(std::size_t count) {
    std::vector<StubCommand> going(
        std::make_move_iterator(held_.begin()),
        std::make_move_iterator(held_.begin() +
                                static_cast<std::ptrdiff_t>(std::min(count, held_.size()))));
    held_.erase(held_.begin(), held_.begin() + static_cast<std::ptrdiff_t>(going.size()));
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
