#include "streams/stream_reader.h"

#include <algorithm>
#include <charconv>
#include <new>
#include <optional>
#include <utility>

#include "base/insist.h"
#include "base/named_number.h"
#include "pool/unconfirmed.h"
#include "wire/field_table.h"
#include "wire/properties.h"
#include "wire/stream_offset.h"

namespace haigha::streams {

using client::Channel;
using client::Completion;
using client::Connection;
using client::Event;
using client::EventType;
using client::Message;
using client::State;
using client::Then;
using pool::ChannelPool;
using pool::PooledMessage;
using pool::PoolOutcome;

namespace {

std::span<const std::byte> octets(std::string_view text) {
    return std::as_bytes(std::span(text.data(), text.size()));
}

// What a queue of places holds: an offset in decimal digits.
std::optional<std::int64_t> read_place(std::string_view body) {
    std::int64_t offset = 0;
    const auto [end, error] = std::from_chars(body.data(), body.data() + body.size(), offset);
    if (error != std::errc() || end != body.data() + body.size() || offset < 0) return std::nullopt;
    return offset;
}

}  // namespace

struct StreamReader::Start {
    std::string tag;
    wire::FieldTable arguments;
    bool no_local = false;
    bool exclusive = false;
    bool pause_when_full = false;
    Then deliveries;
    Completion completion;
    Instant deadline;
    std::int64_t place = OffsetTracker::none;  // that was kept

    void disarm() {
        deliveries.disarm();
        completion.disarm();
    }
};

StreamReader::StreamReader(Ref<Channel> channel, ReaderSettings settings)
    : channel_(std::move(channel)), settings_(std::move(settings)) {}

StreamReader::~StreamReader() = default;

ErrorRef StreamReader::create(Ref<Channel> channel, ReaderSettings settings,
                              Ref<StreamReader>* made) {
    const Ref<StreamReader> reader =
        Ref<StreamReader>::adopt(new StreamReader(std::move(channel), std::move(settings)));
    Connection& connection = reader->connection();
    pool::PoolSettings one;
    one.channels = 1;
    ErrorRef refused = ChannelPool::create(Ref<Connection>(&connection),
                                           client::then_to(*reader, &StreamReader::on_saved), one,
                                           false, &reader->pool_);
    if (refused) {
        reader->release();  // what the events had
        return refused;
    }
    // The pool's events have a share in it: it goes first, also when there is no memory for the
    // rest.
    constexpr auto drop = [](ChannelPool* pool) { client::drop_handle(*pool); };
    std::unique_ptr<ChannelPool, decltype(drop)> handle(reader->pool_.leak(), drop);
    refused = connection.watch_states(reader.get(), [reader](State now, const ErrorRef&) {
        if (now == State::closed) reader->timer_.reset();
    });
    if (refused) return refused;
    reader->pool_ = Ref<ChannelPool>::adopt(handle.release());
    reader->channel_->handles().add();
    *made = reader;
    return nullptr;
}

void StreamReader::abandon() {
    if (forked()) return;
    muted_.store(true, std::memory_order_release);
    Ref<ChannelPool> pool;
    auto dropped = insist([] { return std::make_shared<Waits>(); });
    {
        const std::lock_guard lock(mutex_);
        pool = std::move(pool_);
        dropped->swap(waits_);
    }
    connection().unwatch_states(this);
    insist([&] {
        (void)connection().loop().transport().post([self = Ref<StreamReader>(this), dropped] {
            self->timer_.reset();
            self->complete(*dropped, nullptr);
        });
    });
    if (pool) client::drop_handle(*pool.leak());
    client::drop_handle(*channel_);
}

// ---- from any thread

ErrorRef StreamReader::consume(const wire::basic::Consume& method, bool pause_when_full,
                               Then deliveries, Completion completion, std::int64_t timeout_ms) {
    auto start = std::make_unique<Start>();
    start->tag = method.consumer_tag.text;
    start->no_local = method.no_local;
    start->exclusive = method.exclusive;
    start->pause_when_full = pause_when_full;
    start->deadline = connection().loop_time() + connection().timeout(timeout_ms);
    wire::TableCursor fields(method.arguments.bytes);
    wire::Field field;
    while (fields.next(field) == wire::FieldStatus::field)
        (void)start->arguments.add(field);
    wire::FieldTable arguments;
    (void)arguments.add_int("x-max-length", 1);
    if (settings_.quorum) (void)arguments.add_string("x-queue-type", "quorum");
    wire::queue::Declare declare{};
    declare.queue = {settings_.offsets};
    declare.durable = true;
    declare.arguments = {arguments.contents()};
    start->deliveries = std::move(deliveries);
    start->completion = std::move(completion);
    {
        const std::lock_guard lock(mutex_);
        if (reads_) {
            start->disarm();
            return make_error(Status::argument, "the reader has a consumer already");
        }
        reads_ = true;
        start_ = std::move(start);
    }
    const auto take_back = [this] {
        const std::lock_guard lock(mutex_);
        reads_ = false;
        start_->disarm();
        start_ = nullptr;
    };
    try {
        ErrorRef refused = channel_->call(
            declare, Completion(client::then_to(*this, &on_step<&StreamReader::declared>)),
            timeout_ms);
        if (refused) {
            release();  // what the answer had
            take_back();
        }
        return refused;
    } catch (const std::bad_alloc&) {
        take_back();
        throw;
    }
}

ErrorRef StreamReader::save(Completion completion) {
    bool owed = false;
    {
        const std::lock_guard lock(mutex_);
        const Status status = save_now();
        if (status != Status::ok) {
            completion.disarm();
            return pool_ ? pool_->refusal(status)
                         : make_error(Status::closed, "the reader was dropped");
        }
        const std::int64_t position = tracker_.position();
        waits_.push_back({position, std::move(completion)});
        owed = is_saved(position);
    }
    if (owed) {
        insist([&] {
            (void)connection().loop().transport().post(
                [self = Ref<StreamReader>(this)] { self->tell_saved(); });
        });
    }
    return nullptr;
}

ErrorRef StreamReader::handled(const Message& message) {
    const std::optional<std::int64_t> offset = wire::find_stream_offset(message.properties);
    if (!offset) {
        return make_error(Status::argument,
                          "the message has no x-stream-offset: it is not of a stream");
    }
    bool arms = false;
    {
        const std::lock_guard lock(mutex_);
        if (!tracker_.handled(*offset)) {
            return make_error(Status::argument, "the reader was not given offset " +
                                                    std::to_string(*offset) +
                                                    ", or it is handled already");
        }
        ++handled_;
        if (++since_saved_ >= settings_.save_every) {
            try {
                (void)save_now();  // or when its time has come
            } catch (const std::bad_alloc&) {
            }
        }
        if (!is_saved(tracker_.position())) arms = !std::exchange(armed_, true);
    }
    if (arms) {
        insist([&] {
            (void)connection().loop().transport().post(
                [self = Ref<StreamReader>(this)] { self->arm(); });
        });
    }
    // Its ack is no more than room for another. One that comes too late was for a consumer that is
    // gone: a stream delivers nothing twice for that.
    wire::basic::Ack method{};
    method.delivery_tag = message.delivery_tag;
    (void)insist([&] { return channel_->settle(method); });
    return nullptr;
}

bool StreamReader::info(std::string_view name, std::int64_t* value) const {
    const std::lock_guard lock(mutex_);
    return find_number(
        {
            {"offset", static_cast<std::uint64_t>(tracker_.position())},
            {"saved_offset", static_cast<std::uint64_t>(saved_)},
            {"unhandled", tracker_.unhandled()},
            {"handled", handled_},
            {"saves", saves_},
            {"failed_saves", failed_saves_},
        },
        name, value);
}

// ---- with the mutex held

Status StreamReader::save_now() {
    if (!pool_) return Status::closed;
    const std::int64_t position = tracker_.position();
    if (saving_number_ != 0 || position == OffsetTracker::none || is_saved(position)) {
        return Status::ok;
    }
    const std::string body = std::to_string(position);
    wire::Properties properties;
    properties.present = wire::property_content_type | wire::property_delivery_mode;
    properties.content_type = "text/plain";
    properties.delivery_mode = 2;
    protocol::PublishRequest request;
    request.routing_key = settings_.offsets;
    request.mandatory = true;
    request.properties = &properties;
    request.body = octets(body);
    const auto pooled = Ref<PooledMessage>::adopt(new PooledMessage(request));
    std::uint64_t number = 0;
    const Status status = pool_->publish(pooled, &number, false);
    if (status != Status::ok) return status;
    saving_number_ = number;
    saving_ = position;
    since_saved_ = 0;
    return status;
}

// ---- on the loop's thread: a consume, step by step

template <StreamReader::Step step>
void StreamReader::on_step(Then::AnyFunction, const Event& event, void* self) {
    const Ref<StreamReader> kept(static_cast<StreamReader*>(self));
    ErrorRef failed(event.error);
    if (!failed) {
        try {
            (kept.get()->*step)(event);
            return;
        } catch (const std::bad_alloc&) {
            failed = insist([] { return make_error(Status::no_memory, "out of memory"); });
        }
    }
    kept->end_start(failed, nullptr);
}

std::int64_t StreamReader::left(Instant deadline) const {
    return std::max<std::int64_t>(
        1, (deadline.nanoseconds - connection().loop_time().nanoseconds) / 1'000'000);
}

void StreamReader::declared(const Event&) {
    if (const ErrorRef refused = get()) end_start(refused, nullptr);
}

ErrorRef StreamReader::get() {
    wire::basic::Get method{};
    method.queue = {settings_.offsets};
    ErrorRef refused =
        channel_->call(method, Completion(client::then_to(*this, &on_step<&StreamReader::got>)),
                       left(start_->deadline));
    if (refused) release();  // what the answer had
    return refused;
}

// Until the queue is empty: after an accident it may hold two, of which the later one counts.
void StreamReader::got(const Event& event) {
    ErrorRef failed;
    if (event.message == nullptr) {
        failed = begin();
    } else if (const auto place = read_place(event.body)) {
        read_.push_back(event.number);
        start_->place = std::max(start_->place, *place);
        failed = get();
    } else {
        wire::basic::Reject back{};
        back.delivery_tag = event.number;
        back.requeue = true;
        (void)channel_->settle(back);
        failed = make_error(Status::malformed,
                            "what \"" + settings_.offsets + "\" holds is not an offset");
    }
    if (failed) end_start(failed, nullptr);
}

ErrorRef StreamReader::begin() {
    Start& start = *start_;
    wire::FieldTable arguments;
    const bool goes_on = start.place != OffsetTracker::none;
    if (goes_on &&
        !wire::set_stream_offset(start.arguments.contents(), start.place + 1, arguments)) {
        return make_error(Status::argument, "there is no room for an offset in the arguments");
    }
    {
        const std::lock_guard lock(mutex_);
        tracker_.begin_behind(start.place);
        saved_ = start.place;
        unconfirmed_ = !read_.empty();
    }
    wire::basic::Consume method{};
    method.queue = {settings_.stream};
    method.consumer_tag = {start.tag};
    method.no_local = start.no_local;
    method.exclusive = start.exclusive;
    method.arguments = {goes_on ? arguments.contents() : start.arguments.contents()};
    // Accepted it was by consume(): if it is refused now its hook has to run all the same.
    const Then::Hook hook = start.deliveries.hook();
    ErrorRef refused = channel_->consume(
        method, {.pause_when_full = start.pause_when_full, .observer = this},
        std::move(start.deliveries),
        Completion(client::then_to(*this, &on_step<&StreamReader::started>)), left(start.deadline));
    if (refused) {
        release();  // what the answer had
        hook.run();
    }
    return refused;
}

void StreamReader::started(const Event& event) {
    end_start(nullptr, Ref<client::Reply>(const_cast<client::Reply*>(event.reply)));
    // The copies that were read are not settled before another one is safe: a broker closes the
    // channel of one that is left unsettled for long.
    const std::lock_guard lock(mutex_);
    if (unconfirmed_) (void)insist([&] { return save_now(); });
}

// User code runs in here.
void StreamReader::end_start(const ErrorRef& error, const Ref<client::Reply>& reply) {
    std::unique_ptr<Start> start;
    {
        const std::lock_guard lock(mutex_);
        start = std::move(start_);
        reads_ = !error;
    }
    Event answer;
    answer.connection = &connection();
    answer.channel = channel_.get();
    answer.channel_id = channel_->number();
    start->completion.complete(answer, error, reply, muted_);
}

// ---- a place that is kept

void StreamReader::delivered(const Message& message) {
    const std::optional<std::int64_t> offset = wire::find_stream_offset(message.properties);
    if (!offset) return;
    const std::lock_guard lock(mutex_);
    insist([&] { tracker_.delivered(*offset); });
}

void StreamReader::on_saved(Then::AnyFunction, const Event& event, void* self) {
    const Ref<StreamReader> kept(static_cast<StreamReader*>(self));
    if (event.type == EventType::outcome) kept->saved(event);
}

void StreamReader::saved(const Event& event) {
    ErrorRef error;
    if (static_cast<PoolOutcome>(event.outcome) != PoolOutcome::confirmed) {
        error = insist([&] {
            return pool::unconfirmed_error(event, "the place in \"" + settings_.stream +
                                                      "\" could not be kept in \"" +
                                                      settings_.offsets + "\": ");
        });
    }
    Waits failed;
    bool arms = false;
    {
        const std::lock_guard lock(mutex_);
        if (event.number != saving_number_) return;
        saving_number_ = 0;
        if (error) {
            ++failed_saves_;
            failed.swap(waits_);
            arms = pool_ && !std::exchange(armed_, true);
        } else {
            ++saves_;
            saved_ = std::max(saved_, saving_);
            unconfirmed_ = false;
        }
    }
    if (arms) arm();
    if (error) {
        complete(failed, error);
        return;
    }
    acknowledge_read();
    tell_saved();
}

void StreamReader::acknowledge_read() {
    for (const std::uint64_t tag : std::exchange(read_, {})) {
        wire::basic::Ack method{};
        method.delivery_tag = tag;
        // Too late, it is in the queue again, in front of the one that is going to push it out.
        (void)insist([&] { return channel_->settle(method); });
    }
}

void StreamReader::tell_saved() {
    Waits done;
    ErrorRef refused;
    {
        const std::lock_guard lock(mutex_);
        insist([&] { done.reserve(waits_.size()); });
        const auto first = std::stable_partition(
            waits_.begin(), waits_.end(), [&](const Wait& one) { return !is_saved(one.up_to); });
        std::move(first, waits_.end(), std::back_inserter(done));
        waits_.erase(first, waits_.end());
        if (waits_.empty()) {
            refused = nullptr;
        } else if (const Status status = insist([&] { return save_now(); }); status != Status::ok) {
            refused = insist([&] {
                return pool_ ? pool_->refusal(status)
                             : make_error(Status::closed, "the reader was dropped");
            });
        }
    }
    complete(done, nullptr);
    if (!refused) return;
    {
        const std::lock_guard lock(mutex_);
        done = std::exchange(waits_, {});
    }
    complete(done, refused);
}

void StreamReader::complete(Waits& waits, const ErrorRef& error) const {
    for (Wait& one : waits) {
        Event answer;
        answer.connection = &connection();
        answer.channel = channel_.get();
        answer.channel_id = channel_->number();
        one.completion.complete(answer, error, nullptr, muted_);
    }
}

void StreamReader::arm() {
    // A timer lives no longer than its connection.
    if (muted_ || connection().state() == State::closed) return;
    if (!timer_) {
        timer_ = insist([this] {
            return std::make_unique<transport::Timer>(connection().loop().transport(),
                                                      [this] { on_time(); });
        });
    }
    timer_->set(connection().loop_time() + milliseconds(settings_.save_interval_ms));
}

void StreamReader::on_time() {
    const Ref<StreamReader> kept(this);
    const std::lock_guard lock(mutex_);
    armed_ = false;
    (void)insist([&] { return save_now(); });
}

}  // namespace haigha::streams
