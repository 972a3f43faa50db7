// Direct reply-to: who consumes amq.rabbitmq.reply-to, by the names that take its place in
// messages.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "stub_broker/stub_queues.h"

namespace haigha::test {

inline constexpr std::string_view stub_reply_queue = "amq.rabbitmq.reply-to";

class StubReplies {
  public:
    // A name that nobody can guess wrong into somebody else's: they are never used again.
    std::string add(const StubConsumerRef& consumer) {
        std::string name = std::string(stub_reply_queue) + ".stub-" + std::to_string(++made_);
        consumers_.emplace(name, consumer);
        return name;
    }
    void remove(std::string_view name) {
        if (const auto found = consumers_.find(name); found != consumers_.end()) {
            consumers_.erase(found);
        }
    }
    StubConsumerRef find(std::string_view name) const {
        const auto found = consumers_.find(name);
        return found == consumers_.end() ? nullptr : found->second;
    }

  private:
    std::map<std::string, StubConsumerRef, std::less<>> consumers_;
    std::size_t made_ = 0;
};

}  // namespace haigha::test
