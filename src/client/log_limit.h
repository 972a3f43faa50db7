// So many lines about the same thing, and then how many were left out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/clock.h"

namespace haigha::client {

// A broker that closes a thousand channels at once, or a host that refuses each attempt, says the
// same again and again. Time is an argument.
class LogLimit {
  public:
    // Of one kind of record on one connection, within one period.
    static constexpr std::uint32_t most_lines = 20;
    static constexpr Duration period = seconds(10);
    // Connections times kinds of which is known how much they have said: the one that has been
    // silent for longest is forgotten for another.
    static constexpr std::size_t most_kinds = 256;

    struct Verdict {
        bool write = true;
        std::uint64_t left_out = 0;  // before this one
    };
    // `event`: a kind of record, static.
    Verdict ask(std::uint32_t connection, std::string_view event, Instant now);
    // Nothing more comes of that connection. How many of its lines were left out and not told.
    std::uint64_t end(std::uint32_t connection);

  private:
    struct Kind {
        std::uint32_t connection = 0;
        std::string_view event;
        Instant since;
        std::uint32_t lines = 0;
        std::uint64_t left_out = 0;
    };
    Kind& find(std::uint32_t connection, std::string_view event, Instant now);

    std::vector<Kind> kinds_;
};

}  // namespace haigha::client
