#include "loopback_connection.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <string_view>
#include <utility>

#include "bench_stamp.h"
#include "wire/field_table.h"
#include "wire/method_declarations.h"

namespace bench {

namespace wire = haigha::wire;

namespace {

constexpr std::uint16_t channel_max = 2047;
// What goes at a time to several consumers in turn.
constexpr std::size_t mixed_size = 256 * 1024;

bool is_number(const std::byte* at, std::uint64_t expected) {
    std::uint64_t value = 0;
    std::memcpy(&value, at, sizeof value);
    return value == expected;
}

}  // namespace

LoopbackConnection::LoopbackConnection(std::unique_ptr<Wire> wire, Kind kind, ReadMemory& memory)
    : wire_(std::move(wire)), kind_(kind), memory_(memory), greeted_(kind != Kind::amqp) {}

LoopbackConnection::~LoopbackConnection() {
    if (memory_.tenant != this) return;
    memory_.tenant = nullptr;
    memory_.end = 0;
}

void LoopbackConnection::report() const {
    if (kind_ != Kind::amqp && kind_ != Kind::open) return;
    std::uint64_t acked = 0;
    std::uint64_t delivered = 0;
    for (const Channel& channel : channels_) {
        acked += channel.acked;
        delivered += channel.delivered;
    }
    std::printf("published %llu bytes %llu wrong %llu acked %llu delivered %llu\n",
                static_cast<unsigned long long>(published_),
                static_cast<unsigned long long>(body_bytes_),
                static_cast<unsigned long long>(wrong_), static_cast<unsigned long long>(acked),
                static_cast<unsigned long long>(delivered));
    std::fflush(stdout);
}

// ---- reading

bool LoopbackConnection::on_readable() {
    do {
        if (!read_once()) return false;
    } while (wire_->pending());
    return true;
}

void LoopbackConnection::move_in() {
    if (memory_.tenant == this) return;
    if (memory_.tenant != nullptr) {
        memory_.tenant->kept_.assign(
            memory_.bytes.begin(),
            memory_.bytes.begin() + static_cast<std::ptrdiff_t>(memory_.end));
    }
    std::copy(kept_.begin(), kept_.end(), memory_.bytes.begin());
    memory_.end = kept_.size();
    kept_.clear();
    memory_.tenant = this;
}

bool LoopbackConnection::read_once() {
    move_in();
    const ssize_t size =
        wire_->receive(memory_.bytes.data() + memory_.end, memory_.bytes.size() - memory_.end);
    if (size <= 0) return false;
    memory_.end += static_cast<std::size_t>(size);
    if (kind_ == Kind::echo) {
        return wire_->send_all(memory_.bytes.data(), std::exchange(memory_.end, 0));
    }
    if (!parse()) return false;
    confirm_touched();
    if (out_.empty()) return true;
    const bool sent = wire_->send_all(out_.data(), out_.size());
    out_.clear();
    return sent;
}

bool LoopbackConnection::parse() {
    std::byte* const bytes = memory_.bytes.data();
    std::size_t at = 0;
    if (!greeted_ && memory_.end >= wire::protocol_header.size()) {
        if (!std::equal(wire::protocol_header.begin(), wire::protocol_header.end(), bytes)) {
            return false;
        }
        at = wire::protocol_header.size();
        greeted_ = true;
        start();
    }
    while (greeted_) {
        const auto parsed = wire::parse_frame({bytes + at, memory_.end - at}, peer_frame_max);
        if (parsed.status == wire::FrameParse::Status::need_more) break;
        if (parsed.status != wire::FrameParse::Status::complete) {
            ++wrong_;
            return false;
        }
        on_frame(parsed.frame);
        at += parsed.size;
    }
    std::memmove(bytes, bytes + at, memory_.end - at);
    memory_.end -= at;
    return true;
}

LoopbackConnection::Channel& LoopbackConnection::channel(std::uint16_t number) {
    if (number >= channels_.size()) channels_.resize(number + std::size_t{1});
    return channels_[number];
}

void LoopbackConnection::start() {
    wire::FieldTable capabilities;
    (void)capabilities.add_bool("publisher_confirms", true);
    (void)capabilities.add_bool("basic.nack", true);
    wire::FieldTable properties;
    (void)properties.add_string("product", "loopback peer");
    (void)properties.add_table("capabilities", capabilities);
    wire::connection::Start method{};
    method.version_minor = 9;
    method.server_properties = {properties.contents()};
    method.mechanisms = {"PLAIN"};
    method.locales = {"en_US"};
    write(0, method);
}

void LoopbackConnection::on_frame(const wire::Frame& frame) {
    switch (frame.type) {
        case wire::FrameType::body:
            on_body(frame.payload);
            return;
        case wire::FrameType::header: {
            wire::ContentHeader header;
            if (!in_content_ || !wire::parse_content_header(frame.payload, header)) ++wrong_;
            body_size_ = body_left_ = header.body_size;
            if (body_left_ == 0) content_done();
            return;
        }
        case wire::FrameType::heartbeat:
            return;
        case wire::FrameType::method:
            if (in_content_) ++wrong_;
            on_method(*wire::read_method_id(frame.payload), frame.channel,
                      frame.payload.subspan(wire::method_id_size));
            return;
    }
}

// ---- publishes

void LoopbackConnection::on_body(wire::Bytes payload) {
    if (!in_content_ || payload.size() > body_left_) {
        ++wrong_;
        return;
    }
    const bool first = body_left_ == body_size_;
    body_bytes_ += payload.size();
    body_left_ -= payload.size();
    const bool last = body_left_ == 0;
    if (kind_ == Kind::amqp) {
        Channel& on = channel(content_channel_);
        const std::uint64_t number = on.published + 1;
        bool right = true;
        if (first && last) {
            right = bench_stamped(payload.data(), payload.size(), number) != 0;
        } else if (first) {
            right = payload.size() >= sizeof number && is_number(payload.data(), number);
        } else if (last && payload.size() >= sizeof number) {
            right = is_number(payload.data() + payload.size() - sizeof number, ~number);
        }
        if (!right) ++wrong_;
        if (on.echoes && first && last) echo(on, content_channel_, payload);
    }
    if (last) content_done();
}

void LoopbackConnection::content_done() {
    in_content_ = false;
    ++published_;
    Channel& on = channel(content_channel_);
    ++on.published;
    if (!on.confirms || on.holds_confirms || on.touched) return;
    on.touched = true;
    touched_.push_back(content_channel_);
}

void LoopbackConnection::confirm(std::uint16_t channel, std::uint64_t tag, bool multiple) {
    wire::basic::Ack ack{};
    ack.delivery_tag = tag;
    ack.multiple = multiple;
    write(channel, ack);
}

void LoopbackConnection::confirm_touched() {
    for (const std::uint16_t number : touched_) {
        Channel& on = channels_[number];
        on.touched = false;
        if (on.holds_confirms) continue;
        confirm(number, on.published, true);
        on.confirmed = on.published;
    }
    touched_.clear();
}

// ---- methods

void LoopbackConnection::on_method(wire::MethodId id, std::uint16_t number, wire::Bytes arguments) {
    switch (id.key()) {
        case wire::basic::Publish::id.key():
            in_content_ = true;
            content_channel_ = number;
            return;
        case wire::basic::Ack::id.key():
            return on_ack(number, arguments);
        case wire::connection::StartOk::id.key(): {
            wire::connection::Tune tune{};
            tune.channel_max = channel_max;
            tune.frame_max = peer_frame_max;
            return write(0, tune);
        }
        case wire::connection::TuneOk::id.key():
            return;
        case wire::connection::Open::id.key():
            return write(0, wire::connection::OpenOk{});
        case wire::connection::Close::id.key():
            return write(0, wire::connection::CloseOk{});
        case wire::channel::Open::id.key():
            return write(number, wire::channel::OpenOk{});
        case wire::channel::Close::id.key():
            return write(number, wire::channel::CloseOk{});
        case wire::confirm::Select::id.key():
            channel(number).confirms = true;
            return write(number, wire::confirm::SelectOk{});
        case wire::queue::Declare::id.key():
            return declare(number, arguments);
        case wire::basic::Qos::id.key(): {
            wire::basic::Qos method{};
            (void)wire::decode_method(arguments, method);
            channel(number).prefetch = method.prefetch_count;
            return write(number, wire::basic::QosOk{});
        }
        case wire::basic::Consume::id.key():
            return consume(number, arguments);
        default:
            ++wrong_;
    }
}

void LoopbackConnection::on_ack(std::uint16_t number, wire::Bytes arguments) {
    wire::basic::Ack ack{};
    Channel& on = channel(number);
    const bool right =
        wire::decode_method(arguments, ack) && ack.delivery_tag <= on.delivered &&
        (ack.multiple ? ack.delivery_tag > on.acked : ack.delivery_tag == on.acked + 1);
    if (!right) ++wrong_;
    on.acked = ack.delivery_tag;
}

void LoopbackConnection::declare(std::uint16_t number, wire::Bytes arguments) {
    wire::queue::Declare method{};
    (void)wire::decode_method(arguments, method);
    wire::queue::DeclareOk ok{};
    ok.queue = method.queue;
    write(number, ok);
    Channel& on = channel(number);
    const std::string_view name = method.queue.text;
    if (name == "confirms:hold") {
        on.holds_confirms = true;
        return;
    }
    if (on.confirmed == on.published) return;
    if (name == "confirms:multiple") {
        confirm(number, on.published, true);
    } else if (name == "confirms:single") {
        for (std::uint64_t tag = on.confirmed + 1; tag <= on.published; ++tag)
            confirm(number, tag, false);
    } else if (name == "confirms:backwards") {
        for (std::uint64_t tag = on.published; tag > on.confirmed; --tag)
            confirm(number, tag, false);
    } else {
        return;
    }
    on.confirmed = on.published;
}

// ---- deliveries

void LoopbackConnection::consume(std::uint16_t number, wire::Bytes arguments) {
    wire::basic::Consume method{};
    (void)wire::decode_method(arguments, method);
    Channel& on = channel(number);
    on.tag = method.consumer_tag.text.empty() ? "amq.ctag-1" : method.consumer_tag.text;
    on.no_ack = method.no_ack;
    wire::basic::ConsumeOk ok{};
    ok.consumer_tag = {on.tag};
    write(number, ok);
    unsigned long long size = 0;
    unsigned long long count = 0;
    const std::string name(method.queue.text);
    if (name == "echo") {
        on.echoes = true;
    } else if (std::sscanf(name.c_str(), "consume:%llu:%llu", &size, &count) == 2) {
        on.to_deliver = on.delivered + count;
        on.blast = Blast::of(number, on.tag, size);
        delivering_.push_back(number);
    }
}

void LoopbackConnection::blast(std::size_t size, std::uint64_t count) {
    Channel& on = channel(1);
    on.no_ack = true;
    on.to_deliver = count;
    on.blast = Blast::of(1, "haigha-1.1", size);
    delivering_.push_back(1);
}

void LoopbackConnection::echo(Channel& on, std::uint16_t number, wire::Bytes body) {
    if (!on.blast || on.blast->body_size() != body.size()) {
        on.blast = Blast::of(number, on.tag, body.size());
    }
    on.blast->append_to(out_, ++on.delivered, body);
}

std::uint64_t LoopbackConnection::Channel::may_deliver() const {
    const std::uint64_t left = to_deliver - std::min(to_deliver, delivered);
    if (no_ack || prefetch == 0) return left;
    return std::min(left, prefetch - std::min(prefetch, delivered - acked));
}

bool LoopbackConnection::wants_to_write() const {
    return std::any_of(delivering_.begin(), delivering_.end(), [this](std::uint16_t number) {
        return channels_[number].may_deliver() > 0;
    });
}

bool LoopbackConnection::on_writable() {
    if (delivering_.empty()) return true;
    if (delivering_.size() > 1) return deliver_mixed();
    Channel& on = channels_[delivering_.front()];
    const auto count =
        static_cast<std::size_t>(std::min<std::uint64_t>(on.may_deliver(), on.blast->count()));
    const std::uint64_t first = on.delivered + 1;
    on.delivered += count;
    if (!on.blast->send(*wire_, first, count)) return false;
    if (on.delivered == on.to_deliver) {
        delivering_.clear();
        return kind_ != Kind::read;
    }
    return true;
}

// One for each consumer in turn.
bool LoopbackConnection::deliver_mixed() {
    std::vector<std::byte> mixed;
    mixed.reserve(mixed_size + 4096);
    std::size_t idle = 0;
    while (mixed.size() < mixed_size && idle < delivering_.size()) {
        if (next_to_deliver_ >= delivering_.size()) next_to_deliver_ = 0;
        Channel& on = channels_[delivering_[next_to_deliver_++]];
        if (on.may_deliver() == 0) {
            ++idle;
            continue;
        }
        idle = 0;
        on.blast->append_to(mixed, ++on.delivered);
    }
    std::erase_if(delivering_, [this](std::uint16_t number) {
        return channels_[number].delivered == channels_[number].to_deliver;
    });
    return wire_->send_all(mixed.data(), mixed.size());
}

}  // namespace bench
