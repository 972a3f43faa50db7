// What may come on a channel, and when: the half of StubConnection that judges its client.
#include <utility>

#include "stub_broker/stub_connection.h"

namespace haigha::test {

namespace {

// Whether the method is one that the broker answers: no_wait is looked at.
template <class Method>
bool wants_reply(wire::Bytes arguments) {
    if constexpr (!Method::synchronous) {
        return false;
    } else if constexpr (requires(Method method) { method.no_wait; }) {
        Method method{};
        return wire::decode_method(arguments, method) && !method.no_wait;
    } else {
        return true;
    }
}

template <class... Methods>
bool wants_reply(wire::MethodList<Methods...>, wire::MethodId id, wire::Bytes arguments) {
    return ((Methods::id == id && wants_reply<Methods>(arguments)) || ...);
}

std::string on_channel(std::string_view what, std::uint16_t number) {
    return std::string(what) + " on channel " + std::to_string(number);
}

}  // namespace

void StubConnection::on_channel_frame(const wire::Frame& frame) {
    const std::uint16_t number = frame.channel;
    if (frame.type == wire::FrameType::method) {
        const wire::MethodInfo* info = wire::find_method(*wire::read_method_id(frame.payload));
        if (info == nullptr || info->id.class_id == wire::connection::Open::id.class_id) {
            violated(503, on_channel("COMMAND_INVALID - an unknown method", number));
            return;
        }
        const auto known = channels_.find(number);
        const bool ignored =
            state_ == State::closing || (known != channels_.end() && known->second.closing &&
                                         info->id != wire::channel::CloseOk::id);
        log(info->name, number, ignored);
        if (state_ == State::closing) return;
        if (state_ == State::ended) {
            violated(0, on_channel(info->name, number) + " after the connection's close");
        } else if (state_ != State::running) {
            violated(503, on_channel(info->name, number) + " before connection.open-ok");
        } else {
            on_channel_method(*info, number, frame.payload);
        }
        return;
    }
    if (state_ != State::running) return;
    const auto found = channels_.find(number);
    if (found == channels_.end()) {
        violated(504, on_channel("CHANNEL_ERROR - content without channel.open", number));
    } else if (!found->second.closing) {
        on_content(found->second, frame);
    }
}

void StubConnection::on_channel_method(const wire::MethodInfo& info, std::uint16_t number,
                                       wire::Bytes payload) {
    const auto found = channels_.find(number);
    if (info.id == wire::channel::Open::id) {
        if (found != channels_.end()) {
            violated(504, on_channel("CHANNEL_ERROR - second 'channel.open' seen", number));
            return;
        }
        if (channel_max_ != 0 && number > channel_max_) {
            violated(530, on_channel("NOT_ALLOWED - beyond channel_max: channel.open", number));
            return;
        }
    } else if (found == channels_.end()) {
        violated(504, on_channel(
                          "CHANNEL_ERROR - expected 'channel.open', got " + std::string(info.name),
                          number));
        return;
    }
    StubChannel& channel = channels_[number];
    if (channel.closing) {
        // Until close-ok everything was sent before the client knew, and is dropped.
        if (info.id == wire::channel::CloseOk::id) {
            forget_channel(number);
        } else if (info.id == wire::channel::Close::id) {
            send(number, wire::channel::CloseOk{});
        }
        return;
    }
    if (channel.in_content) {
        violated(505,
                 on_channel("UNEXPECTED_FRAME - expected content, got " + std::string(info.name),
                            number));
        return;
    }
    if (channel.client_closing || info.id == wire::channel::CloseOk::id) {
        violated(503, on_channel(std::string(info.name) + (channel.client_closing
                                                               ? " after channel.close"
                                                               : " without channel.close"),
                                 number));
        return;
    }
    if (wants_reply(wire::AllMethods{}, info.id, payload.subspan(wire::method_id_size))) {
        // A close need not wait for its turn.
        if (!channel.pending.empty() && info.id != wire::channel::Close::id) {
            violated(0, on_channel(std::string(info.name) + " before the reply to " +
                                       std::string(channel.pending),
                                   number));
        }
        channel.pending = info.name;
    }
    if (info.id == wire::channel::Close::id) channel.client_closing = true;

    std::optional<StubAction> action = scripted(info.name, number);
    StubCommand command{number, {payload.begin(), payload.end()}};
    if (action && timing_of(action->verb) != StubTiming::instead_content) {
        act(*action, number);
        if (dead_ || timing_of(action->verb) == StubTiming::instead) return;
        action.reset();
    }
    if (info.has_content) {
        channel.in_content = true;
        channel.has_header = false;
        channel.content = std::move(command);
        channel.content.charge = StubCharge(world_.memory, stub_record_size);
        channel.content_action = std::move(action);
        return;
    }
    follow(channel, std::move(command), action);
}

void StubConnection::on_content(StubChannel& channel, const wire::Frame& frame) {
    const bool is_header = frame.type == wire::FrameType::header;
    if (!channel.in_content || is_header == channel.has_header) {
        violated(505, on_channel(is_header ? "UNEXPECTED_FRAME - a content header"
                                           : "UNEXPECTED_FRAME - a content body",
                                 frame.channel));
        return;
    }
    StubCommand& content = channel.content;
    if (is_header) {
        wire::ContentHeader header;
        if (!wire::parse_content_header(frame.payload, header) ||
            header.class_id != wire::basic::Publish::id.class_id) {
            violated(501, on_channel("FRAME_ERROR - a bad content header", frame.channel));
            return;
        }
        if (header.body_size > world_.options.most_body) {
            channel.in_content = false;
            channel.content = {};
            close_channel(frame.channel, 406,
                          "PRECONDITION_FAILED - message size " + std::to_string(header.body_size) +
                              " is larger than configured max size " +
                              std::to_string(world_.options.most_body),
                          wire::basic::Publish::id);
            return;
        }
        channel.has_header = true;
        channel.body_size = header.body_size;
        content.properties.assign(header.properties.begin(), header.properties.end());
    } else {
        if (frame.payload.empty()) violated(0, on_channel("an empty body frame", frame.channel));
        content.body.insert(content.body.end(), frame.payload.begin(), frame.payload.end());
    }
    content.charge.add(frame.payload.size());
    if (world_.memory.octets > world_.options.most_memory) {
        close_connection(506, stub_memory_text, wire::basic::Publish::id);
        return;
    }
    if (content.body.size() > channel.body_size) {
        violated(501, on_channel("FRAME_ERROR - more body than announced", frame.channel));
    } else if (content.body.size() == channel.body_size) {
        content_complete(channel);
    }
}

void StubConnection::content_complete(StubChannel& channel) {
    StubCommand command = std::exchange(channel.content, {});
    const std::optional<StubAction> action = std::exchange(channel.content_action, std::nullopt);
    channel.in_content = false;
    if (channel.confirm) command.sequence = ++channel.published;
    follow(channel, std::move(command), action);
}

// A command that is whole, with what the script says of it.
void StubConnection::follow(StubChannel& channel, StubCommand command,
                            const std::optional<StubAction>& action) {
    if (!action) {
        execute(command);
    } else if (action->verb == StubVerb::hold) {
        hold(std::move(command));
    } else if (action->verb == StubVerb::nack) {
        nack(channel, command);
    } else if (action->verb == StubVerb::return_message) {
        give_back_message(channel, command, *action);
    } else {
        act(*action, command.channel);
    }
}

void StubConnection::execute(const StubCommand& command) {
    const auto found = channels_.find(command.channel);
    const wire::MethodId id = *wire::read_method_id(command.method);
    if (found == channels_.end() || found->second.closing) {
        // Held while the broker closed the channel too: both closes are answered.
        if (id == wire::channel::Close::id) send(command.channel, wire::channel::CloseOk{});
        return;
    }
    try {
        execute_method(found->second, command);
    } catch (const StubRefusal& refusal) {
        if (refusal.whole_connection) {
            close_connection(refusal.code, refusal.text, id);
        } else {
            close_channel(command.channel, refusal.code, refusal.text, id);
        }
    }
}

void StubConnection::close_channel(std::uint16_t number, std::uint16_t code, std::string_view text,
                                   wire::MethodId blamed) {
    const auto found = channels_.find(number);
    if (dead_ || found == channels_.end() || found->second.closing) return;
    wire::channel::Close close{};
    close.reply_code = code;
    close.reply_text = {text.substr(0, wire::max_short_string)};
    close.class_id = blamed.class_id;
    close.method_id = blamed.method_id;
    send(number, close);
    found->second.closing = true;
    give_back(found->second);
}

void StubConnection::forget_channel(std::uint16_t number) {
    const auto found = channels_.find(number);
    if (found == channels_.end()) return;
    give_back(found->second);
    channels_.erase(found);
}

void StubConnection::flow(std::uint16_t number, bool active) {
    const auto found = channels_.find(number);
    if (dead_ || found == channels_.end() || found->second.closing) return;
    wire::channel::Flow flow{};
    flow.active = active;
    send(number, flow);
    if (active) found->second.stopped = false;
}

}  // namespace haigha::test
