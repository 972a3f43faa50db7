// The broker's half of a handshake in plain bytes, for peers that go wrong at a chosen point.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "support/tcp_peer.h"

namespace haigha::test {

inline std::string big_endian(std::uint64_t value, int octets) {
    std::string bytes;
    for (int i = octets - 1; i >= 0; --i)
        bytes += static_cast<char>(value >> (8 * i) & 0xFF);
    return bytes;
}
inline std::string frame(int type, unsigned channel, std::string_view payload) {
    return big_endian(static_cast<unsigned>(type), 1) + big_endian(channel, 2) +
           big_endian(payload.size(), 4) + std::string(payload) + '\xCE';
}
inline std::string method(unsigned channel, unsigned class_id, unsigned method_id,
                          std::string_view arguments = {}) {
    return frame(1, channel,
                 big_endian(class_id, 2) + big_endian(method_id, 2) + std::string(arguments));
}
inline std::string start_frame() {
    const std::string_view mechanisms = "PLAIN";
    const std::string_view locales = "en_US";
    return method(0, 10, 10,
                  std::string("\0\x09", 2) + big_endian(0, 4) + big_endian(mechanisms.size(), 4) +
                      std::string(mechanisms) + big_endian(locales.size(), 4) +
                      std::string(locales));
}
inline std::string tune_frame(unsigned heartbeat_s = 0, unsigned frame_max = 131072) {
    return method(0, 10, 30,
                  big_endian(2047, 2) + big_endian(frame_max, 4) + big_endian(heartbeat_s, 2));
}
inline std::string open_ok_frame() {
    return method(0, 10, 41, std::string(1, '\0'));
}

// Everything up to an open connection.
inline void greet(TcpPeer::Client& client, unsigned heartbeat_s = 0) {
    client.read(8);
    client.send(start_frame());
    client.read_frame();
    client.send(tune_frame(heartbeat_s));
    client.read_frame();
    client.read_frame();
    client.send(open_ok_frame());
}

}  // namespace haigha::test
