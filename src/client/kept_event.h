// An event that outlives its telling: a copy, and a share in all that it points to.
#pragma once

#include <memory>
#include <vector>

#include "client/event.h"

namespace haigha::client {

class KeptEvent {
  public:
    // Its place is its connection and channel. In a row of events the first of a place can hold it
    // for those that follow: threads that count the same shares up and down wait for each other.
    enum class Place : bool { held, lent };

    explicit KeptEvent(const Event& from, Place place = Place::held);
    // That of one which follows those.
    static Place place_after(const std::vector<KeptEvent>& row, const Event& event);
    KeptEvent(KeptEvent&& other) noexcept;
    KeptEvent& operator=(KeptEvent&& other) noexcept;
    ~KeptEvent();

    // Its names belong to this object, where no message holds them.
    const Event& event() const { return event_; }
    // Gives back all but the place.
    void let_go();

  private:
    Event event_;
    Place place_ = Place::held;
    std::unique_ptr<char[]> text_;  // the names, one after the other
};

}  // namespace haigha::client
