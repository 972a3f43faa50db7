// A message that is published piece by piece, by whoever makes its body.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/counted.h"
#include "base/error.h"
#include "base/ref.h"
#include "client/channel.h"
#include "client/completion.h"
#include "client/handle_count.h"
#include "client/then.h"
#include "protocol/publish_head.h"

namespace haigha::client {

// Nothing is said to the broker before the first piece: with it the message takes its place among
// what its channel does, and whatever the channel is asked for then waits until the last piece.
class BodyWriter final : public Counted<BodyWriter> {
  public:
    // `request`: everything but the body; `events`: WRITABLE, and the REPLY with which it ends.
    BodyWriter(Ref<Channel> channel, const protocol::PublishRequest& request, std::uint64_t size,
               Then events);

    Channel& channel() const { return *channel_; }
    Connection& connection() const { return channel_->connection(); }
    HandleCount& handles() { return handles_; }
    void disarm_events() { events_.disarm(); }

    // Takes what there is room for. would_block: nothing, and WRITABLE follows.
    Status write(std::span<const std::byte> octets, std::size_t* taken) {
        return write(octets, taken, nullptr);
    }
    ErrorRef write_wait(std::span<const std::byte> octets, std::int64_t timeout_ms,
                        std::size_t* taken);
    // Why write() has refused it.
    ErrorRef refusal(Status status, std::size_t size) const;
    // 0 until the first piece was taken, and without confirms.
    std::uint64_t sequence() const;
    // No more will come: the connection ends when the message has begun and is not whole.
    void abort();
    // The user has dropped the last handle.
    void abandon() { abort(); }

    // ---- of the loop's thread
    void has_room();
    void end(const ErrorRef& error);

  private:
    friend class Counted<BodyWriter>;
    enum class Phase : std::uint8_t { fresh, writing, ended };
    ~BodyWriter() = default;

    Status write(std::span<const std::byte> octets, std::size_t* taken, const Ref<Waiter>& waiter);
    Status begin();  // with the mutex held

    const Ref<Channel> channel_;
    const protocol::PreparedHead head_;
    void* const data_;
    const std::uint64_t size_;
    HandleCount handles_;
    // ---- guarded by the connection's mutex
    Phase phase_ = Phase::fresh;
    std::uint64_t to_come_;
    std::uint64_t sequence_ = 0;
    ErrorRef cause_;  // of its end
    Ref<Waiter> waiter_;
    // ---- of the loop's thread once it has begun
    Then events_;
};

}  // namespace haigha::client
