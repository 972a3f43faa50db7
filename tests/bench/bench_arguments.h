// The arguments of the benchmark's programs.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace bench {

// Another client's program; see tests/bench/peers.
struct PeerProgram {
    std::string name;
    std::uint64_t divisor = 1;  // slow ones get fewer messages
    std::string command;        // for the shell; the work is added to it
};

struct Arguments {
    bool quick = false;
    int repetitions = 3;
    std::string json_file;
    std::string only;
    std::int64_t high_water = 0;
    bool tls = false;
    std::string uri;
    std::uint64_t count = 0;  // 0: as many as the program has by default
    std::vector<PeerProgram> peers;
};

// Takes the options that the usage names, over those that are given; nothing when they are wrong.
std::optional<Arguments> parse_arguments(int argc, char** argv, const std::string& usage,
                                         Arguments arguments = {});

}  // namespace bench
