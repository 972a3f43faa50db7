// A connected socket as a stream: non-blocking, watched by libuv, written without SIGPIPE.
#pragma once

#include "transport/loop.h"
#include "transport/stream.h"

namespace haigha::transport {

class SocketStream final : public Stream {
  public:
    // Takes the descriptor over.
    SocketStream(Loop& loop, int fd, Ready ready);
    ~SocketStream() override;
    SocketStream(const SocketStream&) = delete;
    SocketStream& operator=(const SocketStream&) = delete;

    void watch(bool readable, bool writable) override;
    Result read(std::span<std::byte> into) override;
    Result write(std::span<const iovec> from) override;
    int fd() const override { return fd_; }

  private:
    struct Handle;
    static void start(Handle& handle);
    Handle* handle_;
    int fd_;
};

}  // namespace haigha::transport
