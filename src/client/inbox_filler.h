// Deliveries on their way into an inbox. Those that come one after the other are handed over
// together: two threads meet, and one wakes the other, once for many messages.
#pragma once

#include <cstddef>
#include <vector>

#include "base/ref.h"
#include "client/event.h"
#include "client/inbox.h"
#include "client/kept_event.h"
#include "client/then.h"

namespace haigha::client {

// Of a loop's thread, which flushes it before anything else is told: events keep their order.
class InboxFiller {
  public:
    // Of a then that goes into an inbox. Returns how full that is once it has this one too.
    Inbox::Fill add(const Then& then, Event& event);
    void flush();

  private:
    // What reads along should not wait for long.
    static constexpr std::size_t most = 256;

    Ref<Inbox> inbox_;  // while there are some for it
    std::vector<KeptEvent> events_;
    std::size_t bytes_ = 0;
};

}  // namespace haigha::client
