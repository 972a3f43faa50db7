// Who does the work: this library in its ways of use, and other clients' programs.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "bench_arguments.h"
#include "bench_client.h"
#include "bench_work.h"

namespace bench {

struct Contender {
    std::string name;
    std::uint64_t divisor = 1;  // slow ones get fewer messages
    // How many messages go before those that are measured, for compilers that work at run time: the
    // number of those divided by this (0: none), and at least so many.
    std::uint64_t warm_divisor = 0;
    std::uint64_t least_warm = 0;
    bool only_publishes = false;  // it has no way of its own to consume
    bool only_consumes = false;
    std::size_t least_size = 0;  // of what it publishes
    bool is_peer = false;        // what is wrong with it is no failure of the benchmark
    // Nothing when it failed, which it has said.
    std::function<std::optional<Figures>(const Task&)> run;

    Task share_of(Task whole) const;
};

// The library on a loop of the program's (attached) or of its own, publishing plainly or prepared,
// and consuming by callbacks or from an inbox.
std::vector<Contender> haigha_contenders(const ClientOptions& common, bool attached_too);
Contender peer_contender(const PeerProgram& program);

// Whether --only means this line of the table: TEXT is in "BYTES WORK CLIENT".
bool is_wanted(const std::string& only, const Contender& contender, const Task& task);

}  // namespace bench
