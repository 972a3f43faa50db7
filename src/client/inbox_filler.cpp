#include "client/inbox_filler.h"

#include "base/insist.h"

namespace haigha::client {

Inbox::Fill InboxFiller::add(const Then& then, Event& event) {
    if (inbox_.get() != then.inbox() || events_.size() == most) {
        flush();
        inbox_ = Ref<Inbox>(then.inbox());
    }
    then.complete(event);
    insist([&] { events_.emplace_back(event, KeptEvent::place_after(events_, event)); });
    bytes_ += Inbox::weight(event);
    return inbox_->fill_with(events_.size(), bytes_);
}

void InboxFiller::flush() {
    if (events_.empty()) return;
    inbox_->push(events_);
    events_.clear();
    bytes_ = 0;
    inbox_ = nullptr;
}

}  // namespace haigha::client
