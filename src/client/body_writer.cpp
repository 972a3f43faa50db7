#include "client/body_writer.h"

#include <new>
#include <string>
#include <utility>

#include "transport/loop.h"

namespace haigha::client {

using transport::Loop;

BodyWriter::BodyWriter(Ref<Channel> channel, const protocol::PublishRequest& request,
                       std::uint64_t size, Then events)
    : channel_(std::move(channel)),
      head_(request),
      data_(request.data),
      size_(size),
      to_come_(size),
      events_(std::move(events)) {}

Status BodyWriter::begin() {
    Connection& connection = this->connection();
    if (connection.publishes_stopped_) return Status::closed;
    const protocol::ChannelId id{channel_->number_, channel_.get()};
    const Status status = channel_->told(connection.change([&] {
        try {
            return connection.machine_->begin_body(id, head_, size_, this, data_, &sequence_);
        } catch (const std::bad_alloc&) {
            connection.machine_->forget_publish(id, std::exchange(sequence_, 0));
            throw;
        }
    }));
    if (status != Status::ok) return status;
    add_ref();  // the machine's share, until body_done
    phase_ = Phase::writing;
    return Status::ok;
}

// waiter: where room is to be told, in place of an event.
Status BodyWriter::write(std::span<const std::byte> octets, std::size_t* taken,
                         const Ref<Waiter>& waiter) {
    Connection& connection = this->connection();
    *taken = 0;
    {
        const std::lock_guard lock(connection.mutex_);
        const bool fresh = phase_ == Phase::fresh;
        if (phase_ == Phase::ended || (!fresh && to_come_ == 0)) return Status::closed;
        if (octets.size() > to_come_) return Status::argument;
        if (fresh) {
            const Status status = begin();
            if (status == Status::would_block && waiter) {
                connection.room_waiters_.push_back(waiter);
            }
            if (status != Status::ok) return status;
        }
        Status status = Status::ok;
        if (!octets.empty()) {
            status = connection.machine_->write_body({channel_->number_, channel_.get()}, this,
                                                     octets, taken);
        }
        to_come_ -= *taken;
        if (*taken < octets.size()) waiter_ = waiter;
        (void)connection.note_work();
        if (status != Status::ok && !fresh) return status;
    }
    connection.tell_loop();
    return *taken > 0 || octets.empty() ? Status::ok : Status::would_block;
}

ErrorRef BodyWriter::write_wait(std::span<const std::byte> octets, std::int64_t timeout_ms,
                                std::size_t* taken) {
    Connection& connection = this->connection();
    *taken = 0;
    if (ErrorRef refused = connection.may_wait()) return refused;
    const Instant deadline = Loop::real_now() + connection.timeout(timeout_ms);
    const Connection::ReadOn read_on(connection);
    while (true) {
        const Ref<Waiter> waiter = Ref<Waiter>::adopt(new Waiter);
        std::size_t more = 0;
        const auto rest = octets.subspan(*taken);
        const Status status = write(rest, &more, waiter);
        *taken += more;
        if (status != Status::ok && status != Status::would_block) {
            return refusal(status, rest.size());
        }
        if (status == Status::ok && *taken == octets.size()) return nullptr;
        const Duration left = deadline - Loop::real_now();
        if (left.nanoseconds <= 0 || !waiter->wait_for(left)) {
            return make_error(Status::timeout,
                              std::to_string(*taken) + " of " + std::to_string(octets.size()) +
                                  " octets could be taken in time: the broker reads no faster, or "
                                  "holds publishes back");
        }
    }
}

ErrorRef BodyWriter::refusal(Status status, std::size_t size) const {
    {
        const std::lock_guard lock(connection().mutex_);
        if (phase_ == Phase::ended || (phase_ == Phase::writing && to_come_ == 0)) {
            if (!cause_) return make_error(Status::closed, "the body is whole, or was abandoned");
            const Ref<Error> error = edit_error(*cause_);
            error->status = Status::closed;
            error->message = "the body cannot be completed: " + cause_->message;
            return ErrorRef(error.get());
        }
        if (status == Status::argument && size > to_come_) {
            return make_error(status, "octets has " + std::to_string(size) + " octets, and " +
                                          std::to_string(to_come_) + " of the body's " +
                                          std::to_string(size_) + " are to come");
        }
    }
    if (status == Status::unsupported) {
        return make_error(status,
                          "a body in pieces cannot be published on a channel that keeps its "
                          "publishes, nor as mandatory on a confirm channel without "
                          "correlate_returns");
    }
    return channel_->refusal(status);
}

std::uint64_t BodyWriter::sequence() const {
    const std::lock_guard lock(connection().mutex_);
    return sequence_;
}

void BodyWriter::abort() {
    if (connection().forked()) return;
    Then unused;
    {
        const std::lock_guard lock(connection().mutex_);
        if (phase_ == Phase::ended) return;
        if (phase_ == Phase::fresh) {
            phase_ = Phase::ended;
            unused = std::move(events_);
            return;
        }
        if (to_come_ == 0) return;
    }
    connection().abandon_body(*this);
}

void BodyWriter::has_room() {
    Ref<Waiter> waiter;
    {
        const std::lock_guard lock(connection().mutex_);
        waiter = std::move(waiter_);
    }
    if (waiter) {
        waiter->finish(nullptr, nullptr);
        return;
    }
    Event told = connection().event_for(EventType::writable, channel_.get());
    if (!connection().is_muted(*channel_)) (void)events_.deliver(told);
}

void BodyWriter::end(const ErrorRef& error) {
    Ref<Waiter> waiter;
    {
        const std::lock_guard lock(connection().mutex_);
        phase_ = Phase::ended;
        cause_ = error;
        waiter = std::move(waiter_);
    }
    if (waiter) waiter->finish(nullptr, nullptr);
    Event told = connection().event_for(EventType::reply, channel_.get());
    told.error = error.get();
    const Then then = std::exchange(events_, Then());
    if (!connection().is_muted(*channel_)) (void)then.deliver(told);
}

}  // namespace haigha::client
