// The part of Connection that runs on the loop's thread: connecting, reading, writing, timers, the
// end.
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <deque>
#include <string>
#include <utility>

#include "base/insist.h"
#include "client/connection.h"

namespace haigha::client {

namespace {

using protocol::ConnectionState;
using transport::Loop;

// How much is handed to the system in one call, and how much before the loop's other work.
constexpr std::size_t bytes_per_write = 1024 * 1024;
constexpr std::size_t pieces_per_write = 256;  // a lent message of 16 KiB is two or three
constexpr int writes_per_turn = 8;
constexpr int reads_per_turn = 4;
// What the outbox holds before a large message's next frame is added behind it.
constexpr std::size_t pump_limit = 256 * 1024;
// Of a peer that broke the protocol.
constexpr std::size_t last_frames_logged = 16;

}  // namespace

// ---- reading

void Connection::on_ready(bool readable, bool writable) {
    const Ref<Connection> self(this);
    guarded([&] {
        if (stream_ == nullptr) return;
        if (securing_) {
            secure();
            return;
        }
        if (readable && !paused_) read();
        if (writable && stream_ != nullptr) {
            socket_full_ = false;
            write();
        }
        if (stop_) advance_stop();
    });
}

void Connection::read() {
    for (int i = 0; i < reads_per_turn && stream_ != nullptr && !paused_; ++i) {
        const transport::Stream::Result result = stream_->read(input_.room());
        if (result.error == EAGAIN) break;
        if (result.eof) {
            io_failed("the broker closed the transport connection", 0);
            return;
        }
        if (result.error != 0) {
            io_failed("reading from the broker failed", result.error);
            return;
        }
        reads_.fetch_add(1, std::memory_order_relaxed);
        bytes_received_.fetch_add(result.size, std::memory_order_relaxed);
        const bool filled = input_.add(result.size);
        process();
        if (!filled && !stream_more()) break;
    }
    if (!paused_ && stream_more()) {
        // The descriptor will not tell of what is inside the stream.
        loop_->transport().post([self = Ref<Connection>(this)] { self->on_ready(true, false); });
    }
    input_.rest();
}

void Connection::process() {
    while (!input_.unparsed().empty() && !paused_) {
        const std::span<const std::byte> in = input_.unparsed();
        std::size_t taken = 0;
        std::size_t wanted = 0;
        bool output = false;
        bool broke_protocol = false;
        protocol::ReturnedBodies returned;
        {
            const std::lock_guard lock(mutex_);
            if (condemned_) throw std::bad_alloc();
            taken = machine_->feed(in, loop_time(), machine_events_);
            returned = machine_->take_returned();
            note_ends();
            broke_protocol = last_error_ && last_error_->status == Status::protocol;
            wanted = machine_->wanted();
            output = !flush_scheduled_ && machine_->has_output();
            if (output) flush_scheduled_ = true;
        }
        if (output) tell_loop();
        if (traces()) (void)tracer_.received(in.first(taken));
        if (broke_protocol) log_last_frames();
        input_.take(taken, wanted);
        if (!machine_events_.empty()) dispatch();
        if (taken == 0 || stream_ == nullptr) return;
    }
}

// What led to a violation: the frames that are still in the memory that was read into, the last of
// them with what is wrong in it. Costs nothing before.
void Connection::log_last_frames() {
    if (!loop_->logs(LogLevel::error)) return;
    std::deque<std::string> lines;
    FrameTracer tracer([&](std::string_view line) {
        lines.emplace_back(line);
        if (lines.size() > last_frames_logged) lines.pop_front();
    });
    const wire::Bytes all = input_.seen();
    const std::size_t shown = tracer.received(all);
    std::string rest = "<- " + std::to_string(all.size() - shown) + " bytes that are no frame:";
    for (const std::byte octet :
         all.subspan(shown, std::min<std::size_t>(all.size() - shown, 32))) {
        constexpr std::string_view digits = "0123456789abcdef";
        rest += ' ';
        rest += digits[std::to_integer<std::size_t>(octet >> 4)];
        rest += digits[std::to_integer<std::size_t>(octet & std::byte{15})];
    }
    for (const std::string& line : lines)
        loop_->log(LogLevel::error, id_, "last frames", line);
    if (shown < all.size()) loop_->log(LogLevel::error, id_, "last frames", rest);
}

void Connection::resume_reading() {
    if (!paused_ || held_ || stream_ == nullptr) return;
    paused_ = false;
    {
        const std::lock_guard lock(mutex_);
        machine_->set_reading(true, loop_time());
    }
    guarded([&] {
        process();
        if (stream_ == nullptr || paused_) return;
        watch();
        read();
    });
}

// ---- writing

void Connection::watch() {
    if (stream_ != nullptr) stream_->watch(!paused_ && !ended_, socket_full_);
}

bool Connection::flush() {
    const Ref<Connection> self(this);
    called_back_ = false;
    guarded([this] { flush_now(); });
    return called_back_;
}

void Connection::flush_now() {
    if (timer_ == nullptr) {
        // Nothing runs (yet, or any more).
        const std::lock_guard lock(mutex_);
        flush_scheduled_ = false;
        return;
    }
    State state_now = state();
    if (state_now == State::opening || state_now == State::recovering) {
        bool close = false;
        {
            const std::lock_guard lock(mutex_);
            close = !closings_.empty();
        }
        if (close) {
            fail(state_now == State::recovering
                     ? ErrorRef()
                     : failure(Status::closed, "the connection was closed while it was opening"));
            return;
        }
    }
    write();
    finish_flushes();  // also those that found everything gone already
    if (stop_) advance_stop();
    arm_timer();
}

void Connection::write() {
    if (stream_ == nullptr) return;
    if (stream_->unsent()) {
        const transport::Stream::Result result = stream_->write({});
        if (result.error != 0 && result.error != EAGAIN) {
            write_failed(result.error);
            return;
        }
        if (stream_->unsent()) {
            socket_full_ = true;
            watch();
            return;
        }
    }
    std::array<protocol::Outbox::Segment, pieces_per_write> segments;
    std::array<iovec, pieces_per_write> pieces;
    for (int i = 0; i < writes_per_turn; ++i) {
        std::size_t count = 0;
        {
            const std::lock_guard lock(mutex_);
            if (condemned_) throw std::bad_alloc();
            machine_->pump(pump_limit);
            count = machine_->outbox().gather(segments, bytes_per_write);
            if (count == 0) flush_scheduled_ = false;
        }
        if (count == 0) {
            tracer_.sent_all();
            break;
        }
        std::size_t size = 0;
        for (std::size_t piece = 0; piece < count; ++piece) {
            pieces[piece] = {const_cast<std::byte*>(segments[piece].data), segments[piece].size};
            size += segments[piece].size;
        }
        const transport::Stream::Result result = stream_->write(std::span(pieces).first(count));
        writes_.fetch_add(1, std::memory_order_relaxed);
        if (result.error != 0 && result.error != EAGAIN) {
            write_failed(result.error);
            return;
        }
        if (traces()) {
            tracer_.sent(std::span(pieces).first(count), result.size);
        } else {
            tracer_.sent_unseen();
        }
        bool flushed = false;
        protocol::ReturnedBodies returned;
        {
            const std::lock_guard lock(mutex_);
            if (result.size > 0) machine_->sent(result.size, loop_time(), machine_events_);
            returned = machine_->take_returned();
            flushed = !flushes_.empty();
        }
        called_back_ |= !returned.empty();
        if (flushed) finish_flushes();
        if (!machine_events_.empty()) dispatch();
        if (stream_ == nullptr) return;
        if (result.size < size || stream_->unsent()) {
            // flush_scheduled_ stays: nobody need tell the loop before the socket does.
            socket_full_ = true;
            watch();
            return;
        }
    }
    watch();
    bool more = false;
    {
        const std::lock_guard lock(mutex_);
        more = flush_scheduled_;
    }
    if (more) tell_loop();
    if (ended_ && !more) tear_down();
}

void Connection::write_failed(int error) {
    // What the broker said last explains more than the reset does (rule 149).
    if (!ended_) read();
    if (stream_ != nullptr && !ended_) {
        io_failed("writing to the broker failed", error);
    } else {
        tear_down();
    }
}

void Connection::finish_flushes() {
    std::vector<Flush> done;
    {
        const std::lock_guard lock(mutex_);
        insist([&] { done.reserve(flushes_.size()); });
        for (Flush& flush : flushes_) {
            if (flush.after_drained && machine_->drained()) {
                flush.after_drained = false;
                flush.mark = machine_->outbox().mark();
            }
        }
        const auto first_done =
            std::stable_partition(flushes_.begin(), flushes_.end(), [&](const Flush& flush) {
                return flush.after_drained || !machine_->outbox().has_left(flush.mark);
            });
        done.insert(done.end(), std::make_move_iterator(first_done),
                    std::make_move_iterator(flushes_.end()));
        flushes_.erase(first_done, flushes_.end());
    }
    for (Flush& flush : done) {
        Event event = event_for(EventType::reply, nullptr);
        flush.completion.complete(event, nullptr, nullptr, muted_);
        called_back_ = true;
    }
}

// ---- time

void Connection::arm_timer() {
    if (timer_ == nullptr) return;
    Instant due;
    {
        const std::lock_guard lock(mutex_);
        due = timer_due_;
    }
    if (due < timer_->at()) timer_->set(due);
}

void Connection::on_timer() {
    const Ref<Connection> self(this);
    guarded([this] { on_time(); });
}

void Connection::on_time() {
    if (ended_) {
        tear_down();
        return;
    }
    const Instant now = loop_time();
    std::vector<Flush> late;
    bool close_late = false;
    bool output = false;
    Instant open_deadline;
    bool unanswered = false;
    bool renew = false;
    protocol::ReturnedBodies returned;
    {
        const std::lock_guard lock(mutex_);
        machine_->expire(now, machine_events_);
        returned = machine_->take_returned();
        note_ends();
        for (const Closing& closing : closings_)
            close_late |= closing.deadline <= now;
        insist([&] { late.reserve(flushes_.size()); });
        const auto first_late =
            std::stable_partition(flushes_.begin(), flushes_.end(),
                                  [&](const Flush& flush) { return flush.deadline > now; });
        late.insert(late.end(), std::make_move_iterator(first_late),
                    std::make_move_iterator(flushes_.end()));
        flushes_.erase(first_late, flushes_.end());
        const bool opening = state() == State::opening || state() == State::recovering;
        open_deadline = opening ? open_deadline_ : Instant::never();
        unanswered = question_open_;
        renew = renew_at_ <= now && state() == State::open;
        if (renew) renew_at_ = Instant::never();
        timer_due_ = std::min(machine_->deadline(), open_deadline);
        // Until then the opening has it set.
        if (state() == State::open) timer_due_ = std::min(timer_due_, renew_at_);
        if (stream_ == nullptr) timer_due_ = std::min(timer_due_, endpoint_deadline_);
        timer_due_ = std::min(timer_due_, attempt_at_);
        for (const Closing& closing : closings_) {
            timer_due_ = std::min(timer_due_, closing.deadline);
        }
        for (const Flush& flush : flushes_)
            timer_due_ = std::min(timer_due_, flush.deadline);
        if (stop_ && stop_->deadline > now) timer_due_ = std::min(timer_due_, stop_->deadline);
        output = machine_->has_output();
    }
    for (Flush& flush : late) {
        Event event = event_for(EventType::reply, nullptr);
        flush.completion.complete(
            event, failure(Status::timeout, "not everything was written in time"), nullptr, muted_);
    }
    if (!machine_events_.empty()) dispatch();
    if (ended_) return;
    if (endpoint_deadline_ <= now && stream_ == nullptr) {
        const Stage stage = connector_->stage();
        std::string message = "connecting to " + endpoint().display() + " took too long";
        if (!connector_->failures().empty()) message += " (" + connector_->failures() + ")";
        if (connect_to_next(failure(Status::timeout, std::move(message), stage))) {
            const std::lock_guard lock(mutex_);
            timer_->set(timer_due_);
        }
        return;
    }
    if (renew) ask(AuthQuestion::renewal, mechanism(), {});
    if (open_deadline <= now) {
        const Stage stage = connector_ != nullptr && stream_ == nullptr ? connector_->stage()
                            : securing_                                 ? Stage::tls
                                                                        : Stage::none;
        std::string message = "opening the connection took longer than its deadline";
        if (stage == Stage::resolve) {
            message += ": the host's name was not resolved";
        } else if (stage == Stage::connect) {
            message += ": no address answered";
            if (!connector_->failures().empty()) message += " (" + connector_->failures() + ")";
        } else {
            message += securing_    ? ": the TLS handshake was not completed"
                       : unanswered ? ": the auth event was not answered"
                                    : ": the broker did not complete the handshake";
        }
        fail(failure(Status::timeout, std::move(message), stage));
        return;
    }
    if (close_late) {
        hard_close_ = failure(Status::timeout,
                              "the broker did not answer connection.close in time: the "
                              "connection was closed hard",
                              Stage::ready);
        fail(nullptr);
        return;
    }
    if (output) write();
    if (attempt_at_ <= now) start_attempt();
    if (stop_) advance_stop();
    if (timer_ != nullptr) timer_->set(timer_due_);
}

// ---- the end

void Connection::io_failed(const char* doing, int error) {
    Ref<Error> failed;
    if (const ErrorRef cause = stream_ != nullptr ? stream_->failure() : nullptr) {
        failed = edit_error(*cause);
    } else {
        std::string message = doing;
        if (error != 0) {
            message += std::string(": ") + std::strerror(error) + " (" + uv_err_name(-error) + ")";
        }
        bool greeted = true;
        if (tls()) {
            const std::lock_guard lock(mutex_);
            greeted = machine_->state() != ConnectionState::await_start;
        }
        if (!greeted) {
            // With TLS 1.3 its refusal comes when the handshake is over, and a reset may take it
            // away.
            message +=
                "; it came right after the TLS handshake, so the broker probably wants another "
                "client certificate, or one at all";
        }
        const Stage stage = securing_ ? Stage::tls : Stage::none;
        failed = edit_error(*make_error(Status::io, std::move(message), stage));
        failed->os_errno = error;
    }
    // What was asked for has happened, if not with the last courtesy.
    const bool closing = [&] {
        const std::lock_guard lock(mutex_);
        return machine_->state() == ConnectionState::closing;
    }();
    fail(closing ? ErrorRef() : ErrorRef(failed.get()));
}

void Connection::fail(const ErrorRef& error) {
    if (ended_) {
        tear_down();
        return;
    }
    protocol::ReturnedBodies returned;
    {
        const std::lock_guard lock(mutex_);
        machine_->transport_failed(error, machine_events_);
        returned = machine_->take_returned();
        note_ends();
    }
    dispatch();
    tear_down();
}

void Connection::end_abortively() {
    const Ref<Connection> self(this);
    muted_.store(true, std::memory_order_release);
    if (ended_) {
        tear_down();
        return;
    }
    const State before = state();
    if (before == State::fresh || before == State::closed) return;
    fail(failure(Status::closed, "the connection was dropped"));
}

void Connection::drop_transport() {
    pausers_.clear();
    connector_.reset();
    stream_.reset();
    input_.clear();
    full_inboxes_.clear();
    paused_ = held_ = socket_full_ = securing_ = false;
    endpoint_deadline_ = Instant::never();
    tracer_.sent_unseen();
    tracer_.sent_all();
}

void Connection::tear_down() {
    if (torn_down_) return;
    if (state() == State::recovering) {
        next_incarnation();
        return;
    }
    torn_down_ = true;
    drop_transport();
    timer_.reset();
    loop_->remove(this);
    // The share that open() took; whoever called us holds another.
    if (!loop_->transport().post([this] { release(); })) release();
}

}  // namespace haigha::client
