// How a publisher of a storm gets its messages out: on a channel, or by a pool of them.
#pragma once

#include <haigha/haigha.h>

#include <cstdint>
#include <memory>
#include <string>

#include "storm/operation_book.h"

namespace haigha::storm {

class StormOutlet {
  public:
    virtual ~StormOutlet() = default;
    // `usual`: what most messages are published with; what it points to outlives the outlet.
    virtual haigha_status open(haigha_connection* connection, const haigha_then& events,
                               const haigha_publish_args& usual, haigha_error** error) = 0;
    // `is_usual`: but for its user_data it is published as all of them.
    virtual haigha_status publish(const haigha_publish_args& args, std::string body, bool is_usual,
                                  haigha_error** error) = 0;
    // Has the broker close a channel of its own. What that is done by is nobody's message: its
    // user_data is NULL.
    virtual void provoke(OperationBook& book) = 0;
    virtual void close() = 0;

    virtual std::uint64_t channel_losses() const { return 0; }
    virtual std::int64_t lent_bodies_out() const { return 0; }
};

// That of a publisher; each has another.
std::unique_ptr<StormOutlet> outlet_of(unsigned publisher);
// Whether its messages stay in order.
bool outlet_keeps_order(unsigned publisher);

}  // namespace haigha::storm
