// The part of ConnectionMachine that comes before an open connection: who speaks, who we are, and
// what is agreed.
#include <algorithm>
#include <utility>

#include "protocol/connection_machine.h"
#include "protocol/reply_codes.h"
#include "wire/method_table.h"

namespace haigha::protocol {

namespace {

using wire::MethodId;

// The smaller of two limits of which 0 means none (rule 28).
template <class T>
T smaller_limit(T ours, T theirs) {
    if (ours == 0) return theirs;
    if (theirs == 0) return ours;
    return std::min(ours, theirs);
}

std::string printable(std::span<const std::byte> bytes) {
    std::string text;
    for (const std::byte byte : bytes) {
        const char c = static_cast<char>(byte);
        text += c >= ' ' && c <= '~' ? c : '.';
    }
    return text;
}

}  // namespace

// Tells a peer that speaks something else from one that speaks AMQP badly (rule 112). False while
// too little has come to tell, or when it ended the connection. What it says depends on the first
// octets alone, never on how many came at once (rule 116).
bool ConnectionMachine::check_greeting(std::span<const std::byte> in, EventList& events) {
    const auto first = static_cast<unsigned char>(in[0]);
    if (first == 1) {
        greeted_ = true;
        return true;
    }
    const std::string_view text(reinterpret_cast<const char*>(in.data()), in.size());
    if (text.size() < 8 && (first == 'A' || first == 'H' || first == 'S')) {
        wanted_ = 8;
        return false;
    }
    std::string message;
    if (text.starts_with("AMQP")) {
        message = "the peer offers AMQP " + std::to_string(static_cast<unsigned>(in[5])) + "-" +
                  std::to_string(static_cast<unsigned>(in[6])) + "-" +
                  std::to_string(static_cast<unsigned>(in[7])) + " (protocol id " +
                  std::to_string(static_cast<unsigned>(in[4])) + ") in place of 0-9-1";
    } else if (text.starts_with("HTTP/")) {
        message = "the peer speaks HTTP, not AMQP (\"" + printable(in.first(8)) +
                  "\"): is it the port of the management interface?";
    } else if (text.starts_with("SSH-")) {
        message = "the peer speaks SSH, not AMQP (\"" + printable(in.first(8)) + "\"): wrong port?";
    } else if (first == 0x15 || first == 0x16) {
        message = "the peer speaks TLS, not plain AMQP: is it the port for amqps?";
    } else {
        message = "the peer does not speak AMQP: its first octet is " + std::to_string(first);
    }
    end(ErrorRef(connection_error(Status::protocol, std::move(message)).get()), false, events);
    return false;
}

void ConnectionMachine::on_handshake_method(MethodId id, std::span<const std::byte> arguments,
                                            Instant now, EventList& events) {
    // A peer that waits for our answer has nothing to say.
    const bool waits = awaited_ != Awaited::nothing;
    if (!waits && state_ == ConnectionState::await_start && id == wire::connection::Start::id) {
        on_start(arguments, events);
    } else if (!waits && state_ == ConnectionState::await_tune &&
               id == wire::connection::Tune::id) {
        on_tune(arguments, now, events);
    } else if (!waits && state_ == ConnectionState::await_tune &&
               id == wire::connection::Secure::id) {
        on_secure(arguments, events);
    } else if (state_ == ConnectionState::await_open && id == wire::connection::OpenOk::id) {
        state_ = ConnectionState::open;
        events.emplace_back().kind = EventKind::connection_open;
    } else {
        const wire::MethodInfo* info = wire::find_method(id);
        violated(command_invalid,
                 (info != nullptr ? std::string(info->name) : std::string("an unknown method")) +
                     " out of place in the handshake",
                 events);
    }
}

void ConnectionMachine::on_start(std::span<const std::byte> arguments, EventList& events) {
    wire::connection::Start method{};
    if (!wire::decode_method(arguments, method)) {
        violated(syntax_error, "connection.start cannot be decoded", events);
        return;
    }
    server_properties_.assign(method.server_properties.bytes.begin(),
                              method.server_properties.bytes.end());
    const std::string_view offered = method.mechanisms.text;
    MechanismRules rules;
    rules.unknown_ones = asks_;
    const bool any = choose_mechanism(parameters_.mechanisms, offered, rules).has_value();
    rules.secret_by_wire = may_send_password_;
    const auto mechanism = choose_mechanism(parameters_.mechanisms, offered, rules);
    if (!mechanism) {
        std::string text = "the broker offers the mechanisms \"" + std::string(offered) +
                           "\", of which none is among those wanted, \"" + parameters_.mechanisms +
                           "\"";
        if (any) {
            text +=
                ", that does not send the password in clear text, which the option "
                "clear_text_password forbids";
        }
        end(ErrorRef(connection_error(Status::auth, std::move(text)).get()), true, events);
        return;
    }
    mechanism_ = *mechanism;
    if (asks_) {
        awaited_ = Awaited::for_start;
        ask(is_known_mechanism(mechanism_) ? AuthQuestion::credentials : AuthQuestion::response, {},
            events);
        return;
    }
    say_start_ok(*initial_response(mechanism_, parameters_.credentials));
}

void ConnectionMachine::on_secure(std::span<const std::byte> arguments, EventList& events) {
    wire::connection::Secure method{};
    if (!wire::decode_method(arguments, method)) {
        violated(syntax_error, "connection.secure cannot be decoded", events);
        return;
    }
    if (const auto response = next_response(mechanism_, parameters_.credentials)) {
        say_secure_ok(*response);
    } else if (asks_ && !is_known_mechanism(mechanism_)) {
        awaited_ = Awaited::for_secure;
        ask(AuthQuestion::response, method.challenge.text, events);
    } else {
        violated(command_invalid,
                 "a connection.secure challenge, which the mechanism does not have", events);
    }
}

void ConnectionMachine::ask(AuthQuestion question, std::string_view challenge, EventList& events) {
    MachineEvent& event = events.emplace_back();
    event.kind = EventKind::auth;
    event.number = static_cast<std::uint64_t>(question);
    event.name = mechanism_;
    event.body = wire::as_bytes(challenge);
}

void ConnectionMachine::answer_credentials(const Credentials& credentials) {
    if (awaited_ != Awaited::for_start) return;
    parameters_.credentials = credentials;
    if (const auto response = initial_response(mechanism_, credentials)) say_start_ok(*response);
}

void ConnectionMachine::answer_response(std::string_view response) {
    if (awaited_ == Awaited::for_start) say_start_ok(response);
    if (awaited_ == Awaited::for_secure) say_secure_ok(response);
}

void ConnectionMachine::say_start_ok(std::string_view response) {
    wire::connection::StartOk ok{};
    ok.client_properties = {parameters_.client_properties};
    ok.mechanism = {mechanism_};
    ok.response = {response};
    ok.locale = {"en_US"};
    write(ok);
    awaited_ = Awaited::nothing;
    state_ = ConnectionState::await_tune;
}

void ConnectionMachine::say_secure_ok(std::string_view response) {
    wire::connection::SecureOk ok{};
    ok.response = {response};
    write(ok);
    awaited_ = Awaited::nothing;
}

void ConnectionMachine::on_tune(std::span<const std::byte> arguments, Instant now,
                                EventList& events) {
    parameters_.credentials = {};  // they have done what they are for
    wire::connection::Tune tune{};
    if (!wire::decode_method(arguments, tune)) {
        violated(syntax_error, "connection.tune cannot be decoded", events);
        return;
    }
    if (tune.frame_max != 0 && tune.frame_max < wire::min_frame_max) {  // rule 106
        violated(syntax_error,
                 "connection.tune asks for a frame_max of " + std::to_string(tune.frame_max) +
                     ", below the protocol's minimum of 4096",
                 events);
        return;
    }
    // What is agreed is finite, also where neither side names a limit.
    context_.frame_max = smaller_limit(parameters_.frame_max, tune.frame_max);
    if (context_.frame_max == 0) context_.frame_max = default_frame_max;
    context_.frame_max = std::min(context_.frame_max, largest_frame_max);
    channel_max_ = smaller_limit(parameters_.channel_max, tune.channel_max);
    if (channel_max_ == 0) channel_max_ = 65535;
    // 0 from us turns heartbeats off; 0 from the peer leaves it to us.
    heartbeat_s_ = parameters_.heartbeat_s == 0
                       ? std::uint16_t{0}
                       : smaller_limit(parameters_.heartbeat_s, tune.heartbeat);
    wire::connection::TuneOk ok{};
    ok.channel_max = channel_max_;
    ok.frame_max = context_.frame_max;
    ok.heartbeat = heartbeat_s_;
    write(ok);
    heartbeat_.start(heartbeat_s_, now);
    start_watch(now);
    wire::connection::Open open{};
    open.virtual_host = {parameters_.vhost};
    write(open);
    state_ = ConnectionState::await_open;
}

// ---- renewing what was said then

Status ConnectionMachine::update_secret(std::string_view secret, std::string_view reason,
                                        Call call) {
    if (state_ != ConnectionState::open || close_requested_) return Status::closed;
    wire::connection::UpdateSecret method{};
    method.new_secret = {secret};
    method.reason = {reason};
    if (wire::method_frame_size(method) > context_.frame_max) return Status::argument;
    write(method);
    secrets_.push_back(std::move(call));
    return Status::ok;
}

void ConnectionMachine::on_secret_updated(EventList& events) {
    const Call done = std::move(secrets_.front());
    secrets_.pop_front();
    if (done.token == nullptr) return;
    MachineEvent& event = events.emplace_back();
    event.kind = EventKind::call_done;
    event.subject = done.token;
}

// One that expires keeps its place until its late answer has come.
void ConnectionMachine::expire_secrets(Instant now, EventList& events) {
    for (Call& call : secrets_) {
        if (call.token == nullptr || call.deadline > now) continue;
        MachineEvent& event = events.emplace_back();
        event.kind = EventKind::call_done;
        event.subject = std::exchange(call.token, nullptr);
        event.error = ErrorRef(
            connection_error(Status::timeout, "the broker did not answer connection.update-secret")
                .get());
    }
}

}  // namespace haigha::protocol
