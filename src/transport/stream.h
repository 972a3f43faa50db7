// A connected byte stream on a loop: what a socket is to TLS, and either to the client.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <functional>
#include <span>

namespace haigha::transport {

// Of the loop's thread only. Layers stack: a TLS stream implements this over another one.
class Stream {
  public:
    struct Result {
        std::size_t size = 0;  // bytes moved
        bool eof = false;      // read: the peer has finished
        int error = 0;         // errno; EAGAIN: nothing for now
    };
    using Ready = std::function<void(bool readable, bool writable)>;

    virtual ~Stream() = default;
    // Calls `ready` whenever what is watched for can go on, and on an error as both.
    virtual void watch(bool readable, bool writable) = 0;
    virtual Result read(std::span<std::byte> into) = 0;
    virtual Result write(std::span<const iovec> from) = 0;
    virtual int fd() const = 0;
};

}  // namespace haigha::transport
