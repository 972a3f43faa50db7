// The steps of a retry: which queues they are, and what a message is published with to each.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "client/message.h"
#include "protocol/publish_head.h"
#include "topology/description.h"
#include "wire/field_table.h"
#include "wire/properties.h"

namespace haigha::topology {

inline constexpr std::size_t most_steps = 64;
inline constexpr std::size_t longest_reason = 1024;

class RetryLadder {
  public:
    struct Names {
        std::string queue;
        std::string prefix;
        std::string quarantine;
    };
    RetryLadder(Names names, std::vector<std::uint64_t> delays_ms, bool quorum)
        : names_(std::move(names)), delays_(std::move(delays_ms)), quorum_(quorum) {}

    const std::string& queue() const { return names_.queue; }
    const std::string& quarantine() const { return names_.quarantine; }
    // Where a message goes that has been retried so often; names the exchange and the queue.
    std::string step(std::uint64_t retries) const;
    // Empty, or why it does not fit.
    std::string add_to(Description& description) const;

  private:
    std::string name_of(std::uint64_t delay_ms) const;
    std::string add_step(Description& description, std::uint64_t delay_ms) const;
    std::string add_queue(Description& description, const std::string& name,
                          const wire::FieldTable& arguments) const;

    Names names_;
    std::vector<std::uint64_t> delays_;
    bool quorum_;
};

// How often a message has been retried, by its headers. False when they cannot be decoded.
bool count_retries(wire::Bytes headers, std::uint64_t* count);

// What a message that comes again is published with; borrows the message.
class RetriedMessage {
  public:
    // Null, or why it cannot be read.
    ErrorRef read(const client::Message& message);
    std::uint64_t retries() const { return retries_; }
    // Of the next time. Null, or what there is no room for.
    ErrorRef write(std::string_view exchange, std::string_view reason,
                   protocol::PublishRequest& request);

  private:
    const client::Message* message_ = nullptr;
    wire::Properties properties_;
    wire::FieldTable headers_;
    std::uint64_t retries_ = 0;
};

}  // namespace haigha::topology
