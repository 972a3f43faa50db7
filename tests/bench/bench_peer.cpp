#include "bench_peer.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cinttypes>
#include <cstdlib>
#include <ctime>
#include <vector>

#include "bench_stamp.h"

namespace bench {

namespace {

// What the floor hands to the system in one call: as much as gives the best figures.
constexpr std::size_t floor_piece = 256 * 1024;
// Of a frame of the size that the peer allows.
constexpr std::size_t largest_body_frame = 131072 - 8;

void append_big(std::string& out, std::uint64_t value, int size) {
    for (int shift = 8 * (size - 1); shift >= 0; shift -= 8)
        out += static_cast<char>(value >> shift & 0xFF);
}

void append_frame(std::string& out, int type, const std::string& payload) {
    append_big(out, static_cast<std::uint64_t>(type), 1);
    append_big(out, 1, 2);
    append_big(out, payload.size(), 4);
    out += payload;
    out += '\xCE';
}

}  // namespace

// By hand, so that the floor rests on nothing that it measures.
std::string encoded_publish(std::size_t size) {
    std::string method;
    append_big(method, 60, 2);
    append_big(method, 40, 2);
    method.append(2, '\0');  // reserved
    method.append(1, '\0');  // exchange
    method += "\5bench";
    method += '\0';  // mandatory, immediate
    std::string header;
    append_big(header, 60, 2);
    append_big(header, 0, 2);
    append_big(header, size, 8);
    append_big(header, 0, 2);
    std::string out;
    append_frame(out, 1, method);
    append_frame(out, 2, header);
    for (std::size_t done = 0; done < size;) {
        const std::size_t part = std::min(size - done, largest_body_frame);
        append_frame(out, 3, std::string(part, BENCH_STAMP_FILLER));
        done += part;
    }
    return out;
}

void give_up(const std::string& why) {
    std::fprintf(stderr, "bench: %s\n", why.c_str());
    std::exit(1);
}

double cpu_seconds() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    const auto seconds = [](const timeval& t) {
        return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
    };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

double wall_seconds() {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

std::string beside(std::string_view name) {
    char self[4096] = "";
    const ssize_t size = readlink("/proc/self/exe", self, sizeof self - 1);
    const std::string path(self, size > 0 ? static_cast<std::size_t>(size) : 0);
    const std::string program = path.substr(0, path.rfind('/') + 1) + std::string(name);
    return access(program.c_str(), X_OK) == 0 ? program : std::string();
}

int connect_loopback(std::uint16_t port) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
        give_up("cannot connect to the loopback peer");
    }
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

LoopbackPeer::LoopbackPeer(bool tls) {
    if (tls) tls_ = make_tls_client();
    const std::string program = beside("loopback_peer");
    if (program.empty()) give_up("there is no loopback_peer beside this program");
    int in[2];
    int out[2];
    // Of no other child: the peer lives until its last writer is gone.
    if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0) give_up("no pipes");
    pid_ = fork();
    if (pid_ == 0) {
        dup2(in[0], 0);
        dup2(out[1], 1);
        execl(program.c_str(), program.c_str(), tls ? "--tls" : static_cast<char*>(nullptr),
              static_cast<char*>(nullptr));
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    to_child_ = in[1];
    from_child_ = fdopen(out[0], "r");
    if (std::fscanf(from_child_, " %" SCNu16 " %" SCNu16, &amqp_port_, &raw_port_) != 2) {
        give_up("the loopback peer did not start");
    }
}

LoopbackPeer::~LoopbackPeer() {
    close(to_child_);
    std::fclose(from_child_);
    waitpid(pid_, nullptr, 0);
}

PeerCounts LoopbackPeer::counts() {
    PeerCounts counts;
    if (std::fscanf(from_child_,
                    " published %" SCNu64 " bytes %" SCNu64 " wrong %" SCNu64 " acked %" SCNu64
                    " delivered %" SCNu64,
                    &counts.published, &counts.body_bytes, &counts.wrong, &counts.acked,
                    &counts.delivered) != 5) {
        give_up("the loopback peer did not say what it counted");
    }
    return counts;
}

std::unique_ptr<Wire> LoopbackPeer::connect_raw(const std::string& command) const {
    auto wire = std::make_unique<Wire>(connect_loopback(raw_port_), tls_.get());
    if (!wire->good() || !wire->send_all(command.data(), command.size())) {
        give_up("the loopback peer does not listen");
    }
    return wire;
}

void LoopbackPeer::write_floor(std::uint64_t size, std::uint64_t count, bool copied) const {
    const std::string one = encoded_publish(size);
    const std::uint64_t in_piece =
        std::min(std::max<std::uint64_t>(1, floor_piece / one.size()), count);
    std::string piece;
    const auto fill = [&] {
        piece.clear();
        for (std::uint64_t i = 0; i < in_piece; ++i)
            piece += one;
    };
    fill();
    const std::unique_ptr<Wire> wire = connect_raw("publish\n");
    const std::uint64_t bytes = one.size() * count;
    for (std::uint64_t done = 0; done < bytes;) {
        const std::size_t at = done % piece.size();
        if (copied && at == 0) fill();
        const auto part = std::min<std::uint64_t>(piece.size() - at, bytes - done);
        const ssize_t sent = wire->send(piece.data() + at, part);
        if (sent <= 0) give_up("the loopback peer went away");
        done += static_cast<std::uint64_t>(sent);
    }
}

std::uint64_t LoopbackPeer::read_floor(std::uint64_t size, std::uint64_t count) const {
    const std::unique_ptr<Wire> wire =
        connect_raw("read " + std::to_string(size) + " " + std::to_string(count) + "\n");
    std::vector<char> buffer(floor_piece);
    std::uint64_t total = 0;
    while (true) {
        const ssize_t got = wire->receive(buffer.data(), buffer.size());
        if (got <= 0) break;
        total += static_cast<std::uint64_t>(got);
    }
    return total;
}

}  // namespace bench
