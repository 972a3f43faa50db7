#include "client/kept_event.h"

#include <utility>

#include "client/channel.h"
#include "client/connection.h"
#include "client/message.h"
#include "client/reply.h"

namespace haigha::client {

KeptEvent::KeptEvent(const Event& from) : event_(from) {
    if (event_.message == nullptr) {
        for (const Str* name :
             {&event_.consumer_tag, &event_.exchange, &event_.routing_key, &event_.name})
            text_ += std::string_view(*name);
    }
    // Nothing throws any more.
    if (event_.error != nullptr) event_.error->add_ref();
    if (event_.reply != nullptr) event_.reply->add_ref();
    if (event_.message != nullptr) event_.message->add_ref();
    if (event_.channel != nullptr) event_.channel->add_ref();
    if (event_.connection != nullptr) event_.connection->add_ref();
}

KeptEvent::KeptEvent(KeptEvent&& other) noexcept
    : event_(std::exchange(other.event_, Event())), text_(std::move(other.text_)) {}

KeptEvent& KeptEvent::operator=(KeptEvent&& other) noexcept {
    std::swap(event_, other.event_);
    std::swap(text_, other.text_);
    return *this;
}

KeptEvent::~KeptEvent() {
    if (event_.error != nullptr) event_.error->release();
    if (event_.reply != nullptr) event_.reply->release();
    if (event_.message != nullptr) event_.message->release();
    if (event_.channel != nullptr) event_.channel->release();
    if (event_.connection != nullptr) event_.connection->release();
}

Event KeptEvent::event() const {
    Event told = event_;
    if (text_.empty()) return told;
    const char* at = text_.data();
    for (Str* name : {&told.consumer_tag, &told.exchange, &told.routing_key, &told.name}) {
        if (name->size > 0) name->data = at;
        at += name->size;
    }
    return told;
}

}  // namespace haigha::client
