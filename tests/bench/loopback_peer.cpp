// The benchmark's other end: one thread that only parses frames. It throws publishes away, confirms
// them once per read, and blasts pre-encoded deliveries; a second, raw port serves the floor. When
// a connection ends it prints what it counted on it.
//
// usage: loopback_peer [--tls]   prints "AMQP-PORT RAW-PORT", serves one connection at a time, and
//                                ends when its standard input closes; with --tls both ports are TLS
//
// A queue's name says what its consumer gets: "consume:SIZE:COUNT" is COUNT messages of SIZE
// octets, stamped with their delivery tags, at most `prefetch` of them unacknowledged if the
// consumer acknowledges. A raw connection sends one line first. After "publish" it is as an AMQP
// connection on which everything is open already, whose bodies need no stamps. After "read SIZE
// COUNT" it gets the octets of COUNT deliveries of SIZE.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "bench_stamp.h"
#include "bench_wire.h"
#include "wire/field_table.h"
#include "wire/frame.h"
#include "wire/method_codec.h"
#include "wire/method_declarations.h"

namespace {

namespace wire = haigha::wire;

constexpr std::size_t read_size = 1024 * 1024;
constexpr std::size_t blast_size = 256 * 1024;  // deliveries encoded ahead, sent again and again
constexpr std::uint32_t frame_max = 131072;
constexpr std::uint16_t channel_max = 2047;

int listen_on_loopback(std::uint16_t* port) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (fd < 0 || ::bind(fd, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
        ::listen(fd, 8) != 0 ||
        ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
        std::perror("loopback_peer");
        std::exit(1);
    }
    *port = ntohs(address.sin_port);
    return fd;
}

// Deliveries of one size back to back. Their numbers are filled in as they are sent.
class Blast {
  public:
    Blast() = default;
    Blast(std::uint16_t channel, std::string_view tag, std::size_t size) : body_size_(size) {
        wire::basic::Deliver method{};
        method.consumer_tag = {tag};
        method.routing_key = {"bench"};
        std::vector<std::byte> one(wire::method_frame_size(method));
        wire::write_method_frame(one.data(), channel, method);
        // The delivery tag follows the consumer tag.
        tag_at_ = wire::frame_header_size + wire::method_id_size + 1 + tag.size();
        std::vector<std::byte> header(wire::content_header_frame_size(2));
        std::byte* const properties = wire::write_content_header(
            header.data(), channel, wire::basic::Deliver::id.class_id, size, 2);
        wire::write_frame_end(properties + 2);
        one.insert(one.end(), header.begin(), header.end());
        body_at_ = one.size() + wire::frame_header_size;
        for (std::size_t done = 0; done < size;) {
            const std::size_t part =
                std::min<std::size_t>(frame_max - wire::frame_overhead, size - done);
            std::vector<std::byte> body(part + wire::frame_overhead, std::byte{BENCH_STAMP_FILLER});
            wire::write_frame_header(body.data(), wire::FrameType::body, channel,
                                     static_cast<std::uint32_t>(part));
            body.back() = wire::frame_end;
            one.insert(one.end(), body.begin(), body.end());
            done += part;
        }
        one_size_ = one.size();
        count_ = std::max<std::size_t>(1, blast_size / one_size_);
        bytes_.reserve(count_ * one_size_);
        for (std::size_t i = 0; i < count_; ++i)
            bytes_.insert(bytes_.end(), one.begin(), one.end());
    }

    // How many go at a time.
    std::size_t count() const { return count_; }

    bool send(bench::Wire& to, std::uint64_t first_tag, std::size_t count) {
        // A body in several frames has no place where a stamp would be contiguous.
        const bool stamped =
            body_size_ >= BENCH_STAMP_SIZE && body_size_ <= frame_max - wire::frame_overhead;
        for (std::size_t i = 0; i < count; ++i) {
            std::byte* const one = bytes_.data() + i * one_size_;
            wire::store_big(one + tag_at_, first_tag + i);
            if (stamped) bench_stamp(one + body_at_, body_size_, first_tag + i);
        }
        return to.send_all(bytes_.data(), count * one_size_);
    }

  private:
    std::size_t body_size_ = 0;
    std::size_t tag_at_ = 0;
    std::size_t body_at_ = 0;
    std::size_t one_size_ = 0;
    std::size_t count_ = 0;
    std::vector<std::byte> bytes_;
};

// One AMQP connection.
class Peer {
  public:
    // Without a handshake everything is open already, and bodies are not stamped.
    Peer(bench::Wire& wire, bool handshake)
        : wire_(wire), stamped_(handshake), greeted_(!handshake) {
        buffer_.resize(read_size);
    }

    void serve() {
        while (true) {
            const bool blasting = may_deliver() > 0;
            pollfd ready{wire_.fd(), static_cast<short>(POLLIN | (blasting ? POLLOUT : 0)), 0};
            if (wire_.pending()) {
                ready.revents = POLLIN;
            } else if (::poll(&ready, 1, -1) < 0) {
                continue;
            }
            if ((ready.revents & (POLLIN | POLLHUP | POLLERR)) != 0 && !read()) break;
            if ((ready.revents & POLLOUT) != 0 && !deliver()) break;
        }
        std::printf(
            "published %llu bytes %llu wrong %llu acked %llu delivered %llu\n",
            static_cast<unsigned long long>(published_),
            static_cast<unsigned long long>(body_bytes_), static_cast<unsigned long long>(wrong_),
            static_cast<unsigned long long>(acked_), static_cast<unsigned long long>(delivered_));
        std::fflush(stdout);
    }

  private:
    bool read() {
        const ssize_t size = wire_.receive(buffer_.data() + end_, buffer_.size() - end_);
        if (size <= 0) return false;
        end_ += static_cast<std::size_t>(size);
        std::size_t at = 0;
        const std::uint64_t before = published_;
        if (!greeted_ && end_ >= wire::protocol_header.size()) {
            if (!std::equal(wire::protocol_header.begin(), wire::protocol_header.end(),
                            buffer_.begin())) {
                return false;
            }
            at = wire::protocol_header.size();
            greeted_ = true;
            start();
        }
        while (greeted_) {
            const auto parsed = wire::parse_frame({buffer_.data() + at, end_ - at}, frame_max);
            if (parsed.status == wire::FrameParse::Status::need_more) break;
            if (parsed.status != wire::FrameParse::Status::complete) {
                ++wrong_;
                return false;
            }
            on_frame(parsed.frame);
            at += parsed.size;
        }
        std::memmove(buffer_.data(), buffer_.data() + at, end_ - at);
        end_ -= at;
        if (confirms_ && published_ > before) {
            wire::basic::Ack ack{};
            ack.delivery_tag = published_;
            ack.multiple = true;
            write(content_channel_, ack);
        }
        if (out_.empty()) return true;
        const bool sent = wire_.send_all(out_.data(), out_.size());
        out_.clear();
        return sent;
    }

    template <class Method>
    void write(std::uint16_t channel, const Method& method) {
        const std::size_t before = out_.size();
        out_.resize(before + wire::method_frame_size(method));
        wire::write_method_frame(out_.data() + before, channel, method);
    }

    void start() {
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

    void on_frame(const wire::Frame& frame) {
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

    void on_body(wire::Bytes payload) {
        if (!in_content_ || payload.size() > body_left_) {
            ++wrong_;
            return;
        }
        body_bytes_ += payload.size();
        body_left_ -= payload.size();
        if (body_left_ > 0) return;
        // In one frame, as all are that are measured.
        if (stamped_ && payload.size() == body_size_ &&
            bench_stamped(payload.data(), payload.size(), published_ + 1) == 0) {
            ++wrong_;
        }
        content_done();
    }

    void content_done() {
        in_content_ = false;
        ++published_;
    }

    void on_method(wire::MethodId id, std::uint16_t channel, wire::Bytes arguments) {
        switch (id.key()) {
            case wire::basic::Publish::id.key():
                in_content_ = true;
                content_channel_ = channel;
                return;
            case wire::basic::Ack::id.key(): {
                wire::basic::Ack ack{};
                const bool right =
                    wire::decode_method(arguments, ack) && ack.delivery_tag <= delivered_ &&
                    (ack.multiple ? ack.delivery_tag > acked_ : ack.delivery_tag == acked_ + 1);
                if (!right) ++wrong_;
                acked_ = ack.delivery_tag;
                return;
            }
            case wire::connection::StartOk::id.key(): {
                wire::connection::Tune tune{};
                tune.channel_max = channel_max;
                tune.frame_max = frame_max;
                return write(0, tune);
            }
            case wire::connection::TuneOk::id.key():
                return;
            case wire::connection::Open::id.key():
                return write(0, wire::connection::OpenOk{});
            case wire::connection::Close::id.key():
                return write(0, wire::connection::CloseOk{});
            case wire::channel::Open::id.key():
                return write(channel, wire::channel::OpenOk{});
            case wire::channel::Close::id.key():
                return write(channel, wire::channel::CloseOk{});
            case wire::confirm::Select::id.key():
                confirms_ = true;
                return write(channel, wire::confirm::SelectOk{});
            case wire::queue::Declare::id.key(): {
                wire::queue::Declare method{};
                (void)wire::decode_method(arguments, method);
                wire::queue::DeclareOk ok{};
                ok.queue = method.queue;
                return write(channel, ok);
            }
            case wire::basic::Qos::id.key(): {
                wire::basic::Qos method{};
                (void)wire::decode_method(arguments, method);
                prefetch_ = method.prefetch_count;
                return write(channel, wire::basic::QosOk{});
            }
            case wire::basic::Consume::id.key():
                return consume(channel, arguments);
            default:
                ++wrong_;
        }
    }

    void consume(std::uint16_t channel, wire::Bytes arguments) {
        wire::basic::Consume method{};
        (void)wire::decode_method(arguments, method);
        const std::string tag(method.consumer_tag.text.empty() ? "amq.ctag-1"
                                                               : method.consumer_tag.text);
        wire::basic::ConsumeOk ok{};
        ok.consumer_tag = {tag};
        write(channel, ok);
        unsigned long long size = 0;
        unsigned long long count = 0;
        const std::string name(method.queue.text);
        if (std::sscanf(name.c_str(), "consume:%llu:%llu", &size, &count) != 2) return;
        no_ack_ = method.no_ack;
        to_deliver_ = count;
        blast_ = Blast(channel, tag, size);
    }

    std::uint64_t may_deliver() const {
        const std::uint64_t left = to_deliver_ - delivered_;
        if (no_ack_ || prefetch_ == 0) return left;
        return std::min(left, prefetch_ - std::min(prefetch_, delivered_ - acked_));
    }

    bool deliver() {
        const auto count =
            static_cast<std::size_t>(std::min<std::uint64_t>(may_deliver(), blast_.count()));
        const std::uint64_t first = delivered_ + 1;
        delivered_ += count;
        return blast_.send(wire_, first, count);
    }

    bench::Wire& wire_;
    const bool stamped_;
    std::vector<std::byte> buffer_;
    std::size_t end_ = 0;
    std::vector<std::byte> out_;
    bool greeted_;
    bool confirms_ = false;
    bool in_content_ = false;
    std::uint16_t content_channel_ = 0;
    std::uint64_t body_size_ = 0;
    std::uint64_t body_left_ = 0;
    std::uint64_t published_ = 0;
    std::uint64_t body_bytes_ = 0;
    std::uint64_t wrong_ = 0;  // bodies that are not what was sent, and what belongs nowhere
    bool no_ack_ = false;
    std::uint64_t prefetch_ = 0;
    std::uint64_t acked_ = 0;
    std::uint64_t to_deliver_ = 0;
    std::uint64_t delivered_ = 0;
    Blast blast_;
};

void serve_raw(bench::Wire& wire) {
    std::array<char, 128> line{};
    for (std::size_t size = 0; size + 1 < line.size(); ++size) {
        if (wire.receive(&line[size], 1) != 1) return;
        if (line[size] == '\n') break;
    }
    unsigned long long size = 0;
    unsigned long long count = 0;
    if (std::strcmp(line.data(), "publish\n") == 0) {
        Peer(wire, false).serve();
    } else if (std::sscanf(line.data(), "read %llu %llu", &size, &count) == 2) {
        Blast blast(1, "haigha-1.1", size);
        for (unsigned long long done = 0; done < count;) {
            const std::size_t now = std::min<unsigned long long>(count - done, blast.count());
            if (!blast.send(wire, done + 1, now)) return;
            done += now;
        }
    }
}

}  // namespace

int main(int argc, char** argv) {
    bench::TlsContext tls;
    if (argc > 1 && std::strcmp(argv[1], "--tls") == 0) tls = bench::make_tls_server();
    std::uint16_t amqp_port = 0;
    std::uint16_t raw_port = 0;
    const int amqp = listen_on_loopback(&amqp_port);
    const int raw = listen_on_loopback(&raw_port);
    std::printf("%u %u\n", amqp_port, raw_port);
    std::fflush(stdout);
    while (true) {
        std::array<pollfd, 3> ready{{{amqp, POLLIN, 0}, {raw, POLLIN, 0}, {0, POLLIN, 0}}};
        if (::poll(ready.data(), ready.size(), -1) < 0) continue;
        if (ready[2].revents != 0) return 0;
        for (std::size_t i = 0; i < 2; ++i) {
            if (ready[i].revents == 0) continue;
            const int fd = ::accept(ready[i].fd, nullptr, nullptr);
            if (fd < 0) continue;
            const int on = 1;
            ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
            bench::Wire connection(fd, tls.get());
            if (!connection.good()) continue;
            if (i == 0) {
                Peer(connection, true).serve();
            } else {
                serve_raw(connection);
            }
        }
    }
}
