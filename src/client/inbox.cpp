#include "client/inbox.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <utility>

#include "base/insist.h"
#include "transport/loop.h"

namespace haigha::client {

Ref<Inbox> Inbox::create(std::size_t capacity, ErrorRef* error) {
    const int fd = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0) {
        const Ref<Error> failed = edit_error(*make_error(
            Status::io,
            std::string("cannot make an eventfd for an inbox: ") + std::strerror(errno)));
        failed->os_errno = errno;
        *error = ErrorRef(failed.get());
        return nullptr;
    }
    return Ref<Inbox>::adopt(new Inbox(capacity == 0 ? default_capacity : capacity, fd));
}

Inbox::~Inbox() {
    ::close(fd_);
}

Inbox::Fill Inbox::push(const Event& event) {
    const std::lock_guard lock(mutex_);
    if (dropped_) return Fill::room;
    filler_ = std::this_thread::get_id();
    const bool first = waiting_.empty();
    insist([&] { waiting_.push(KeptEvent(event)); });
    if (event.type == EventType::delivery) {
        ++waiting_deliveries_;
        waiting_bytes_ += weight(event);
    }
    if (first) {
        const std::uint64_t one = 1;
        (void)!::write(fd_, &one, sizeof one);
    }
    if (waiting_bytes_ > capacity_bytes_) return Fill::too_heavy;
    return waiting_deliveries_ > capacity_ ? Fill::too_many : Fill::room;
}

void Inbox::set_capacity_bytes(std::size_t bytes) {
    std::vector<std::function<void()>> resume;
    {
        const std::lock_guard lock(mutex_);
        capacity_bytes_ = bytes;
        if (half_empty()) resume.swap(resume_);
    }
    for (const auto& call : resume)
        call();
}

bool Inbox::on_a_filling_thread() const {
    if (transport::Loop::on_own_thread()) return true;
    const std::lock_guard lock(mutex_);
    return filler_ == std::this_thread::get_id();
}

void Inbox::drop_handle() {
    if (!handles_.drop()) return;
    Queue<KeptEvent> dropped;
    std::vector<std::function<void()>> resume;
    {
        const std::lock_guard lock(mutex_);
        dropped_ = true;
        std::swap(dropped, waiting_);
        waiting_deliveries_ = waiting_bytes_ = 0;
        resume.swap(resume_);
    }
    handed_out_.clear();
    for (const auto& call : resume)
        call();
    release();
}

void Inbox::when_half_empty(std::function<void()> resume) {
    {
        const std::lock_guard lock(mutex_);
        if (!half_empty()) {
            resume_.push_back(std::move(resume));
            return;
        }
    }
    resume();
}

std::size_t Inbox::take(std::span<Event> events) {
    std::vector<std::function<void()>> resume;
    std::size_t count = 0;
    {
        const std::lock_guard lock(mutex_);
        while (count < events.size() && !waiting_.empty()) {
            handed_out_.push_back(waiting_.pop());
            const Event& event = handed_out_.back().raw();
            if (event.type == EventType::delivery) {
                --waiting_deliveries_;
                waiting_bytes_ -= weight(event);
            }
            ++count;
        }
        if (count > 0 && waiting_.empty()) {
            std::uint64_t drained = 0;
            (void)!::read(fd_, &drained, sizeof drained);
        }
        if (half_empty()) resume.swap(resume_);
    }
    for (std::size_t i = 0; i < count; ++i) {
        events[i] = handed_out_[i].event();
    }
    for (const auto& call : resume)
        call();
    return count;
}

void Inbox::wait(std::int64_t timeout_ms) const {
    using Clock = std::chrono::steady_clock;
    const auto end =
        Clock::now() + std::chrono::milliseconds(std::max<std::int64_t>(timeout_ms, 0));
    while (true) {
        int left_ms = -1;
        if (timeout_ms >= 0) {
            const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now());
            left_ms = static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 1 << 30));
        }
        pollfd readable{fd_, POLLIN, 0};
        const int count = ::poll(&readable, 1, left_ms);
        if (count > 0 || (count == 0 && left_ms <= 0)) return;
        if (count == 0 && Clock::now() >= end && timeout_ms >= 0) return;
        if (count < 0 && errno != EINTR) return;
    }
}

std::size_t Inbox::poll(std::span<Event> events, std::int64_t timeout_ms) {
    handed_out_.clear();
    std::size_t count = take(events);
    if (count > 0 || timeout_ms == 0) return count;
    wait(timeout_ms);
    return take(events);
}

}  // namespace haigha::client
