#include "streams/offset_tracker.h"

#include <algorithm>

namespace haigha::streams {

void OffsetTracker::delivered(std::int64_t offset) {
    const std::int64_t last = given_.empty() ? position_ : given_.back().offset;
    if (offset <= last) return;
    given_.push_back({offset, false});
    ++unhandled_;
}

bool OffsetTracker::handled(std::int64_t offset) {
    const auto found =
        std::lower_bound(given_.begin(), given_.end(), offset,
                         [](const Given& one, std::int64_t wanted) { return one.offset < wanted; });
    if (found == given_.end() || found->offset != offset || found->is_handled) return false;
    found->is_handled = true;
    --unhandled_;
    for (; !given_.empty() && given_.front().is_handled; given_.pop_front())
        position_ = given_.front().offset;
    return true;
}

}  // namespace haigha::streams
