// Brings channels and topology back on a connection that has just been opened: a state machine.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "base/error.h"
#include "client/topology_records.h"
#include "client/topology_replay.h"
#include "protocol/channel_remains.h"
#include "protocol/connection_machine.h"
#include "wire/method_declarations.h"

namespace haigha::client {

// The broker may never answer for a queue whose node is away, and then nothing more on that
// channel. What so many attempts of an outage had no answer about is left out, and the rest comes
// back.
inline constexpr std::uint32_t most_unanswered = 2;

// What was agreed on for a channel, and is to be agreed on again.
struct ChannelSettings {
    bool confirm = false;
    bool tx = false;
    bool correlate_returns = false;
    protocol::InFlightLimit in_flight{};
    // Each form of basic.qos as it was said last: for each new consumer, and for the channel.
    std::optional<wire::basic::Qos> qos_each;
    std::optional<wire::basic::Qos> qos_all;
};

// Without I/O, as TopologyReplay: it says to a machine what is to be said, and is told what became
// of it. The channels that it opens are its own until whoever began it takes them over: nothing of
// a user's gets between what restores them.
class Recovery {
  public:
    struct Plan {
        protocol::Token channel = nullptr;  // the user's
        protocol::ChannelRemains remains;
        ChannelSettings settings;
        std::uint16_t number = 0;  // that it has now; 0: none
        bool refused = false;      // its end is still to be told
        bool over = false;         // the channel is its user's again, or has ended
        ErrorRef error;            // it cannot be had again
    };

    // records: null: no topology.
    Recovery(protocol::ConnectionMachine& machine, TopologyRecords* records, OwnCalls& calls);

    // The owner of its channels.
    protocol::Token token() { return this; }
    // What it is to bring back: whatever happens, take_plans() has it.
    void take(std::vector<Plan> plans) noexcept { plans_ = std::move(plans); }
    // fresh: the connection is a new one, without the exclusive queues of the one before.
    Status start(bool fresh);
    void on_channel_end(std::uint16_t number, const ErrorRef& error);
    // Its user has closed the channel meanwhile. True, with its plan, if it was to be brought back.
    bool drop(protocol::Token channel, Plan* plan);

    // The channels are open, in their modes, and the topology is declared.
    bool ready() const;
    // See TopologyReplay.
    void be_careful(std::vector<TopologyReplay::Failure> spared) {
        if (replay_) replay_->be_careful(std::move(spared));
    }
    const Plan* find(const void* channel) const;
    std::vector<Plan>& plans() { return plans_; }
    std::vector<Plan> take_plans() { return std::exchange(plans_, {}); }
    TopologyReplay* replay() { return replay_ ? &*replay_ : nullptr; }

  private:
    void open_channels();
    void open_channel(Plan& plan);
    template <class Method>
    void call(Plan& plan, protocol::CallKind kind, const Method& method);
    template <class Say>
    Status ask(const Plan& plan, Say say);

    protocol::ConnectionMachine& machine_;
    OwnCalls& calls_;
    std::optional<TopologyReplay> replay_;
    std::vector<Plan> plans_;
    std::vector<std::uint16_t> dropped_;  // channels that are being closed
    std::size_t pending_ = 0;             // calls without an answer, but for those of the replay
    bool opened_ = false;                 // the channels were asked for
};

}  // namespace haigha::client
