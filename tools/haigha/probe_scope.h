// What one probe of `haigha check` works with: a channel of its own, names of its own, what
// arrived, and the deletion of what it has made.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "owned_handles.h"
#include "session.h"

namespace tool {

// An event, kept.
struct Received {
    std::uint32_t type = 0;
    std::uint64_t number = 0;
    std::int32_t outcome = 0;
    std::int32_t state = 0;
    int reply_code = 0;
    std::string error;
    MessageHandle message;

    std::string_view body() const { return to_view(haigha_message_body(message.get())); }
    bool redelivered() const { return haigha_message_redelivered(message.get()) != 0; }
};

class ProbeScope {
  public:
    // `name` is the probe's; names of queues begin with `prefix`.
    ProbeScope(Session& session, std::string prefix) noexcept
        : session_(session), prefix_(std::move(prefix)) {}
    ~ProbeScope();
    ProbeScope(const ProbeScope&) = delete;
    ProbeScope& operator=(const ProbeScope&) = delete;

    Session& session() noexcept { return session_; }
    std::int64_t timeout_ms() const noexcept { return session_.timeout_ms(); }
    // The probe's channel, whose events, and those of its consumers, are kept for wait().
    haigha_channel* channel();
    // Instead of an ordinary one; before anything else was done.
    void use_confirms();
    // A further channel.
    ChannelHandle another_channel() const { return session_.open_channel(); }

    // A name that nobody else has.
    std::string fresh_name();
    // An exclusive queue; its arguments may be NULL.
    std::string queue(const haigha_table* arguments = nullptr);
    // A durable one, deleted at the end of the probe.
    std::string durable_queue(const haigha_table* arguments);
    // An exchange that is deleted at the end.
    std::string exchange(std::string_view type, const haigha_table* arguments = nullptr);
    void bind(const std::string& queue, const std::string& exchange, std::string_view key,
              const haigha_table* arguments = nullptr);

    void publish(std::string_view exchange, std::string_view key, std::string_view body,
                 const haigha_properties* properties = nullptr, bool mandatory = false);
    // HAIGHA_OUTCOME_*; on a channel with confirms.
    std::int32_t publish_confirmed(std::string_view key, std::string_view body,
                                   const haigha_properties* properties = nullptr);
    // The next message of the queue, waited for. Throws when none comes.
    MessageHandle get(const std::string& queue, bool no_ack = true);
    // Nothing if the queue is empty.
    MessageHandle get_at_once(const std::string& queue, bool no_ack = true);
    // Messages ready in it.
    std::uint32_t message_count(const std::string& queue);
    // The consumer's tag.
    std::string consume(const std::string& queue, bool no_ack = true,
                        const haigha_table* arguments = nullptr, bool exclusive = false);
    void set_prefetch(std::uint16_t count);

    // The next event of a type, HAIGHA_EVENT_*. Throws when none comes.
    Received wait(std::uint32_t type);
    // Whether none comes for a while.
    bool stays_silent(std::uint32_t type, std::int64_t time_ms = 150);

  private:
    haigha_channel* open(bool confirm);
    bool take(std::uint32_t type, std::int64_t time_ms, Received& received);

    Session& session_;
    std::string prefix_;
    int names_ = 0;
    InboxHandle inbox_;
    ChannelHandle channel_;
    std::deque<Received> received_;
    std::vector<std::string> queues_;
    std::vector<std::string> exchanges_;
};

// Throws with the sentence unless `fact` holds.
void expect(bool fact, const std::string& sentence);

// A table with one string, number or nothing, for arguments.
TableHandle make_table();
TableHandle make_table(std::string_view name, std::string_view value);
TableHandle make_table(std::string_view name, std::int64_t value);
void add(const TableHandle& table, std::string_view name, std::string_view value);
void add(const TableHandle& table, std::string_view name, std::int64_t value);

}  // namespace tool
