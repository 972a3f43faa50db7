// An event that outlives its telling: a copy, and a share in all that it points to.
#pragma once

#include <string>

#include "client/event.h"

namespace haigha::client {

class KeptEvent {
  public:
    explicit KeptEvent(const Event& from);
    KeptEvent(KeptEvent&& other) noexcept;
    KeptEvent& operator=(KeptEvent&& other) noexcept;
    ~KeptEvent();

    const Event& raw() const { return event_; }
    // To be told: its names point into this object where no message holds them.
    Event event() const;

  private:
    Event event_;
    std::string text_;
};

}  // namespace haigha::client
