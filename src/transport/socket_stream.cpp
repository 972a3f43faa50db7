#include "transport/socket_stream.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace haigha::transport {

struct SocketStream::Handle {
    uv_poll_t poll{};
    Ready ready;
    int fd = -1;
    int watched = 0;  // what for
    bool usable = false;
};

SocketStream::SocketStream(Loop& loop, int fd, Ready ready) : handle_(new Handle), fd_(fd) {
    handle_->ready = std::move(ready);
    handle_->fd = fd;
    handle_->usable = uv_poll_init(loop.uv(), &handle_->poll, fd) == 0;
    handle_->poll.data = handle_;
}

SocketStream::~SocketStream() {
    if (!handle_->usable) {
        ::close(fd_);
        delete handle_;
        return;
    }
    // No callback after this; the one that may be running keeps its function until the close.
    uv_poll_stop(&handle_->poll);
    uv_close(reinterpret_cast<uv_handle_t*>(&handle_->poll), [](uv_handle_t* poll) {
        // Only now: libuv must not meet the number again while it still watches it.
        auto* handle = static_cast<Handle*>(poll->data);
        ::close(handle->fd);
        delete handle;
    });
}

void SocketStream::watch(bool readable, bool writable) {
    const int events = (readable ? UV_READABLE : 0) | (writable ? UV_WRITABLE : 0);
    if (events == handle_->watched || !handle_->usable) return;
    handle_->watched = events;
    if (events == 0) {
        uv_poll_stop(&handle_->poll);
    } else {
        start(*handle_);
    }
}

void SocketStream::start(Handle& handle) {
    uv_poll_start(&handle.poll, handle.watched, [](uv_poll_t* poll, int status, int happened) {
        auto* handle = static_cast<Handle*>(poll->data);
        // An error shows itself in the read or write that follows.
        const bool failed = status < 0;
        if (handle->ready) {
            handle->ready(failed || (happened & UV_READABLE) != 0,
                          failed || (happened & UV_WRITABLE) != 0);
        }
        // libuv watches no more behind an error; a read may have found what came before it.
        const bool closing = uv_is_closing(reinterpret_cast<uv_handle_t*>(poll)) != 0;
        if (failed && !closing && handle->watched != 0) start(*handle);
    });
}

Stream::Result SocketStream::read(std::span<std::byte> into) {
    while (true) {
        const ssize_t size = ::recv(fd_, into.data(), into.size(), 0);
        if (size > 0) return {.size = static_cast<std::size_t>(size)};
        if (size == 0) return {.eof = true};
        if (errno == EINTR) continue;
        return {.error = errno == EWOULDBLOCK ? EAGAIN : errno};
    }
}

Stream::Result SocketStream::write(std::span<const iovec> from) {
    msghdr message{};
    message.msg_iov = const_cast<iovec*>(from.data());
    message.msg_iovlen = from.size();
    while (true) {
        // One piece, as in a round trip, needs no list read by the kernel.
        const ssize_t size = from.size() == 1
                                 ? ::send(fd_, from[0].iov_base, from[0].iov_len, MSG_NOSIGNAL)
                                 : ::sendmsg(fd_, &message, MSG_NOSIGNAL);
        if (size >= 0) return {.size = static_cast<std::size_t>(size)};
        if (errno == EINTR) continue;
        return {.error = errno == EWOULDBLOCK ? EAGAIN : errno};
    }
}

}  // namespace haigha::transport
