#include "stub_broker/stub_connection.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "wire/field_table.h"

namespace haigha::test {

namespace {

std::vector<std::byte> server_properties() {
    wire::FieldTable capabilities;
    for (const char* name :
         {"publisher_confirms", "exchange_exchange_bindings", "basic.nack",
          "consumer_cancel_notify", "connection.blocked", "consumer_priorities",
          "authentication_failure_close", "per_consumer_qos", "direct_reply_to"}) {
        (void)capabilities.add_bool(name, true);
    }
    wire::FieldTable table;
    (void)table.add_table("capabilities", capabilities);
    (void)table.add_string("cluster_name", "stub@localhost");
    (void)table.add_string("product", "haigha-stub-broker");
    (void)table.add_string("version", "3.10.8");
    (void)table.add_string("platform", "libhaigha");
    return {table.contents().begin(), table.contents().end()};
}

bool has_capability(wire::Bytes client_properties, std::string_view wanted) {
    wire::TableCursor properties(client_properties);
    wire::Field field;
    while (properties.next(field) == wire::FieldStatus::field) {
        if (field.name != "capabilities" || field.tag != 'F') continue;
        wire::TableCursor capabilities = properties.nested(field);
        wire::Field capability;
        while (capabilities.next(capability) == wire::FieldStatus::field) {
            if (capability.name == wanted) return capability.integer != 0;
        }
    }
    return false;
}

}  // namespace

StubConnection::StubConnection(int fd, int number, StubWorld& world)
    : fd_(fd), number_(number), world_(world) {
    log("connect");
    (void)scripted("connect", 0);
}

StubConnection::~StubConnection() {
    if (fd_ >= 0) ::close(fd_);
}

void StubConnection::log(std::string_view name, std::uint16_t channel, bool ignored) {
    world_.log.add({number_, channel, name, ignored});
}

std::optional<StubAction> StubConnection::scripted(std::string_view name, std::uint16_t channel) {
    const StubRule* const rule =
        world_.script.match(name, static_cast<std::size_t>(number_), channel);
    if (rule == nullptr) return std::nullopt;
    std::string text = std::to_string(number_) + " " + std::to_string(channel) + " " + rule->text;
    if (world_.options.on_fired) world_.options.on_fired(text);
    world_.log.add_fired(std::move(text));
    return rule->action;
}

void StubConnection::violated(std::uint16_t code, const std::string& text) {
    world_.log.add_violation("connection " + std::to_string(number_) + ": " + text);
    if (code != 0) close_connection(code, text);
}

// ---- bytes

void StubConnection::on_readable() {
    std::byte buffer[64 * 1024];
    const ssize_t size = ::recv(fd_, buffer, sizeof buffer, 0);
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (size <= 0) {
        dead_ = true;
        return;
    }
    last_heard_ = Clock::now();
    received_bytes_ += static_cast<std::size_t>(size);
    if (world_.script.reset_after != 0 && received_bytes_ >= world_.script.reset_after) {
        reset();
        return;
    }
    in_.insert(in_.end(), buffer, buffer + size);
    process();
    if (!dead_) send_confirms();
}

void StubConnection::process() {
    std::size_t at = 0;
    if (state_ == State::protocol_header) {
        if (in_.size() < wire::protocol_header.size()) return;
        greet();
        at = wire::protocol_header.size();
    }
    while (!dead_ && at < in_.size()) {
        const wire::FrameParse parsed = wire::parse_frame(
            wire::Bytes(in_).subspan(at), frame_max_ != 0 ? frame_max_ : most_frame);
        if (parsed.status == wire::FrameParse::Status::need_more) break;
        if (parsed.status != wire::FrameParse::Status::complete) {
            violated(501, "FRAME_ERROR - a malformed frame on channel " +
                              std::to_string(parsed.frame.channel));
            at = in_.size();
            break;
        }
        on_frame(parsed.frame);
        at += parsed.size;
    }
    in_.erase(in_.begin(), in_.begin() + static_cast<std::ptrdiff_t>(at));
}

void StubConnection::greet() {
    log("protocol-header");
    (void)scripted("protocol-header", 0);
    if (world_.script.banner) {
        send_bytes(wire::as_bytes(*world_.script.banner));
        finishing_ = true;
        state_ = State::ended;
        return;
    }
    if (!std::equal(wire::protocol_header.begin(), wire::protocol_header.end(), in_.begin())) {
        violated(0, "not the protocol header of AMQP 0-9-1");
        send_bytes(wire::protocol_header);
        finishing_ = true;
        state_ = State::ended;
        return;
    }
    if (world_.script.stall == StubStall::start) {
        state_ = State::stalled;
        return;
    }
    const std::vector<std::byte> properties = server_properties();
    wire::connection::Start start{};
    start.version_minor = 9;
    start.server_properties = {properties};
    start.mechanisms = {world_.options.mechanisms};
    start.locales = {"en_US"};
    send(0, start);
    state_ = State::start_ok;
}

void StubConnection::send_bytes(std::span<const std::byte> bytes) {
    if (!finishing_) out_.insert(out_.end(), bytes.begin(), bytes.end());
}

void StubConnection::write_some() {
    const bool held_back = !dead_ && !has_room();
    while (wants_write()) {
        const std::size_t size = one_byte_ ? 1 : out_.size() - sent_;
        const ssize_t written = ::send(fd_, out_.data() + sent_, size, MSG_NOSIGNAL);
        if (written < 0 && (errno == EAGAIN || errno == EINTR)) break;
        if (written < 0) {
            // What the client said before it went is still read; then there is its end.
            out_.clear();
            sent_ = 0;
            finishing_ = shut_ = true;
            break;
        }
        sent_ += static_cast<std::size_t>(written);
        last_sent_ = Clock::now();
        if (one_byte_) break;
    }
    if (held_back && has_room()) world_.queues.pump_all();
    if (sent_ < out_.size()) return;
    out_.clear();
    sent_ = 0;
    if (finishing_ && !shut_ && !dead_) {
        ::shutdown(fd_, SHUT_WR);
        shut_ = true;
    }
}

void StubConnection::reset() {
    const linger hard{1, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    ::close(fd_);
    fd_ = -1;
    dead_ = true;
}

StubConnection::Clock::time_point StubConnection::due() const {
    if (heartbeat_.count() == 0 || dead_ || finishing_) return Clock::time_point::max();
    const Clock::time_point heard = last_heard_ + 2 * heartbeat_;
    const Clock::time_point next = last_sent_ + heartbeat_ / 2;
    // Nothing is heard while the script has the broker not read.
    return world_.script.reading ? std::min(heard, next) : next;
}

void StubConnection::on_time(Clock::time_point now) {
    if (due() > now) return;
    if (world_.script.reading && last_heard_ + 2 * heartbeat_ <= now) {
        violated(0, "nothing was sent for two heartbeat intervals");
        dead_ = true;
        return;
    }
    last_sent_ = now;
    if (!wants_write()) send_bytes(wire::heartbeat_frame);
}

// ---- frames

void StubConnection::on_frame(const wire::Frame& frame) {
    if (frame.type == wire::FrameType::heartbeat) {
        log("heartbeat", frame.channel);
        (void)scripted("heartbeat", frame.channel);
        if (frame.channel != 0) violated(501, "FRAME_ERROR - a heartbeat not on channel 0");
        return;
    }
    if (frame.channel != 0) {
        try {
            on_channel_frame(frame);
        } catch (const StubRefusal& refusal) {
            close_connection(refusal.code, refusal.text);
        }
        return;
    }
    const auto id = wire::read_method_id(frame.payload);
    const wire::MethodInfo* info =
        frame.type == wire::FrameType::method ? wire::find_method(*id) : nullptr;
    if (info == nullptr || id->class_id != wire::connection::Open::id.class_id) {
        violated(503, "COMMAND_INVALID - what belongs to no connection on channel 0");
        return;
    }
    try {
        on_connection_method(*info, frame.payload);
    } catch (const StubRefusal& refusal) {
        close_connection(refusal.code, refusal.text, info->id);
    }
}

void StubConnection::on_connection_method(const wire::MethodInfo& info, wire::Bytes payload) {
    log(info.name, 0, state_ == State::closing);
    if (state_ == State::stalled) return;
    if (info.id == wire::connection::CloseOk::id) {
        if (state_ != State::closing) violated(0, "connection.close-ok without connection.close");
        state_ = State::ended;
        finishing_ = true;
        return;
    }
    if (state_ == State::ended) {
        violated(0, std::string(info.name) + " after connection.close-ok");
        return;
    }
    if (const auto action = scripted(info.name, 0)) {
        if (action->verb == StubVerb::hold) {
            hold({0, {payload.begin(), payload.end()}});
        } else {
            act(*action, 0);
        }
        if (timing_of(action->verb) != StubTiming::beside) return;
    }
    on_handshake(info, payload);
}

// The handshake, and what comes on an open connection.
void StubConnection::on_handshake(const wire::MethodInfo& info, wire::Bytes payload) {
    if (info.id == wire::connection::Close::id) {
        send(0, wire::connection::CloseOk{});
        if (state_ == State::closing) return;  // both at once: close-ok is still to come
        state_ = State::ended;
        finishing_ = true;
    } else if (state_ == State::closing) {
        return;
    } else if (info.id == wire::connection::StartOk::id && state_ == State::start_ok) {
        on_start_ok(payload);
    } else if (info.id == wire::connection::SecureOk::id && state_ == State::secure_ok) {
        on_secure_ok(payload);
    } else if (info.id == wire::connection::TuneOk::id && state_ == State::tune_ok) {
        on_tune_ok(payload);
    } else if (info.id == wire::connection::Open::id && state_ == State::open) {
        on_open(payload);
    } else if (info.id == wire::connection::UpdateSecret::id && state_ == State::running) {
        const auto update = decoded<wire::connection::UpdateSecret>(payload);
        world_.log.add_secret(std::string(update.new_secret.text));
        send(0, wire::connection::UpdateSecretOk{});
    } else {
        violated(503, "COMMAND_INVALID - " + std::string(info.name) + " out of place");
    }
}

void StubConnection::on_start_ok(wire::Bytes payload) {
    const auto ok = decoded<wire::connection::StartOk>(payload);
    takes_blocked_ = has_capability(ok.client_properties.bytes, "connection.blocked");
    takes_cancel_ = has_capability(ok.client_properties.bytes, "consumer_cancel_notify");
    const StubOptions& options = world_.options;
    bool allowed = ok.mechanism.text == "EXTERNAL";
    if (ok.mechanism.text == "PLAIN") {
        allowed = ok.response.text ==
                  std::string(1, '\0') + options.user + std::string(1, '\0') + options.password;
    } else if (ok.mechanism.text == "AMQPLAIN") {
        wire::FieldTable wanted;
        (void)wanted.add_string("LOGIN", options.user);
        (void)wanted.add_string("PASSWORD", options.password);
        allowed = ok.response.text == wire::as_text(wanted.contents());
    }
    mechanism_ = ok.mechanism.text;
    if (mechanism_ == "RABBIT-CR-DEMO" && ok.response.text == options.user) {
        expected_ = "My password is " + options.password;
        challenge("Please tell me your password");
        return;
    }
    if (mechanism_ == "X-ECHO" && ok.response.text == "begin") {
        steps_left_ = 1;
        challenge(std::string("one\0two", 7));
        return;
    }
    authenticated(allowed);
}

void StubConnection::challenge(std::string text) {
    if (mechanism_ == "X-ECHO") expected_ = text;
    wire::connection::Secure secure{};
    secure.challenge = {text};
    send(0, secure);
    state_ = State::secure_ok;
}

void StubConnection::on_secure_ok(wire::Bytes payload) {
    const auto ok = decoded<wire::connection::SecureOk>(payload);
    const bool right = ok.response.text == expected_;
    if (right && steps_left_ > 0) {
        --steps_left_;
        challenge("and another");
        return;
    }
    authenticated(right);
}

void StubConnection::authenticated(bool allowed) {
    const StubOptions& options = world_.options;
    if (!allowed) {
        throw StubRefusal{
            403, "ACCESS_REFUSED - Login was refused using authentication mechanism " + mechanism_ +
                     ". For details see the broker logfile."};
    }
    if (world_.script.stall == StubStall::tune) {
        state_ = State::stalled;
        return;
    }
    wire::connection::Tune tune{};
    tune.channel_max = options.channel_max;
    tune.frame_max = options.frame_max;
    tune.heartbeat = options.heartbeat;
    send(0, tune);
    state_ = State::tune_ok;
}

void StubConnection::on_tune_ok(wire::Bytes payload) {
    const auto ok = decoded<wire::connection::TuneOk>(payload);
    const auto exceeds = [](auto theirs, auto ours) {
        return ours != 0 && (theirs == 0 || theirs > ours);
    };
    if (exceeds(ok.channel_max, world_.options.channel_max) ||
        exceeds(ok.frame_max, world_.options.frame_max)) {
        violated(530, "NOT_ALLOWED - tune-ok exceeds what tune offered");
        return;
    }
    channel_max_ = ok.channel_max;
    frame_max_ = ok.frame_max;
    heartbeat_ = std::chrono::seconds(ok.heartbeat);
    state_ = State::open;
}

void StubConnection::on_open(wire::Bytes payload) {
    const auto open = decoded<wire::connection::Open>(payload);
    if (open.virtual_host.text != world_.options.vhost) {
        throw StubRefusal{
            530, "NOT_ALLOWED - vhost " + std::string(open.virtual_host.text) + " not found"};
    }
    if (world_.script.stall == StubStall::open) {
        state_ = State::stalled;
        return;
    }
    send(0, wire::connection::OpenOk{});
    state_ = State::running;
}

}  // namespace haigha::test
