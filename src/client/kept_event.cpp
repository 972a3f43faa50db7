#include "client/kept_event.h"

#include <array>
#include <cstring>
#include <utility>

#include "client/channel.h"
#include "client/connection.h"
#include "client/message.h"
#include "client/reply.h"

namespace haigha::client {

namespace {
constexpr std::array names{&Event::consumer_tag, &Event::exchange, &Event::routing_key,
                           &Event::name};
}  // namespace

KeptEvent::KeptEvent(const Event& from, Place place) : event_(from), place_(place) {
    if (event_.message == nullptr) {
        std::size_t size = 0;
        for (const auto name : names)
            size += (event_.*name).size;
        if (size > 0) text_ = std::make_unique<char[]>(size);
        char* at = text_.get();
        for (const auto name : names) {
            Str& text = event_.*name;
            if (text.size == 0) continue;
            if (text.size > 0) std::memcpy(at, text.data, text.size);
            text.data = at;
            at += text.size;
        }
    }
    // Nothing throws any more.
    if (event_.error != nullptr) event_.error->add_ref();
    if (event_.reply != nullptr) event_.reply->add_ref();
    if (event_.message != nullptr) event_.message->add_ref();
    if (place_ == Place::lent) return;
    if (event_.channel != nullptr) event_.channel->add_ref();
    if (event_.connection != nullptr) event_.connection->add_ref();
}

KeptEvent::KeptEvent(KeptEvent&& other) noexcept
    : event_(other.event_),
      place_(std::exchange(other.place_, Place::lent)),
      text_(std::move(other.text_)) {
    other.event_.error = nullptr;
    other.event_.reply = nullptr;
    other.event_.message = nullptr;
}

KeptEvent& KeptEvent::operator=(KeptEvent&& other) noexcept {
    std::swap(event_, other.event_);
    std::swap(place_, other.place_);
    std::swap(text_, other.text_);
    return *this;
}

KeptEvent::~KeptEvent() {
    let_go();
    if (place_ == Place::lent) return;
    if (event_.channel != nullptr) event_.channel->release();
    if (event_.connection != nullptr) event_.connection->release();
}

KeptEvent::Place KeptEvent::place_after(const std::vector<KeptEvent>& row, const Event& event) {
    if (row.empty()) return Place::held;
    const Event& last = row.back().event_;
    const bool same = last.channel == event.channel && last.connection == event.connection;
    return same ? Place::lent : Place::held;
}

void KeptEvent::let_go() {
    if (const Error* error = std::exchange(event_.error, nullptr)) error->release();
    if (const Reply* reply = std::exchange(event_.reply, nullptr)) reply->release();
    if (const Message* message = std::exchange(event_.message, nullptr)) message->release();
}

}  // namespace haigha::client
