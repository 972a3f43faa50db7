#include "protocol/delivery_window.h"

#include <algorithm>
#include <utility>

namespace haigha::protocol {

void DeliveryWindow::stop_tracking() {
    tracks_ = false;
    holders_ = {};
    times_.clear();
    open_ = 0;
    oldest_ = next_ = 1;
}

void DeliveryWindow::grow(std::uint64_t next) {
    std::vector<Holder> larger(std::max<std::size_t>(16, holders_.size() * 2));
    for (std::uint64_t tag = oldest_; tag < next; ++tag)
        larger[tag & (larger.size() - 1)] = at(tag);
    holders_ = std::move(larger);
}

std::uint64_t DeliveryWindow::last_open(std::uint64_t from) const {
    for (std::uint64_t tag = std::min(from, next_ - 1); tag >= oldest_; --tag) {
        if (at(tag) != nobody) return tag;
    }
    return 0;
}

std::uint64_t DeliveryWindow::first_open(std::uint64_t tag) const {
    for (tag = std::max(tag, oldest_); tag < next_; ++tag) {
        if (at(tag) != nobody) return tag;
    }
    return 0;
}

std::size_t DeliveryWindow::count(Holder holder) const {
    std::size_t open = 0;
    for (std::uint64_t tag = oldest_; tag < next_; ++tag)
        open += at(tag) == holder ? 1 : 0;
    return open;
}

Instant DeliveryWindow::oldest_at(Instant otherwise) const {
    const std::uint64_t tag = first_open(oldest_);
    std::uint64_t last = 0;
    return tag != 0 && !times_.empty() ? times_.at(tag, &last) : otherwise;
}

}  // namespace haigha::protocol
