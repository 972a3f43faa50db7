// Each allocation that the library makes fails in turn, on the one thread that has its loop too:
// nothing may crash, hang or be left over, and NO_MEMORY is the answer.
#include <gtest/gtest.h>
#include <haigha/haigha.h>
#include <haigha/pieces.h>
#include <haigha/pool.h>
#include <haigha/retry.h>
#include <haigha/workers.h>
#include <uv.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "stub_broker/stub_broker.h"
#include "support/api_handles.h"
#include "support/failing_allocator.h"

namespace haigha::test {
namespace {

using Spared = AllocationFaults::Spared;

// What one operation, or one registration for events, has been told.
struct Note {
    const char* what = "";
    bool once = false;   // an operation
    bool taken = false;  // and not refused
    int replies = 0;
    int releases = 0;
    haigha_status status = HAIGHA_OK;  // of the reply
};

// A connection from its beginning to its end, with one allocation failing.
class Cycle {
  public:
    explicit Cycle(std::string uri) : uri_(std::move(uri)) {}

    // False when nothing was struck: there are fewer allocations.
    bool run(std::uint64_t nth) {
        SCOPED_TRACE("allocation " + std::to_string(nth));
        queue_ = "jobs-" + std::to_string(publish_policy) + "-" + std::to_string(nth);
        EXPECT_EQ(0, uv_loop_init(&uv_));
        uv_timer_init(&uv_, &watchdog_);
        uv_timer_start(
            &watchdog_, [](uv_timer_t*) {}, 50, 50);
        uv_unref(reinterpret_cast<uv_handle_t*>(&watchdog_));
        nth_ = nth;
        if (!strikes_late) AllocationFaults::arm(nth);
        live();
        AllocationFaults::disarm();
        const bool struck = AllocationFaults::struck();
        end();
        check();
        uv_close(reinterpret_cast<uv_handle_t*>(&watchdog_), nullptr);
        uv_run(&uv_, UV_RUN_DEFAULT);
        EXPECT_EQ(0, uv_loop_close(&uv_)) << "something is left in the loop";
        return struck;
    }

    // Between opening and closing.
    std::function<void(Cycle&)> middle;
    // The first allocation is that behind strike(), which `middle` calls: the connection is lost
    // then, and that it says so is no failure.
    bool strikes_late = false;
    std::uint8_t publish_policy = HAIGHA_PUBLISH_FAIL;
    std::uint8_t pool_mode = HAIGHA_POOL_CONFIRM;
    void strike() { AllocationFaults::arm(nth_); }
    // The channel's.
    int opened = 0;
    int delivered = 0;
    int confirmed = 0;
    int recovered = 0;

    haigha_then note(const char* what, bool once) {
        const Spared spared;
        notes_.push_back(std::make_unique<Note>());
        notes_.back()->what = what;
        notes_.back()->once = once;
        bound_.push_back(std::make_unique<Bound>(Bound{this, notes_.back().get()}));
        return {&on_event, bound_.back().get(), &on_release, nullptr, 0};
    }
    bool took(haigha_status status) {
        const Spared spared;
        Note& last = *notes_.back();
        last.taken = status == HAIGHA_OK;
        seen(status, last.what);
        return last.taken;
    }
    bool did(haigha_status status, const char* what) {
        const Spared spared;
        seen(status, what);
        return status == HAIGHA_OK;
    }
    // Runs the loop until it is so, or the connection has ended. False when it takes too long.
    template <class Done>
    bool drive(Done done, const char* what) {
        const std::uint64_t end = uv_hrtime() + 10'000'000'000;
        while (!done() && !over()) {
            uv_ref(reinterpret_cast<uv_handle_t*>(&watchdog_));
            uv_run(&uv_, UV_RUN_ONCE);
            uv_unref(reinterpret_cast<uv_handle_t*>(&watchdog_));
            if (uv_hrtime() > end) {
                const Spared spared;
                ADD_FAILURE() << "waited for " << what;
                return false;
            }
        }
        return true;
    }
    bool was_short() const { return no_memory_; }
    bool over() const { return closed_; }
    bool replied(const char* what) const {
        return std::any_of(notes_.begin(), notes_.end(), [&](const auto& note) {
            return std::string_view(note->what) == what && note->replies != 0;
        });
    }

  private:
    struct Bound {
        Cycle* cycle;
        Note* note;
    };

    static void on_event(const haigha_event* event, void* user_data) {
        const Spared spared;
        auto* const bound = static_cast<Bound*>(user_data);
        bound->cycle->hear(*event, *bound->note);
    }
    // On a thread of the workers'.
    static std::int32_t on_work(const haigha_event* event, void* user_data) {
        auto* const bound = static_cast<Bound*>(user_data);
        if (event->type == HAIGHA_EVENT_DELIVERY) ++bound->cycle->handled_;
        return HAIGHA_WORK_ACK;
    }
    static void on_release(void* user_data) {
        const Spared spared;
        Note& note = *static_cast<Bound*>(user_data)->note;
        EXPECT_EQ(1, ++note.releases) << note.what;
    }
    static void on_piece(const haigha_piece* piece, void* user_data) {
        const Spared spared;
        auto* const bound = static_cast<Bound*>(user_data);
        EXPECT_EQ(bound->note->releases, 0) << "a piece after its release hook";
        if (piece->kind == HAIGHA_PIECE_END) ++bound->cycle->delivered;
        if (piece->error != nullptr) {
            bound->cycle->seen(haigha_error_status(piece->error), bound->note->what);
        }
    }
    void hear(const haigha_event& event, Note& note) {
        EXPECT_EQ(note.releases, 0) << note.what << ": an event after its release hook";
        if (event.error != nullptr) seen(haigha_error_status(event.error), note.what);
        switch (event.type) {
            case HAIGHA_EVENT_REPLY:
                EXPECT_EQ(1, ++note.replies) << note.what;
                note.status = haigha_error_status(event.error);
                return;
            case HAIGHA_EVENT_CONNECTION_STATE:
                if (event.state == HAIGHA_STATE_OPEN) ++opened;
                if (event.state == HAIGHA_STATE_CLOSED) closed_ = true;
                return;
            case HAIGHA_EVENT_RECOVERY:
                if (event.state == HAIGHA_RECOVERY_RECOVERED) ++recovered;
                return;
            case HAIGHA_EVENT_DELIVERY:
                ++delivered;
                if (message_ == nullptr) message_ = haigha_message_ref(event.message);
                return;
            case HAIGHA_EVENT_WRITABLE:
                ++writable_;
                return;
            case HAIGHA_EVENT_OUTCOME:
                ++outcomes_;
                if (event.outcome == HAIGHA_OUTCOME_CONFIRMED) ++confirmed;
                return;
            default:
                return;
        }
    }
    void seen(haigha_status status, const char* what) {
        if (status == HAIGHA_ERR_NO_MEMORY) no_memory_ = true;
        if (status != HAIGHA_OK && !strikes_late && !no_memory_ && !close_taken_ &&
            unexplained_.empty()) {
            unexplained_ = std::string(what) + ": " + haigha_status_name(status);
        }
    }

    void live() {
        if (!did(haigha_loop_attach(&uv_, &loop_, nullptr), "attach")) return;
        haigha_options* options = nullptr;
        if (did(haigha_options_new(&options, nullptr), "options")) {
            const bool set = did(haigha_options_set_uri(options, str(uri_), nullptr), "uri");
            haigha_then events = note("connection's events", false);
            if (set) {
                took(haigha_connection_new(loop_, options, &events, &connection_, nullptr));
            } else {
                notes_.pop_back();
            }
        }
        haigha_options_free(options);
        if (connection_ == nullptr) return;
        const haigha_then opening = note("open", true);
        if (!took(haigha_connection_open(connection_, &opening, nullptr))) return;
        drive([&] { return opened != 0; }, "the connection to be open");
        if (opened == 0) return;
        middle(*this);
        if (closed_) {
            const Spared spared;
            EXPECT_TRUE(no_memory_) << "it has ended for another reason";
        }
        close_connection();
    }

  public:
    bool open_channel() {
        haigha_channel_args args = HAIGHA_CHANNEL_ARGS_INIT;
        args.confirm = 1;
        args.publish_policy = publish_policy;
        args.events = note("channel's events", false);
        Note& events = *notes_.back();
        const haigha_then then = note("channel open", true);
        const haigha_status status =
            haigha_channel_open(connection_, &args, &then, &channel_, nullptr);
        events.taken = status == HAIGHA_OK;
        return took(status);
    }
    bool declare() {
        haigha_queue_declare_args args = HAIGHA_QUEUE_DECLARE_ARGS_INIT;
        args.queue = str(queue_);
        const haigha_then then = note("declare", true);
        return took(haigha_queue_declare(channel_, &args, &then, nullptr));
    }
    bool bind() {
        haigha_queue_bind_args args = HAIGHA_QUEUE_BIND_ARGS_INIT;
        args.queue = str(queue_);
        args.exchange = str("amq.topic");
        args.routing_key = str("news.#");
        const haigha_then then = note("bind", true);
        return took(haigha_queue_bind(channel_, &args, &then, nullptr));
    }
    bool consume() {
        haigha_consume_args args = HAIGHA_CONSUME_ARGS_INIT;
        args.queue = str(queue_);
        args.deliveries = note("deliveries", false);
        Note& deliveries = *notes_.back();
        const haigha_then then = note("consume", true);
        const haigha_status status = haigha_consume(channel_, &args, &then, nullptr);
        deliveries.taken = status == HAIGHA_OK;
        return took(status);
    }
    void publish(std::size_t size) {
        const std::string* body = nullptr;
        {
            const Spared spared;
            bodies_.push_back(std::make_unique<std::string>(size, 'x'));
            body = bodies_.back().get();
        }
        haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
        args.routing_key = str(queue_);
        args.mandatory = 1;
        if (did(haigha_publish(channel_, &args, str(*body), nullptr, nullptr), "publish")) {
            ++published_;
        }
    }
    void publish_lent(std::size_t size) {
        const std::string* body = nullptr;
        haigha_then then = note("a lent body", false);
        Note& lent = *notes_.back();
        {
            const Spared spared;
            bodies_.push_back(std::make_unique<std::string>(size, 'y'));
            body = bodies_.back().get();
        }
        haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
        args.routing_key = str(queue_);
        const haigha_status status = haigha_publish_lent(channel_, &args, str(*body), then.release,
                                                         then.user_data, nullptr, nullptr);
        lent.taken = status == HAIGHA_OK;
        if (did(status, "publish lent")) ++published_;
    }
    bool consume_pieces() {
        haigha_consume_args args = HAIGHA_CONSUME_ARGS_INIT;
        args.queue = str(queue_);
        const haigha_then bound = note("pieces", false);
        haigha_pieces_args pieces = HAIGHA_PIECES_ARGS_INIT;
        pieces.fn = &on_piece;
        pieces.user_data = bound.user_data;
        pieces.release = bound.release;
        Note& taker = *notes_.back();
        const haigha_then then = note("consume pieces", true);
        const haigha_status status =
            haigha_consume_pieces(channel_, &args, &pieces, &then, nullptr);
        taker.taken = status == HAIGHA_OK;
        return took(status);
    }
    // Once it has begun it is a publish, and its writer is told of its end.
    void write_body(std::size_t size) {
        const haigha_then events = note("a body", false);
        Note& told = *notes_.back();
        haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
        args.routing_key = str(queue_);
        haigha_body_writer* writer = nullptr;
        if (!took(haigha_body_writer_new(channel_, &args, size, &events, &writer, nullptr))) {
            return;
        }
        std::string piece;
        {
            const Spared spared;
            piece.assign(50'000, 'z');
        }
        for (std::size_t written = 0; written < size;) {
            const haigha_str next{piece.data(), std::min(piece.size(), size - written)};
            const int before = writable_;
            std::size_t taken = 0;
            const haigha_status status = haigha_body_write(writer, next, &taken, nullptr);
            written += taken;
            if (status == HAIGHA_ERR_WOULD_BLOCK) {
                if (!drive([&] { return writable_ != before; }, "room") || over()) break;
            } else if (!did(status, "write a piece")) {
                break;
            }
        }
        if (haigha_body_writer_sequence(writer) != 0) {
            told.once = true;
            ++published_;
        }
        haigha_body_writer_unref(writer);
    }
    // Whatever becomes of the pool, each message that it has taken has one outcome.
    bool open_pool() {
        haigha_pool_args args = HAIGHA_POOL_ARGS_INIT;
        args.mode = pool_mode;
        args.max_channels = 2;
        args.max_in_flight = 2;
        args.events = note("pool's events", false);
        return took(haigha_pool_new(connection_, &args, &pool_, nullptr));
    }
    void publish_by_pool(std::size_t size) {
        std::string body;
        {
            const Spared spared;
            body.assign(size, 'x');
        }
        haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
        args.routing_key = str(queue_);
        if (did(haigha_pool_publish(pool_, &args, str(body), nullptr, nullptr),
                "publish by the pool")) {
            ++published_;
        }
    }
    bool close_pool() {
        const haigha_then then = note("pool close", true);
        return took(haigha_pool_close(pool_, &then, nullptr));
    }
    // A ladder whose one step leads straight back, and a delivery that is given to it.
    bool open_retry() {
        const std::uint64_t delay = 1;
        haigha_retry_args args = HAIGHA_RETRY_ARGS_INIT;
        args.queue = str(queue_);
        args.delays_ms = &delay;
        args.delay_count = 1;
        return did(haigha_retry_new(connection_, &args, &retry_, nullptr), "retry");
    }
    bool declare_step() {
        std::string name;
        {
            const Spared spared;
            name = queue_ + ".retry.1ms";
        }
        haigha_exchange_declare_args exchange = HAIGHA_EXCHANGE_DECLARE_ARGS_INIT;
        exchange.exchange = str(name);
        exchange.type = str("fanout");
        const haigha_then declaring = note("declare step", true);
        if (!took(haigha_exchange_declare(channel_, &exchange, &declaring, nullptr))) return false;
        haigha_queue_bind_args bind = HAIGHA_QUEUE_BIND_ARGS_INIT;
        bind.queue = str(queue_);
        bind.exchange = str(name);
        const haigha_then binding = note("bind step", true);
        return took(haigha_queue_bind(channel_, &bind, &binding, nullptr));
    }
    bool retry_delivery() {
        const haigha_then then = note("retried", true);
        return took(haigha_retry_message(retry_, channel_, message_, str("why"), &then, nullptr));
    }
    // A queue that is no stream will do: it is read, declared, and a place is kept, all the same.
    bool open_reader() {
        haigha_stream_reader_args args = HAIGHA_STREAM_READER_ARGS_INIT;
        args.stream = str(queue_);
        args.name = str("r");
        return did(haigha_stream_reader_new(channel_, &args, &reader_, nullptr), "reader");
    }
    bool read_stream() {
        const haigha_then deliveries = note("deliveries", false);
        Note& given = *notes_.back();
        haigha_consume_args args = HAIGHA_CONSUME_ARGS_INIT;
        args.deliveries = deliveries;
        const haigha_then then = note("read", true);
        const haigha_status status = haigha_stream_reader_consume(reader_, &args, &then, nullptr);
        given.taken = status == HAIGHA_OK;
        return took(status);
    }
    // A message as it would come from a stream.
    void publish_numbered(std::int64_t offset) {
        TableHandle headers;
        {
            const Spared spared;
            haigha_field field{};
            field.name = str("x-stream-offset");
            field.type = HAIGHA_FIELD_INT64;
            field.integer = offset;
            EXPECT_EQ(HAIGHA_OK, haigha_table_new(out(headers), nullptr));
            EXPECT_EQ(HAIGHA_OK, haigha_table_add(headers.get(), &field, nullptr));
        }
        haigha_properties properties = HAIGHA_PROPERTIES_INIT;
        properties.present = HAIGHA_PROPERTY_HEADERS;
        properties.headers = headers.get();
        haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
        args.routing_key = str(queue_);
        args.properties = &properties;
        if (did(haigha_publish(channel_, &args, str("x"), nullptr, nullptr), "publish")) {
            ++published_;
        }
    }
    bool save_place() {
        const haigha_then then = note("save", true);
        return took(haigha_stream_reader_save(reader_, &then, nullptr));
    }
    bool handle_message() {
        return did(haigha_stream_reader_handled(reader_, message_, nullptr), "handled");
    }
    // Whatever becomes of the workers, their threads end and the handler is released.
    bool open_workers() {
        haigha_workers_args args = HAIGHA_WORKERS_ARGS_INIT;
        args.threads = 2;
        args.max_queued = 2;
        return did(haigha_workers_new(loop_, &args, &workers_, nullptr), "workers");
    }
    bool work() {
        const haigha_then handler = note("handler", false);
        Note& handled = *notes_.back();
        haigha_work_args args = HAIGHA_WORK_ARGS_INIT;
        args.queue = str(queue_);
        args.handle = &on_work;
        args.user_data = handler.user_data;
        args.release = handler.release;
        const haigha_then then = note("work", true);
        const haigha_status status =
            haigha_workers_consume(workers_, channel_, &args, &then, nullptr);
        handled.taken = status == HAIGHA_OK;
        return took(status);
    }
    bool close_workers(const char* what) {
        const haigha_then then = note(what, true);
        return took(haigha_workers_close(workers_, &then, nullptr));
    }
    int handled() const { return handled_; }
    int published() const { return published_; }
    int outcomes() const { return outcomes_; }
    void ack() { did(haigha_ack(channel_, 0, HAIGHA_MULTIPLE, nullptr), "ack"); }
    bool flush() {
        const haigha_then then = note("flush", true);
        return took(haigha_connection_flush(connection_, &then, nullptr));
    }

  private:
    void close_connection() {
        if (connection_ == nullptr || close_taken_) return;
        const haigha_then then = note("close", true);
        close_taken_ = took(haigha_connection_close(connection_, &then, nullptr));
        closed_ = false;  // that it has ended already is no answer yet
        if (close_taken_) drive([&] { return replied("close"); }, "the connection to be closed");
    }
    // Whatever state it is in, and with all the memory there is.
    void end() {
        if (opened != 0 || closed_) close_connection();
        haigha_retry_unref(retry_);
        haigha_stream_reader_unref(reader_);
        haigha_pool_unref(pool_);
        if (workers_ != nullptr) {
            closed_ = false;
            if (close_workers("workers end")) {
                drive([&] { return replied("workers end"); }, "the workers to end");
            }
            haigha_workers_unref(workers_);
        }
        haigha_channel_unref(channel_);
        haigha_connection_unref(connection_);
        if (loop_ != nullptr) {
            closed_ = false;
            const haigha_then then = note("loop close", true);
            if (took(haigha_loop_close(loop_, &then, nullptr))) {
                drive([&] { return replied("loop close"); }, "the loop to be closed");
            }
            haigha_loop_unref(loop_);
        }
        uv_run(&uv_, UV_RUN_DEFAULT);
        haigha_message_unref(message_);  // it may be one of the last that came
    }
    void check() {
        for (const auto& note : notes_) {
            if (!note->taken) {
                EXPECT_EQ(note->releases, 0) << note->what << " was refused, and is released";
                EXPECT_EQ(note->replies, 0) << note->what << " was refused, and is answered";
            } else {
                EXPECT_EQ(note->releases, 1) << note->what << " was taken, and is not released";
            }
            // A connection that was never open is dropped with its last reference, in silence.
            if (note->taken && note->once && opened != 0) {
                EXPECT_EQ(note->replies, 1) << note->what << " was taken, and is not answered";
            }
        }
        if (opened != 0) {
            EXPECT_EQ(outcomes_, published_) << "publishes without an outcome";
        }
        EXPECT_EQ(unexplained_, "");
    }

    const std::string uri_;
    std::string queue_;  // its own: what one cycle leaves is not the next one's
    uv_loop_t uv_{};
    uv_timer_t watchdog_{};
    haigha_loop* loop_ = nullptr;
    haigha_connection* connection_ = nullptr;
    haigha_channel* channel_ = nullptr;
    haigha_pool* pool_ = nullptr;
    haigha_retry* retry_ = nullptr;
    haigha_stream_reader* reader_ = nullptr;
    haigha_message* message_ = nullptr;  // the first that was delivered
    haigha_workers* workers_ = nullptr;
    std::atomic<int> handled_{0};
    std::vector<std::unique_ptr<Note>> notes_;
    std::vector<std::unique_ptr<Bound>> bound_;
    std::vector<std::unique_ptr<std::string>> bodies_;
    std::string unexplained_;  // an error before any that says NO_MEMORY
    std::uint64_t nth_ = 0;
    bool no_memory_ = false;
    bool closed_ = false;
    bool close_taken_ = false;
    int published_ = 0;
    int outcomes_ = 0;
    int writable_ = 0;
};

class NoMemory : public testing::Test {
  protected:
    std::string uri() const {
        return "amqp://guest:guest@127.0.0.1:" + std::to_string(broker_.port());
    }
    static void as_it_is(Cycle&) {}
    // Until no allocation is left to fail.
    template <class Middle, class Prepare = void (*)(Cycle&)>
    void each(Middle middle, Prepare prepare = &as_it_is, const std::string& parameters = {}) {
        const char* const only = std::getenv("HAIGHA_TEST_ALLOCATION");
        std::uint64_t nth = only != nullptr ? std::strtoull(only, nullptr, 10) : 1;
        bool more = true;
        for (; more; ++nth) {
            Cycle cycle(uri() + parameters);
            cycle.middle = middle;
            prepare(cycle);
            more = cycle.run(nth);
            // Without a failure it does what it is there for.
            if (!more) {
                const bool none_is_lost =
                    !cycle.strikes_late || cycle.publish_policy == HAIGHA_PUBLISH_RESEND;
                if (none_is_lost) {
                    EXPECT_EQ(cycle.confirmed, cycle.published());
                }
                EXPECT_GT(cycle.delivered, 0);
            }
            if (HasFailure()) {
                AllocationFaults::show_where();
                return;
            }
            if (only != nullptr) return;
        }
        std::printf("%llu allocations failed in turn\n", static_cast<unsigned long long>(nth - 2));
        EXPECT_GT(nth, 100U);
    }

    StubBroker broker_;
};

void publish_and_consume(Cycle& cycle) {
    if (!cycle.open_channel()) return;
    cycle.declare();
    cycle.bind();
    cycle.consume();
    cycle.publish(16);
    cycle.publish(100'000);
    cycle.drive([&] { return cycle.outcomes() == cycle.published(); }, "the first outcomes");
    cycle.publish_lent(400'000);  // that nothing is in the way of
    cycle.publish(300'000);
    cycle.drive([&] { return cycle.outcomes() == cycle.published(); }, "the outcomes");
    cycle.ack();
    if (cycle.flush()) cycle.drive([&] { return cycle.replied("flush"); }, "the flush");
}

TEST_F(NoMemory, AtEachAllocationOfAConnection) {
    each(publish_and_consume);
}

void write_and_take_pieces(Cycle& cycle) {
    if (!cycle.open_channel()) return;
    cycle.declare();
    cycle.consume_pieces();
    cycle.write_body(16);
    cycle.write_body(700'000);
    cycle.drive([&] { return cycle.outcomes() == cycle.published(); }, "the outcomes");
    cycle.ack();
    if (cycle.flush()) cycle.drive([&] { return cycle.replied("flush"); }, "the flush");
}

TEST_F(NoMemory, AtEachAllocationOfBodiesInPieces) {
    each(write_and_take_pieces);
}

void publish_by_a_pool(Cycle& cycle) {
    if (!cycle.open_channel()) return;
    cycle.declare();
    cycle.consume();
    if (!cycle.open_pool()) return;
    for (const std::size_t size : {16, 100'000, 300'000, 16, 20'000, 16})
        cycle.publish_by_pool(size);
    cycle.drive([&] { return cycle.outcomes() == cycle.published(); }, "the outcomes");
    cycle.ack();
    if (cycle.close_pool()) cycle.drive([&] { return cycle.replied("pool close"); }, "the pool");
}

TEST_F(NoMemory, AtEachAllocationOfAPool) {
    for (const std::uint8_t mode : {HAIGHA_POOL_CONFIRM, HAIGHA_POOL_TX}) {
        SCOPED_TRACE("mode " + std::to_string(mode));
        each(publish_by_a_pool, [mode](Cycle& cycle) { cycle.pool_mode = mode; });
    }
}

// Whatever fails on the way, a delivery that is taken is answered for once.
void retry_a_delivery(Cycle& cycle) {
    if (!cycle.open_channel() || !cycle.declare() || !cycle.consume() || !cycle.declare_step() ||
        !cycle.open_retry()) {
        return;
    }
    cycle.publish(20'000);
    if (cycle.published() == 0) return;
    cycle.drive([&] { return cycle.delivered == 1 && cycle.confirmed == 1; }, "the delivery");
    if (!cycle.over() && cycle.retry_delivery()) {
        cycle.drive([&] { return cycle.replied("retried"); }, "the retry");
    }
    if (cycle.flush()) cycle.drive([&] { return cycle.replied("flush"); }, "the flush");
}

TEST_F(NoMemory, AtEachAllocationOfARetry) {
    each(retry_a_delivery);
}

// Whatever fails on the way, it is told, and what is handled is kept or said not to be.
void read_a_stream(Cycle& cycle) {
    if (!cycle.open_channel() || !cycle.declare() || !cycle.open_reader()) return;
    if (!cycle.read_stream()) return;
    cycle.drive([&] { return cycle.replied("read"); }, "the consumer");
    if (cycle.was_short()) return;  // and it may have said so
    cycle.publish_numbered(7);
    if (cycle.published() == 0) return;
    cycle.drive([&] { return cycle.delivered == 1 && cycle.confirmed == 1; }, "the delivery");
    if (cycle.over() || !cycle.handle_message()) return;
    if (cycle.save_place()) cycle.drive([&] { return cycle.replied("save"); }, "the place");
}

TEST_F(NoMemory, AtEachAllocationOfAStreamReader) {
    each(read_a_stream);
}

void handle_by_workers(Cycle& cycle) {
    if (!cycle.open_channel() || !cycle.declare()) return;
    if (!cycle.open_workers()) return;
    const bool works = cycle.work();
    for (const std::size_t size : {16, 100'000, 16, 20'000, 16, 16})
        cycle.publish(size);
    cycle.drive([&] { return cycle.outcomes() == cycle.published(); }, "the outcomes");
    if (works) {
        cycle.drive([&] { return cycle.handled() >= cycle.published(); }, "the handlers");
    }
    cycle.delivered = cycle.handled();
    if (cycle.close_workers("workers close")) {
        cycle.drive([&] { return cycle.replied("workers close"); }, "the workers");
    }
}

TEST_F(NoMemory, AtEachAllocationOfWorkers) {
    each(handle_by_workers);
}

// It comes back at another attempt, or ends with that; and whatever was published has its outcome.
TEST_F(NoMemory, AtEachAllocationOfARecovery) {
    for (const std::uint8_t policy :
         {HAIGHA_PUBLISH_FAIL, HAIGHA_PUBLISH_KEEP_UNSENT, HAIGHA_PUBLISH_RESEND}) {
        SCOPED_TRACE("publish_policy " + std::to_string(policy));
        each(
            [this](Cycle& cycle) {
                if (!cycle.open_channel()) return;
                cycle.declare();
                cycle.bind();
                cycle.consume();
                cycle.publish(16);
                cycle.drive([&] { return cycle.delivered == 1 && cycle.confirmed == 1; },
                            "the first message");
                broker_.command("on basic.publish#1 reset");
                cycle.strike();
                cycle.publish(100'000);
                cycle.publish_lent(200'000);
                cycle.publish(16);
                cycle.drive([&] { return cycle.recovered == 1; }, "the recovery");
                cycle.publish(16);
                cycle.drive([&] { return cycle.outcomes() == cycle.published(); }, "the outcomes");
                cycle.ack();
            },
            [policy](Cycle& cycle) {
                cycle.strikes_late = true;
                cycle.publish_policy = policy;
            },
            "?recovery=1&recovery_delay_ms=1&recovery_max_delay_ms=5");
    }
}

}  // namespace
}  // namespace haigha::test
