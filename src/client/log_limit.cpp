#include "client/log_limit.h"

#include <algorithm>
#include <utility>

namespace haigha::client {

LogLimit::Kind& LogLimit::find(std::uint32_t connection, std::string_view event, Instant now) {
    const auto known = std::find_if(kinds_.begin(), kinds_.end(), [&](const Kind& kind) {
        return kind.connection == connection && kind.event == event;
    });
    if (known != kinds_.end()) return *known;
    const Kind fresh{connection, event, now, 0, 0};
    if (kinds_.size() < most_kinds) {
        kinds_.push_back(fresh);
        return kinds_.back();
    }
    Kind& oldest =
        *std::min_element(kinds_.begin(), kinds_.end(),
                          [](const Kind& a, const Kind& b) { return a.since < b.since; });
    oldest = fresh;
    return oldest;
}

LogLimit::Verdict LogLimit::ask(std::uint32_t connection, std::string_view event, Instant now) {
    Kind& kind = find(connection, event, now);
    if (kind.since + period <= now) {
        kind.since = now;
        kind.lines = 0;
    }
    if (kind.lines >= most_lines) {
        ++kind.left_out;
        return {false, 0};
    }
    ++kind.lines;
    return {true, std::exchange(kind.left_out, 0)};
}

std::uint64_t LogLimit::end(std::uint32_t connection) {
    std::uint64_t left_out = 0;
    for (const Kind& kind : kinds_)
        left_out += kind.connection == connection ? kind.left_out : 0;
    std::erase_if(kinds_, [&](const Kind& kind) { return kind.connection == connection; });
    return left_out;
}

}  // namespace haigha::client
