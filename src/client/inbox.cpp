#include "client/inbox.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <iterator>
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
    std::shared_ptr<const ReadyHook> ready;
    {
        const std::lock_guard lock(mutex_);
        if (dropped_) return Fill::room;
        insist([&] { filled_.emplace_back(event, KeptEvent::place_after(filled_, event)); });
        if (event.type == EventType::delivery) {
            ++waiting_deliveries_;
            waiting_bytes_ += weight(event);
        }
        ready = wake_for(1);
    }
    if (ready) ready->call();
    return fill_with(0, 0);
}

void Inbox::push(std::vector<KeptEvent>& deliveries) {
    std::size_t bytes = 0;
    for (const KeptEvent& one : deliveries)
        bytes += weight(one.event());
    std::shared_ptr<const ReadyHook> ready;
    {
        const std::lock_guard lock(mutex_);
        if (dropped_) return;
        const std::size_t count = deliveries.size();
        waiting_deliveries_ += count;
        waiting_bytes_ += bytes;
        if (filled_.empty()) {
            filled_.swap(deliveries);
        } else {
            insist([&] { filled_.reserve(filled_.size() + count); });
            std::move(deliveries.begin(), deliveries.end(), std::back_inserter(filled_));
        }
        ready = wake_for(count);
    }
    if (ready) ready->call();
}

std::shared_ptr<const ReadyHook> Inbox::wake_for(std::size_t events) {
    filler_ = std::this_thread::get_id();
    const bool first = waiting_ == 0;
    waiting_ += events;
    if (!first) return nullptr;
    if (!ready_) make_readable();
    return ready_;
}

void Inbox::make_readable() const {
    const std::uint64_t one = 1;
    (void)!::write(fd_, &one, sizeof one);
}

void Inbox::make_unreadable() const {
    std::uint64_t drained = 0;
    (void)!::read(fd_, &drained, sizeof drained);
}

void Inbox::set_ready(std::shared_ptr<const ReadyHook> hook) {
    std::shared_ptr<const ReadyHook> call;
    std::shared_ptr<const ReadyHook> before;
    {
        const std::lock_guard lock(mutex_);
        before = std::exchange(ready_, std::move(hook));
        if (waiting_ == 0) return;
        call = ready_;
        if (call && !before) make_unreadable();
        if (!call && before) make_readable();
    }
    if (call) call->call();
}

bool Inbox::has_ready_hook() const {
    const std::lock_guard lock(mutex_);
    return ready_ != nullptr;
}

Inbox::Fill Inbox::fill_with(std::size_t deliveries, std::size_t bytes) const {
    if (waiting_bytes_.load(std::memory_order_relaxed) + bytes >
        capacity_bytes_.load(std::memory_order_relaxed)) {
        return Fill::too_heavy;
    }
    return waiting_deliveries_.load(std::memory_order_relaxed) + deliveries > capacity_
               ? Fill::too_many
               : Fill::room;
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
    std::vector<KeptEvent> dropped;
    std::vector<std::function<void()>> resume;
    std::shared_ptr<const ReadyHook> ready;
    {
        const std::lock_guard lock(mutex_);
        dropped_ = true;
        dropped.swap(filled_);
        waiting_ = waiting_deliveries_ = waiting_bytes_ = 0;
        ready.swap(ready_);
        resume.swap(resume_);
    }
    fetched_.clear();
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

// What the last poll handed out. A place is held until all that was fetched with it has gone.
void Inbox::let_go_of_last() {
    if (handed_out_ == fetched_.size()) {
        fetched_.clear();
        handed_out_ = let_go_ = 0;
        return;
    }
    for (; let_go_ < handed_out_; ++let_go_)
        fetched_[let_go_].let_go();
}

std::size_t Inbox::take(std::span<Event> events) {
    if (fetched_.empty()) {
        const std::lock_guard lock(mutex_);
        fetched_.swap(filled_);
    }
    const std::size_t count = std::min(events.size(), fetched_.size() - handed_out_);
    if (count == 0) return 0;
    std::size_t deliveries = 0;
    std::size_t bytes = 0;
    for (std::size_t i = 0; i < count; ++i) {
        events[i] = fetched_[handed_out_ + i].event();
        if (events[i].type != EventType::delivery) continue;
        ++deliveries;
        bytes += weight(events[i]);
    }
    handed_out_ += count;
    std::vector<std::function<void()>> resume;
    {
        const std::lock_guard lock(mutex_);
        waiting_deliveries_ -= deliveries;
        waiting_bytes_ -= bytes;
        waiting_ -= count;
        if (waiting_ == 0 && !ready_) make_unreadable();
        if (half_empty()) resume.swap(resume_);
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
    let_go_of_last();
    std::size_t count = take(events);
    if (count > 0 || timeout_ms == 0) return count;
    wait(timeout_ms);
    return take(events);
}

}  // namespace haigha::client
