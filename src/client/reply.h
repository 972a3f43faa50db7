// What an operation answered, kept as long as somebody wants it.
#pragma once

#include <cstdint>
#include <string>

#include "base/counted.h"
#include "base/error.h"
#include "base/ref.h"
#include "client/message.h"

namespace haigha::client {

struct Reply : Counted<Reply> {
    std::string queue;
    std::string consumer_tag;
    std::uint32_t message_count = 0;
    std::uint32_t consumer_count = 0;
    std::int32_t outcome = 0;
    ErrorRef return_reason;
    Ref<Message> message;
    std::uint64_t unwritten_bytes = 0;  // of a stop
    std::uint64_t unconfirmed = 0;
    std::uint64_t unsettled = 0;
    std::string mechanism;  // of an auth event
    std::string challenge;
};

}  // namespace haigha::client
