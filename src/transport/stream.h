// A connected byte stream on a loop: what a socket is to TLS, and either to the client.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace haigha::transport {

// What is known of the peer and of how it was made sure of.
struct StreamFact {
    std::string_view name;  // static
    std::string value;
};

// Of the loop's thread only.
class Stream {
  public:
    struct Result {
        std::size_t size = 0;  // bytes moved
        bool eof = false;      // read: the peer has finished
        int error = 0;         // errno; EAGAIN: nothing for now
    };
    using Ready = std::function<void(bool readable, bool writable)>;

    virtual ~Stream() = default;
    // Before the first read and write: 0 when it is done, EAGAIN when it is to be called again once
    // something is ready, or why it failed.
    virtual int handshake() { return 0; }
    // Calls `ready` whenever what is watched for can go on, and on an error as both.
    virtual void watch(bool readable, bool writable) = 0;
    virtual Result read(std::span<std::byte> into) = 0;
    virtual Result write(std::span<const iovec> from) = 0;
    virtual int fd() const = 0;
    // Whether a read may give something without the descriptor's being readable.
    virtual bool more() const { return false; }
    // Whether some of what was taken by write() has yet to be written, which goes on by itself and
    // with the next write(), also an empty one.
    virtual bool unsent() const { return false; }
    // What made a call fail, when there is more to say than its errno.
    virtual ErrorRef failure() const { return nullptr; }
    virtual std::vector<StreamFact> facts() const { return {}; }
};

}  // namespace haigha::transport
