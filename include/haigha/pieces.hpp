// haigha::BodyWriter and haigha::consume_pieces: pieces.h for C++20. What a function does is said
// there.
#pragma once

#include <concepts>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "haigha.hpp"
#include "pieces.h"

namespace haigha {
inline namespace v0_1 {

namespace detail {

// What a writer's coroutines wait for, kept by the writer and by what hears its events.
class WriterEvents {
  public:
    enum Wanted { room, end };

    bool has(Wanted wanted) noexcept {
        const std::lock_guard lock(mutex_);
        return there(wanted);
    }
    // False: it is there by now.
    bool wait(Wanted wanted, std::coroutine_handle<> coroutine) noexcept {
        const std::lock_guard lock(mutex_);
        if (there(wanted)) return false;
        (wanted == room ? for_room_ : for_end_) = coroutine;
        return true;
    }
    Error error() noexcept {
        const std::lock_guard lock(mutex_);
        return error_;
    }
    void no_room() noexcept {
        const std::lock_guard lock(mutex_);
        room_ = false;
    }
    void tell(const haigha_event& event) noexcept {
        std::coroutine_handle<> first;
        std::coroutine_handle<> second;
        {
            const std::lock_guard lock(mutex_);
            room_ = true;
            first = std::exchange(for_room_, nullptr);
            if (event.type == HAIGHA_EVENT_REPLY) {
                ended_ = true;
                error_ = Error::copy_of(event.error);
                second = std::exchange(for_end_, nullptr);
            }
        }
        if (first) first.resume();
        if (second) second.resume();
    }

  private:
    bool there(Wanted wanted) const noexcept { return ended_ || (wanted == room && room_); }

    std::mutex mutex_;
    std::coroutine_handle<> for_room_;
    std::coroutine_handle<> for_end_;
    Error error_;
    bool room_ = true;
    bool ended_ = false;
};

}  // namespace detail

// A message whose body is written piece by piece: haigha_body_writer. A copy is another reference;
// the last one aborts it.
class BodyWriter : public detail::Handle<haigha_body_writer, &haigha_body_writer_ref,
                                         &haigha_body_writer_unref> {
  public:
    BodyWriter() noexcept = default;
    // haigha_body_writer_new.
    static Result<BodyWriter> create(const Channel& channel, const Publish& given,
                                     std::uint64_t body_size) {
        return make(channel, given, body_size, nullptr);
    }
    static Result<BodyWriter> create(const Channel& channel, const Publish& given,
                                     std::uint64_t body_size, const Properties& properties) {
        return make(channel, given, body_size, &properties);
    }

    // How many octets were taken, which may be fewer than all: haigha_body_write. WOULD_BLOCK: not
    // one; room() follows.
    Result<std::size_t> write(Body octets) const noexcept {
        std::size_t taken = 0;
        // Before: room may come while it is written.
        if (events_) events_->no_room();
        const Result<void> written = detail::checked([&](haigha_error** error) {
            return haigha_body_write(get(), octets.c(), &taken, error);
        });
        return {taken, written.error()};
    }
    // Waits until all of them are taken: haigha_body_write_wait. What is taken counts with an error
    // too.
    Result<std::size_t> write_wait(Body octets, Timeout timeout = default_timeout) const noexcept {
        std::size_t taken = 0;
        const Result<void> written = detail::checked([&](haigha_error** error) {
            return haigha_body_write_wait(
                get(), octets.c(), timeout.count() < 0 ? -1 : timeout.count(), &taken, error);
        });
        return {taken, written.error()};
    }

    // co_await gives a Result<void>, and goes on on the loop's thread. One coroutine at a time may
    // await each; the writer has to live until then.
    class [[nodiscard]] Awaiter {
      public:
        Awaiter(detail::WriterEvents& events, detail::WriterEvents::Wanted wanted) noexcept
            : events_(events), wanted_(wanted) {}
        bool await_ready() const noexcept { return events_.has(wanted_); }
        bool await_suspend(std::coroutine_handle<> coroutine) noexcept {
            return events_.wait(wanted_, coroutine);
        }
        Result<void> await_resume() const noexcept { return events_.error(); }

      private:
        detail::WriterEvents& events_;
        detail::WriterEvents::Wanted wanted_;
    };
    // After a write() that took less than it was given: the WRITABLE of haigha_body_writer_new, or
    // why there is none any more.
    Awaiter room() const noexcept { return {*events_, detail::WriterEvents::room}; }
    // Of a message that has begun: every octet was taken, or why that cannot be any more. What the
    // broker makes of the message is the channel's Published.
    Awaiter end() const noexcept { return {*events_, detail::WriterEvents::end}; }

    // Its number on a confirm channel: haigha_body_writer_sequence.
    std::uint64_t sequence() const noexcept { return haigha_body_writer_sequence(get()); }
    // No more will be written: haigha_body_writer_abort, which says what that costs.
    Result<void> abort() const noexcept {
        return detail::checked(
            [&](haigha_error** error) { return haigha_body_writer_abort(get(), error); });
    }

  private:
    struct Hear {
        std::shared_ptr<detail::WriterEvents> events;
        void operator()(const haigha_event& event) noexcept { events->tell(event); }
    };
    BodyWriter(haigha_body_writer* owned, std::shared_ptr<detail::WriterEvents> events) noexcept
        : Handle(owned), events_(std::move(events)) {}

    static Result<BodyWriter> make(const Channel& channel, const Publish& given,
                                   std::uint64_t body_size, const Properties* properties) {
        auto events = std::make_shared<detail::WriterEvents>();
        detail::Listener<Hear> listener(Hear{events});
        const haigha_then then = listener.then();
        haigha_body_writer* made = nullptr;
        const Result<void> created = detail::checked([&](haigha_error** error) {
            return listener.give([&] {
                return detail::with_args(
                    given, properties, nullptr, error, [&](const haigha_publish_args& args) {
                        return haigha_body_writer_new(channel.get(), &args, body_size, &then, &made,
                                                      error);
                    });
            });
        });
        if (!created) return created.error();
        return BodyWriter(made, std::move(events));
    }

    std::shared_ptr<detail::WriterEvents> events_;
};

// What a callable of consume_pieces() is called with: haigha_piece. Borrowed until it returns.
class Piece {
  public:
    enum class Kind : std::uint32_t {
        begin = HAIGHA_PIECE_BEGIN,
        octets = HAIGHA_PIECE_OCTETS,
        end = HAIGHA_PIECE_END,
        aborted = HAIGHA_PIECE_ABORTED,
        cancelled = HAIGHA_PIECE_CANCELLED,
    };

    explicit Piece(const haigha_piece& raw) noexcept : raw_(&raw) {}
    const haigha_piece& raw() const noexcept { return *raw_; }
    Kind kind() const noexcept { return static_cast<Kind>(raw_->kind); }
    std::uint64_t delivery_tag() const noexcept { return raw_->delivery_tag; }
    bool redelivered() const noexcept { return (raw_->flags & HAIGHA_FLAG_REDELIVERED) != 0; }
    std::uint64_t body_size() const noexcept { return raw_->body_size; }
    std::uint64_t offset() const noexcept { return raw_->offset; }
    Bytes octets() const noexcept { return detail::bytes(raw_->octets); }
    std::string_view text() const noexcept { return view(raw_->octets); }
    std::string_view consumer_tag() const noexcept { return view(raw_->consumer_tag); }
    // Of Kind::begin: all but the body.
    Message message() const noexcept { return Message::share(raw_->message); }
    // Of Kind::aborted and Kind::cancelled: why.
    Error error() const noexcept { return Error::copy_of(raw_->error); }
    // Errors: as haigha_ack and haigha_nack.
    Result<void> ack() const noexcept {
        return detail::checked([&](haigha_error** error) {
            return haigha_ack(raw_->channel, raw_->delivery_tag, 0, error);
        });
    }
    Result<void> nack(bool requeue = true) const noexcept {
        return detail::checked([&](haigha_error** error) {
            return haigha_nack(raw_->channel, raw_->delivery_tag, requeue ? HAIGHA_REQUEUE : 0,
                               error);
        });
    }

  private:
    const haigha_piece* raw_;
};

// haigha_consume_pieces: `pieces` gets each Piece, on the loop's thread; must not wait, nor throw.
template <std::invocable<const Piece&> F>
OperationOf<Consumer> auto consume_pieces(const Channel& channel, const Consume& given, F pieces) {
    haigha_consume_args args = HAIGHA_CONSUME_ARGS_INIT;
    args.queue = str(given.queue);
    args.consumer_tag = str(given.consumer_tag);
    args.no_local = detail::flag(given.no_local);
    args.no_ack = detail::flag(given.no_ack);
    args.exclusive = detail::flag(given.exclusive);
    args.pause_when_full = detail::flag(given.pause_when_full);
    args.arguments = given.arguments.get();
    const auto kept = std::make_shared<detail::Kept<F>>(std::move(pieces));
    const haigha_then then = kept->then(nullptr);
    haigha_pieces_args to = HAIGHA_PIECES_ARGS_INIT;
    to.fn = [](const haigha_piece* piece, void* callable) noexcept {
        (*static_cast<F*>(callable))(Piece(*piece));
    };
    to.user_data = then.user_data;
    to.release = then.release;
    return detail::operation<Consumer>(
        [c = channel.get(), args, to, &given, kept](const haigha_then* answer,
                                                    haigha_error** error) {
            if (!*kept) return haigha_status{HAIGHA_ERR_NO_MEMORY};
            return detail::with(given.arguments, error, [&] {
                return kept->give(
                    [&] { return haigha_consume_pieces(c, &args, &to, answer, error); });
            });
        },
        [c = channel.get(), args, to, &given, kept](std::int64_t timeout_ms, haigha_reply** reply,
                                                    haigha_error** error) {
            if (!*kept) return haigha_status{HAIGHA_ERR_NO_MEMORY};
            return detail::with(given.arguments, error, [&] {
                return kept->give_and_wait(error, [&] {
                    return haigha_consume_pieces_wait(c, &args, &to, timeout_ms, reply, error);
                });
            });
        },
        [channel](const haigha_reply* reply, const haigha_event*) {
            return Consumer(channel, std::string(view(haigha_reply_consumer_tag(reply))));
        });
}

// haigha_connection_pause_reading, and its end.
inline Result<void> pause_reading(const Connection& connection) noexcept {
    return detail::checked([&](haigha_error** error) {
        return haigha_connection_pause_reading(connection.get(), error);
    });
}
inline Result<void> resume_reading(const Connection& connection) noexcept {
    return detail::checked([&](haigha_error** error) {
        return haigha_connection_resume_reading(connection.get(), error);
    });
}

}  // namespace v0_1
}  // namespace haigha
