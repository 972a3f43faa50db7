// When to send a heartbeat and when to give a silent peer up: a function of times, no clock.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/clock.h"

namespace haigha::protocol {

// With the negotiated timeout T: a heartbeat goes out when nothing was written for T/2, whatever is
// being read, and the peer is dead when nothing was read for 2T. T = 0 disables both.
// Source: AMQP 0-9-1 4.2.7; rules 7 to 9.
class Heartbeat {
  public:
    void start(std::uint16_t timeout_s, Instant now) {
        timeout_ = seconds(timeout_s);
        sent_ = received_ = now;
    }
    bool enabled() const { return timeout_.nanoseconds > 0; }
    void note_sent(Instant now) { sent_ = now; }
    void note_received(Instant now) { received_ = now; }

    bool must_send(Instant now) const { return enabled() && now >= send_at(); }
    bool peer_is_dead(Instant now) const { return enabled() && now >= dead_at(); }
    Instant deadline() const {
        return enabled() ? std::min(send_at(), dead_at()) : Instant::never();
    }

  private:
    Instant send_at() const { return sent_ + Duration{timeout_.nanoseconds / 2}; }
    Instant dead_at() const { return received_ + Duration{timeout_.nanoseconds * 2}; }

    Duration timeout_;
    Instant sent_;
    Instant received_;
};

}  // namespace haigha::protocol
