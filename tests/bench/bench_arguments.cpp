#include "bench_arguments.h"

#include <cstdlib>

namespace bench {

namespace {

// The values of one option, in their order.
class Values {
  public:
    Values(int argc, char** argv) : argc_(argc), argv_(argv) {}
    bool more() const { return at_ < argc_; }
    bool missed() const { return missed_; }
    std::string next() {
        if (more()) return argv_[at_++];
        missed_ = true;
        return {};
    }
    std::int64_t number() { return std::atoll(next().c_str()); }

  private:
    int argc_;
    char** argv_;
    int at_ = 1;
    bool missed_ = false;
};

bool parse_one(const std::string& option, Values& values, Arguments& into) {
    if (option == "--quick") {
        into.quick = true;
        into.repetitions = 1;
    } else if (option == "--tls") {
        into.tls = true;
    } else if (option == "--repetitions") {
        into.repetitions = static_cast<int>(values.number());
    } else if (option == "--json") {
        into.json_file = values.next();
    } else if (option == "--only") {
        into.only = values.next();
    } else if (option == "--high-water") {
        into.high_water = values.number();
    } else if (option == "--uri") {
        into.uri = values.next();
    } else if (option == "--count") {
        into.count = static_cast<std::uint64_t>(values.number());
    } else if (option == "--peer") {
        PeerProgram peer;
        peer.name = values.next();
        peer.divisor = static_cast<std::uint64_t>(values.number());
        peer.command = values.next();
        if (peer.divisor == 0) return false;
        into.peers.push_back(peer);
    } else {
        return false;
    }
    return !values.missed();
}

}  // namespace

std::optional<Arguments> parse_arguments(int argc, char** argv, const std::string& usage,
                                         Arguments arguments) {
    Values values(argc, argv);
    while (values.more()) {
        const std::string option = values.next();
        // In the list of options each has a line of its own.
        if (usage.find("\n  " + option + " ") == std::string::npos) return std::nullopt;
        if (!parse_one(option, values, arguments)) return std::nullopt;
    }
    if (arguments.repetitions < 1) return std::nullopt;
    return arguments;
}

}  // namespace bench
