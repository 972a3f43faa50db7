// The work of `haigha publish`: messages, each with a known outcome.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "body_source.h"
#include "failure.h"
#include "message_json.h"
#include "progress.h"
#include "property_options.h"
#include "session.h"

namespace tool {

struct PublishOptions {
    BrokerOptions broker;
    std::optional<std::string> exchange;     // without: the message's own, or the default one
    std::optional<std::string> routing_key;  // without: the message's own, or the empty one
    bool mandatory = false;
    bool confirm = true;
    bool json = false;  // each line is a message with all that belongs to it
    PropertyOptions properties;
    BodyOptions body;
    ProgressWish progress;
};

class PublishRun {
  public:
    explicit PublishRun(const PublishOptions& options);

    ExitStatus run();

  private:
    using Clock = std::chrono::steady_clock;

    void publish_all();
    // Both: false once the channel has ended. What was read is published, interrupted or not.
    bool publish(const haigha_publish_args& args, std::string_view body);
    bool publish_json(const haigha_publish_args& args, std::string_view line);
    // Waits for events; false when there is no sense in going on. Throws after a silence that is
    // longer than the timeout.
    bool wait();
    // The outcome of everything that was sent.
    void settle();
    void collect(std::int64_t timeout_ms);
    void handle(const haigha_event& event);
    void tell(const std::string& sentence);
    void show_progress();
    ExitStatus conclude();

    const PublishOptions& options_;
    const PropertySet properties_;
    BodySource bodies_;
    Progress progress_;
    Loop loop_;
    Session session_;
    InboxHandle inbox_;
    ChannelHandle channel_;
    std::array<haigha_event, 256> events_;
    Clock::time_point heard_ = Clock::now();
    std::uint64_t line_ = 0;  // that was read last
    std::uint64_t sent_ = 0;
    std::uint64_t settled_ = 0;
    std::uint64_t nacked_ = 0;
    std::uint64_t returned_ = 0;
    std::uint64_t not_sent_ = 0;
    std::uint64_t unknown_ = 0;
    std::uint64_t told_ = 0;
    bool ended_ = false;
    bool failed_ = false;
    std::string stopped_;  // why no more was published: what was read was of no use
};

}  // namespace tool
