// The publishes of a confirm channel that are kept until their outcome, to be sent by the channel's
// next incarnation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "protocol/confirm_ring.h"
#include "protocol/held_body.h"
#include "protocol/publish_head.h"

namespace haigha::protocol {

// A header, true, of what is sent again although it may have arrived. Names that begin with x- are
// not looked at by exchanges of type headers.
inline constexpr std::string_view republished_name = "x-haigha-republished";

// As it was published, whatever frame_max and the channel's number will be.
struct KeptPublish {
    std::vector<std::byte> octets;  // its head and, unless that is held, its body
    std::size_t head_size = 0;
    std::size_t method_size = 0;
    Ref<HeldBody> held;
    bool to_match = false;  // a return has to be matched to it by its content
    std::uint64_t return_key = 0;
    Instant taken;

    EncodedHead head() const { return {wire::Bytes(octets).first(head_size), method_size}; }
    std::span<const std::byte> body() const {
        return held ? held->octets() : wire::Bytes(octets).subspan(head_size);
    }
};

// What the head of one that is sent again is made of.
struct MarkedHead {
    explicit MarkedHead(const EncodedHead& head);
    MarkedHead(const MarkedHead&) = delete;
    MarkedHead& operator=(const MarkedHead&) = delete;
    wire::Properties properties;
    PublishRequest request;
    std::vector<std::byte> headers;
};

struct KeepSettings {
    bool again = false;   // also what may have arrived; else only what never left whole
    Duration max_age{};   // 0: any
    bool stamps = false;  // see return_stamp.h
    InFlightLimit limit{};
};

// Owned by the ring whose publishes it keeps. It is the same while the channel has no connection.
class KeptPublishes {
  public:
    using Write = std::function<void(const KeptPublish& publish)>;

    // Bodies go back by `returned`, which outlives this and whatever they are written by.
    KeptPublishes(ConfirmRing& ring, const KeepSettings& settings, ReturnedBodies& returned)
        : ring_(ring), settings_(settings), returned_(returned) {}

    // Keeps one, and has it written before it is numbered. argument: the properties do not fit a
    // frame.
    Status take(const PublishRequest& request, Instant now, const Write& write,
                std::uint64_t* sequence);
    Status take(const PreparedHead& head, const PublishRequest& rest, Instant now,
                const Write& write, std::uint64_t* sequence);
    bool is_full() const { return ring_.is_full(settings_.limit, refused); }

    const KeptPublish& at(std::uint64_t sequence) const { return publishes_[sequence - first_]; }
    void drop(std::span<const Settled> settled);
    bool is_too_old(const KeptPublish& publish, Instant now) const {
        return settings_.max_age.nanoseconds > 0 && publish.taken + settings_.max_age <= now;
    }
    bool again() const { return settings_.again; }
    std::size_t size() const { return publishes_.size(); }

    // Publishing was refused: an event is owed when it may go on.
    bool refused = false;
    std::uint32_t frame_max = 0;  // of the last connection

  private:
    template <class Head>
    Status add(const Head& head, std::uint64_t return_key, bool to_match,
               const PublishRequest& rest, Instant now, const Write& write,
               std::uint64_t* sequence);

    ConfirmRing& ring_;
    const KeepSettings settings_;
    ReturnedBodies& returned_;
    std::deque<KeptPublish> publishes_;  // those that are dropped are empty
    std::uint64_t first_ = 1;            // the number of the first of them
};

}  // namespace haigha::protocol
