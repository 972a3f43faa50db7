// Which host is tried next, and when: the strategy of a connection that was lost, as a pure value.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "base/clock.h"
#include "base/error.h"

namespace haigha::client {

enum class HostOrder : std::uint8_t {
    ordered,   // in the order of the list, again and again
    shuffled,  // in another order at each pass over the list
    chosen,    // as a function of the program's says
};

// What to do about a refusal that trying again does not change.
enum class PermanentPolicy : std::uint8_t {
    stop,   // give up
    skip,   // never try that host again; give up when there is none left
    retry,  // as any other failure
};

// Credentials, virtual host, the identity of a TLS peer: refused now, and refused again (rule 56).
bool is_permanent(const Error& error);

struct StrategySettings {
    HostOrder order = HostOrder::ordered;
    PermanentPolicy permanent = PermanentPolicy::stop;
    // The wait before an attempt is drawn from 0 up to base * 2^failures of its host, at most to
    // the largest: full jitter, so that clients that lost one broker do not come back together.
    Duration base_delay = milliseconds(1000);
    Duration largest_delay = milliseconds(30000);
    std::uint64_t attempts = 0;  // of one outage; 0: no limit
    Duration deadline{0};        // of one outage, from its beginning; 0: none
    // A connection that did not last so long has not ended its outage: what has failed before it
    // still counts.
    Duration stable_after = milliseconds(10000);
};

// What is remembered of a host.
struct HostState {
    std::uint32_t failures = 0;  // since it was last stable
    Instant not_before{0};       // its next attempt
    bool refused = false;        // for good (PermanentPolicy::skip)
};

// Time and chance are arguments, so that every sequence can be replayed.
class ConnectionStrategy {
  public:
    // Gives the index of the host to try; one that cannot be tried stands for "as ordered".
    using Choose = std::function<std::size_t(std::span<const HostState> hosts)>;

    enum class Why : std::uint8_t { none, attempts, deadline, permanent };
    struct Next {
        Why give_up = Why::none;    // else the rest is valid
        std::size_t host = 0;       //
        Instant at{0};              // when to try it
        std::uint64_t attempt = 0;  // of this outage, from 1
    };

    ConnectionStrategy(std::size_t hosts, StrategySettings settings, std::uint64_t seed,
                       Choose choose = {});

    // The connection to `host` is up.
    void connected(std::size_t host, Instant now);
    // It was up and has ended.
    void lost(Instant now);
    // The attempt that next() gave has failed.
    void failed(bool permanent);
    // Decides on the next attempt of the outage that lost() began.
    Next next(Instant now);

    std::span<const HostState> hosts() const { return hosts_; }
    std::uint64_t attempts() const { return attempts_; }

  private:
    void begin_pass();
    std::size_t take_host();
    // From 0 up to and with `limit`.
    std::uint64_t random(std::uint64_t limit);
    Duration delay_of(const HostState& host);

    StrategySettings settings_;
    Choose choose_;
    std::uint64_t random_state_;
    std::vector<HostState> hosts_;
    std::vector<std::size_t> pass_;  // the hosts still to be tried in this pass, the next one last
    std::size_t current_ = 0;        // connected to, or tried last
    bool connected_ = false;
    bool in_outage_ = false;
    Instant connected_at_{0};
    Instant outage_began_{0};
    std::uint64_t attempts_ = 0;
    bool stopped_ = false;  // a permanent refusal
};

}  // namespace haigha::client
