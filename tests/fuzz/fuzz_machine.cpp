// A broker's octets in any pieces, and the owner's verbs between them, into a ConnectionMachine.
//
// The first octet of an input says where the session begins, see begin(). Then come steps, an
// octet of Step and what it takes. make_corpus.py writes the same.
//
// A session runs twice, in the input's pieces and with each step's octets whole, and has to tell
// and say the same.
#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fuzz_target.h"
#include "machine_ledger.h"
#include "protocol/connection_machine.h"
#include "support/machine_peer.h"
#include "wire_watch.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAIGHA_COUNTS_MEMORY 1
#endif
#endif
// GCC has the sanitizer and not all of its headers.
#if defined(__SANITIZE_ADDRESS__) && __has_include(<sanitizer/allocator_interface.h>)
#define HAIGHA_COUNTS_MEMORY 1
#endif
#ifdef HAIGHA_COUNTS_MEMORY
#include <sanitizer/allocator_interface.h>
#endif

namespace haigha::fuzz {
namespace {

using protocol::Call;
using protocol::CallKind;
using protocol::ConnectionMachine;
using protocol::ConnectionState;
using protocol::Token;
using Kind = MachineLedger::Kind;
using test::joined;
using test::method_frame;
using test::Octets;

// The numbers are the corpus's: a new step goes to the end.
enum class Step : std::uint8_t {
    receive,            // u16 size, octets
    receive_frame,      // type, channel, u8 size, payload
    receive_method,     // which of all methods, channel, u8 size, arguments
    receive_sensible,   // which of sensible(), channel
    set_piece,          // u8 size of the pieces from here on; 0: whole
    take,               // u16 octets leave the outbox
    take_all,           //
    pump,               // u16 limit
    expire,             // u16 tens of milliseconds go by
    set_reading,        // 0 or 1
    open_channel,       // deadline
    close_channel,      // channel, deadline
    publish,            // channel, u8 size
    publish_large,      // channel, u16 size in octets of eight
    publish_described,  // channel, properties: u16 present, text, u8 size of headers, headers
    declare,            // channel, deadline
    consume,            // channel, deadline, tag, no_ack
    cancel,             // channel, deadline, tag
    get,                // channel, deadline, no_ack
    select,             // channel, deadline
    settle,             // channel, delivery tag, multiple
    close,              //
    update_secret,      // deadline, text
    answer,             // text
    fail,               // the transport ends
    correlate_returns,  // channel
    drain,              // channel, deadline, tag
    pause,              // channel, deadline, tag
    resume,             // channel, deadline, tag
    recover,            // channel, deadline
    nack,               // channel, delivery tag, multiple
    reject,             // channel, delivery tag
    tx_select,          // channel, deadline
    lend,               // channel, u16 size in octets of eight, mandatory
    limit_in_flight,    // channel, messages, u16 octets
    begin_body,         // channel, u16 size in octets of eight
    write_body,         // which of them, u16 octets
    abandon_body,       // which of them
    count,
};

constexpr std::array<std::string_view, 4> tags = {"c0", "c1", "c2", "c3"};
constexpr std::array<wire::FrameType, 4> frame_types = {
    wire::FrameType::method, wire::FrameType::header, wire::FrameType::body,
    wire::FrameType::heartbeat};
constexpr std::size_t most_steps = 400;
constexpr std::size_t most_published = 2 * 1024 * 1024;

protocol::ConnectionParameters parameters() {
    protocol::ConnectionParameters made;
    made.host = "host:5672";
    made.mechanisms = "RABBIT-CR-DEMO OTHER PLAIN AMQPLAIN";
    made.credentials = {"user", "password"};
    // Small, so that the limits are within reach.
    made.max_message_size = 100'000;
    made.outbox_high_water = 400'000;
    made.outbox_low_water = 200'000;
    made.delivery_warning = seconds(8);
    return made;
}

// What a broker says when it behaves, most of it with a meaning only in the right state.
Octets sensible(std::size_t which, std::uint16_t channel) {
    const std::uint64_t tag = which / 32 + 1;
    const std::string_view consumer = tags[which / 32 % tags.size()];
    switch (which % 32) {
        case 0:
            return method_frame(0, test::start_method("PLAIN AMQPLAIN RABBIT-CR-DEMO OTHER"));
        case 1:
            return method_frame(0, test::tune_method(4, 4096, 60));
        case 2:
            return method_frame(0, wire::connection::OpenOk{});
        case 3:
            return method_frame(0, wire::connection::Secure{{"challenge"}});
        case 4:
            return method_frame(channel, wire::channel::OpenOk{});
        case 5:
            return method_frame(channel, wire::channel::CloseOk{});
        case 6:
            return method_frame(channel, wire::confirm::SelectOk{});
        case 7:
            return method_frame(channel, wire::queue::DeclareOk{{"q"}, 1, 2});
        case 8:
            return method_frame(channel, wire::basic::ConsumeOk{{consumer}});
        case 9:
            return method_frame(channel, wire::basic::CancelOk{{consumer}});
        case 10:
            return method_frame(channel, wire::basic::GetEmpty{});
        case 11:
            return test::content(channel, wire::basic::GetOk{}, "got");
        case 12:
            return test::content(channel, test::deliver_method(consumer, tag), "delivered");
        case 13:
            return test::content(channel, test::deliver_method(consumer, tag), "in pieces", 4);
        case 14:
            return method_frame(channel, test::deliver_method(consumer, tag));
        case 15:
            return test::header_frame(channel, tag);
        case 16:
            return test::body_frame(channel, std::string(tag, 'b'));
        case 17:
            return test::content(channel, wire::basic::Return{312, {"NO_ROUTE"}, {}, {"k"}},
                                 "back");
        case 18:
            return method_frame(channel, wire::basic::Ack{tag, false});
        case 19:
            return method_frame(channel, wire::basic::Ack{tag, true});
        case 20:
            return method_frame(channel, wire::basic::Nack{tag, true, false});
        case 21:
            return method_frame(channel, wire::basic::Cancel{{consumer}, true});
        case 22:
            return method_frame(channel, wire::channel::Flow{false});
        case 23:
            return method_frame(channel, wire::channel::Flow{true});
        case 24:
            return method_frame(channel, test::channel_close(404, "NOT_FOUND"));
        case 25:
            return method_frame(0, wire::connection::Blocked{{"memory"}});
        case 26:
            return method_frame(0, wire::connection::Unblocked{});
        case 27:
            return method_frame(0, wire::connection::UpdateSecretOk{});
        case 28:
            return method_frame(0, test::connection_close(320, "CONNECTION_FORCED"));
        case 29:
            return method_frame(0, wire::connection::CloseOk{});
        case 30:
            return test::header_frame(channel, 90'000);
        default:
            return {wire::heartbeat_frame.begin(), wire::heartbeat_frame.end()};
    }
}

class Session {
  public:
    explicit Session(bool whole) : whole_(whole) {}

    void run(Input input) {
#ifdef HAIGHA_COUNTS_MEMORY
        memory_before_ = __sanitizer_get_current_allocated_bytes();
#endif
        begin(input.u8());
        for (std::size_t steps = 0; !input.empty() && steps < most_steps; ++steps) {
            step(static_cast<Step>(input.u8() % static_cast<unsigned>(Step::count)), input);
            (void)machine_.deadline();
            (void)machine_.take_returned();
            check_memory();
        }
        machine_.transport_failed(make_error(Status::io, "gone"), events_);
        tell();
        take(machine_.outbox().size());
        tell();
        ledger_.require_all_ended();
        (void)machine_.take_returned();
        for (const Loan& loan : loans_)
            require(loan.returned == (loan.taken ? 1 : 0), "what was lent is given back once");
        require(machine_.state() == ConnectionState::closed && machine_.bytes_waiting() == 0,
                "nothing waits after the end");
        require(machine_.channel_count() == 0, "no channel is left after the end");
    }

    // Each event as a line, and the number of octets said before each step.
    const std::string& record() const {
        return record_;
    }

  private:
    // Bit 0: the connection is open, and then bits 1 and 2: with so many channels, of which the
    // first has confirms (3), a consumer (4) and, like the second, a call in flight (5).
    // Bit 6: credentials are asked for. Bit 7: small frames.
    void begin(unsigned from) {
        if ((from & 0x40U) != 0) machine_.ask_for_credentials();
        machine_.start(now_);
        if ((from & 1U) == 0) return;
        receive(method_frame(0, test::start_method()));
        if ((from & 0x40U) != 0) machine_.answer_credentials({"user", "password"});
        receive(method_frame(0, test::tune_method(4, (from & 0x80U) != 0 ? 4096 : 131072, 60)));
        receive(method_frame(0, wire::connection::OpenOk{}));
        const std::size_t channels = from >> 1 & 3U;
        for (std::size_t i = 0; i < channels; ++i) {
            open_channel(Instant::never());
            receive(method_frame(channels_.back().number, wire::channel::OpenOk{}));
        }
        take_all();
        if (channels == 0) return;
        if ((from & 8U) != 0) {
            call(channels_[0], plain_call(CallKind::confirm_select, wire::confirm::SelectOk::id),
                 wire::confirm::Select{});
            receive(method_frame(1, wire::confirm::SelectOk{}));
        }
        if ((from & 0x10U) != 0) {
            consume(channels_[0], Instant::never(), tags[0], false);
            receive(method_frame(1, wire::basic::ConsumeOk{{tags[0]}}));
        }
        if ((from & 0x20U) != 0) {
            for (const protocol::ChannelId& channel : channels_)
                declare(channel, Instant::never());
        }
        take_all();
    }

    void step(Step step, Input& input) {
        switch (step) {
            case Step::receive:
                receive(input.bytes(input.u16()));
                return;
            case Step::receive_frame: {
                const auto type = static_cast<unsigned>(frame_types[input.below(4)]);
                const auto channel = static_cast<std::uint16_t>(input.below(5));
                receive(test::raw_frame(type, channel, input.bytes(input.u8())));
                return;
            }
            case Step::receive_method: {
                const auto methods = wire::all_methods();
                const wire::MethodId id = methods[input.below(methods.size())].id;
                const auto channel = static_cast<std::uint16_t>(input.below(5));
                Octets payload(wire::method_id_size);
                wire::store_big(wire::store_big(payload.data(), id.class_id), id.method_id);
                receive(test::raw_frame(1, channel, joined(payload, input.bytes(input.u8()))));
                return;
            }
            case Step::receive_sensible: {
                const std::size_t which = input.u8();
                receive(sensible(which, static_cast<std::uint16_t>(input.below(5))));
                return;
            }
            case Step::set_piece:
                piece_ = input.u8();
                return;
            case Step::take:
                take(input.u16());
                tell();
                return;
            case Step::take_all:
                take_all();
                return;
            case Step::pump:
                machine_.pump(input.u16());
                return;
            case Step::expire:
                now_ = now_ + milliseconds(10 * input.u16());
                machine_.expire(now_, events_);
                tell();
                require(machine_.deadline() > now_, "what is due at a time is done at that time");
                return;
            case Step::set_reading:
                machine_.set_reading(input.flag(), now_);
                return;
            case Step::open_channel:
                open_channel(deadline(input));
                return;
            case Step::answer: {
                const std::string text(input.text());
                machine_.answer_credentials({text, text});
                machine_.answer_response(text);
                return;
            }
            case Step::update_secret: {
                Call update = plain_call(CallKind::plain, wire::connection::UpdateSecretOk::id);
                update.deadline = deadline(input);
                const Token token = update.token;
                accepted(machine_.update_secret(input.text(), "reason", std::move(update)), token);
                return;
            }
            case Step::close:
                machine_.close(200, "closed");
                return;
            case Step::fail:
                machine_.transport_failed(make_error(Status::io, "gone"), events_);
                tell();
                return;
            default:
                if (!channels_.empty()) step_on_channel(step, input);
        }
    }

    void step_on_channel(Step step, Input& input) {
        const protocol::ChannelId channel = channels_[input.below(channels_.size())];
        switch (step) {
            case Step::close_channel: {
                Call close;
                close.token = ledger_.add(Kind::call, channel.owner);
                close.deadline = deadline(input);
                const Token token = close.token;
                accepted(machine_.close_channel(channel, std::move(close)), token);
                return;
            }
            case Step::publish:
                publish(channel, input.u8(), nullptr);
                return;
            case Step::publish_large:
                publish(channel, std::size_t{8} * input.u16(), nullptr);
                return;
            case Step::publish_described: {
                wire::Properties properties;
                properties.present = input.u16();
                properties.content_type = properties.user_id = input.text();
                properties.headers.bytes = input.bytes(input.u8());
                publish(channel, 3, &properties);
                return;
            }
            case Step::declare:
                declare(channel, deadline(input));
                return;
            case Step::consume: {
                const Instant at = deadline(input);
                const std::string_view tag = tags[input.below(tags.size())];
                consume(channel, at, tag, input.flag());
                return;
            }
            case Step::cancel:
                stop_consumer(CallKind::cancel, channel, input);
                return;
            case Step::drain:
                stop_consumer(CallKind::drain, channel, input);
                return;
            case Step::pause:
                stop_consumer(CallKind::pause, channel, input);
                return;
            case Step::resume: {
                Call resume = plain_call(CallKind::resume, wire::basic::ConsumeOk::id, channel);
                const Token token = resume.token;
                resume.deadline = deadline(input);
                resume.name = tags[input.below(tags.size())];
                accepted(machine_.resume(channel, std::move(resume)), token);
                return;
            }
            case Step::recover: {
                Call recover = plain_call(CallKind::recover, wire::basic::RecoverOk::id, channel);
                recover.deadline = deadline(input);
                call(channel, std::move(recover), wire::basic::Recover{true});
                return;
            }
            case Step::tx_select: {
                Call select = plain_call(CallKind::tx_select, wire::tx::SelectOk::id, channel);
                select.deadline = deadline(input);
                call(channel, std::move(select), wire::tx::Select{});
                return;
            }
            case Step::lend: {
                const std::size_t size = std::size_t{8} * input.u16() + 1;
                publish(channel, size, nullptr, true, input.flag());
                return;
            }
            case Step::limit_in_flight: {
                const std::uint64_t messages = input.u8();
                machine_.limit_in_flight(channel, {messages, input.u16()});
                return;
            }
            case Step::correlate_returns:
                // To be asked for before the first publish.
                if (ledger_.at(channel.owner).publishes == 0) machine_.correlate_returns(channel);
                return;
            case Step::get: {
                Call get = plain_call(CallKind::plain, wire::basic::GetOk::id, channel);
                get.other_reply = wire::basic::GetEmpty::id;
                get.deadline = deadline(input);
                call(channel, std::move(get), wire::basic::Get{0, {"q"}, input.flag()});
                return;
            }
            case Step::select: {
                Call select =
                    plain_call(CallKind::confirm_select, wire::confirm::SelectOk::id, channel);
                select.deadline = deadline(input);
                call(channel, std::move(select), wire::confirm::Select{});
                return;
            }
            case Step::settle: {
                const std::uint64_t tag = input.u8();
                settled(machine_.settle(channel, wire::basic::Ack{tag, input.flag()}));
                return;
            }
            case Step::nack: {
                const std::uint64_t tag = input.u8();
                settled(machine_.settle(channel, wire::basic::Nack{tag, input.flag(), true}));
                return;
            }
            case Step::reject:
                settled(machine_.settle(channel, wire::basic::Reject{input.u8(), true}));
                return;
            case Step::begin_body:
                begin_body(channel, std::size_t{8} * input.u16());
                return;
            case Step::write_body:
                if (!bodies_.empty()) {
                    Body& body = bodies_[input.below(bodies_.size())];
                    write_body(body, input.u16());
                }
                return;
            case Step::abandon_body:
                if (!bodies_.empty()) {
                    const Body& body = bodies_[input.below(bodies_.size())];
                    machine_.abandon_body(body.channel, body.writer, events_);
                    tell();
                }
                return;
            default:
                return;
        }
    }

    // ---- the owner's verbs

    static constexpr std::size_t most_channels = 16;

    Instant deadline(Input& input) const {
        const unsigned tenths = input.u8();
        return tenths == 0 ? Instant::never() : now_ + milliseconds(100 * tenths);
    }
    void accepted(Status status, Token token) {
        require(status == Status::ok || status == Status::closed || status == Status::argument ||
                    status == Status::would_block || status == Status::unsupported ||
                    status == Status::channel_limit,
                "a verb is refused with a status that is documented");
        if (status != Status::ok) ledger_.strike_out(token);
    }
    static void settled(Status status) {
        require(status == Status::ok || status == Status::closed || status == Status::argument,
                "a delivery is settled, or refused with a status that is documented");
    }
    Call plain_call(CallKind kind, wire::MethodId reply, protocol::ChannelId channel = {}) {
        Call call;
        call.kind = kind;
        call.barrier = kind == CallKind::confirm_select;
        call.token = ledger_.add(Kind::call, channel.owner);
        call.reply = reply;
        return call;
    }
    template <class Method>
    void call(protocol::ChannelId channel, Call call, const Method& method) {
        const Token token = call.token;
        accepted(machine_.call(channel, std::move(call), method), token);
    }
    void open_channel(Instant at) {
        if (channels_.size() == most_channels) return;
        const Token owner = ledger_.add(Kind::channel);
        Call open = plain_call(CallKind::plain, {}, {0, owner});
        const Token token = open.token;
        open.deadline = at;
        std::uint16_t number = 0;
        const Status status = machine_.open_channel(owner, std::move(open), &number);
        accepted(status, token);
        accepted(status, owner);
        if (status != Status::ok) return;
        channels_.push_back({number, owner});
        machine_.keep_when_cancelled(channels_.back(), number % 2 == 0);
    }
    void declare(protocol::ChannelId channel, Instant at) {
        Call declare = plain_call(CallKind::plain, wire::queue::DeclareOk::id, channel);
        declare.deadline = at;
        wire::queue::Declare method{};
        method.queue = {"q"};
        call(channel, std::move(declare), method);
    }
    void consume(protocol::ChannelId channel, Instant at, std::string_view tag, bool no_ack) {
        Call consume = plain_call(CallKind::consume, wire::basic::ConsumeOk::id, channel);
        const Token token = consume.token;
        const Token consumer = ledger_.add(Kind::consumer, channel.owner);
        consume.consumer = consumer;
        consume.deadline = at;
        consume.name = tag;
        consume.in_pieces = tag == tags[3];
        wire::basic::Consume method{};
        method.consumer_tag = {tag};
        method.no_ack = no_ack;
        const Status status = machine_.call(channel, std::move(consume), method);
        accepted(status, token);
        accepted(status, consumer);
    }
    void stop_consumer(CallKind kind, protocol::ChannelId channel, Input& input) {
        Call stop = plain_call(kind, wire::basic::CancelOk::id, channel);
        stop.deadline = deadline(input);
        stop.name = tags[input.below(tags.size())];
        const std::string tag = stop.name;
        call(channel, std::move(stop), wire::basic::Cancel{{tag}, false});
    }
    // What a caller has lent: gone at once when it is given back, for the address sanitizer to see.
    struct Loan {
        Octets octets;
        bool taken = false;
        int returned = 0;
    };
    static void give_back(void* data) {
        Loan& loan = *static_cast<Loan*>(data);
        ++loan.returned;
        loan.octets = Octets();
    }
    void publish(protocol::ChannelId channel, std::size_t size, const wire::Properties* properties,
                 bool lend = false, bool mandatory = false) {
        if (published_ + size > most_published) return;
        if (properties != nullptr && wire::oversized_property(*properties) != nullptr) return;
        const Token token = ledger_.add(Kind::publish, channel.owner);
        ledger_.at(token).size = size;
        const std::string key = std::to_string(ledger_.size());
        Loan& loan = loans_.emplace_back(Loan{Octets(size, std::byte{'b'})});
        protocol::PublishRequest request;
        request.routing_key = key;
        request.properties = properties;
        request.body = loan.octets;
        request.mandatory = mandatory;
        if (lend) {
            request.release = &give_back;
            request.release_data = &loan;
        }
        request.data = token;
        std::uint64_t sequence = 0;
        const Status status = machine_.publish(channel, request, &sequence);
        accepted(status, token);
        loan.taken = lend && status == Status::ok;
        if (!loan.taken) loan.octets = Octets();
        if (status != Status::ok) return;
        published_ += size;
        ledger_.published(token, channel.owner, sequence);
    }

    // Bodies in pieces.
    struct Body {
        protocol::ChannelId channel;
        Token writer;
        std::size_t left;
    };
    void begin_body(protocol::ChannelId channel, std::size_t size) {
        if (published_ + size > most_published) return;
        const Token writer = ledger_.add(Kind::body, channel.owner);
        const Token token = ledger_.add(Kind::publish, channel.owner);
        ledger_.at(token).size = size;
        const std::string key = std::to_string(ledger_.size());
        protocol::PublishRequest request;
        request.routing_key = key;
        std::uint64_t sequence = 0;
        const Status status = machine_.begin_body(channel, protocol::PreparedHead(request), size,
                                                  writer, token, &sequence);
        accepted(status, token);
        accepted(status, writer);
        if (status != Status::ok) return;
        published_ += size;
        bodies_.push_back({channel, writer, size});
        ledger_.published(token, channel.owner, sequence);
    }
    void write_body(Body& body, std::size_t size) {
        const Octets octets(std::min(size, body.left), std::byte{'p'});
        std::size_t taken = 0;
        const Status status = machine_.write_body(body.channel, body.writer, octets, &taken);
        require(status == Status::ok || status == Status::closed || status == Status::would_block,
                "a piece is taken, or refused with a status that is documented");
        require(taken <= octets.size() && (status == Status::ok || taken == 0),
                "no more is taken than is given");
        body.left -= taken;
    }

    // ---- octets

    void receive(Bytes bytes) {
        received_ += bytes.size();
        while (!bytes.empty()) {
            const std::size_t size =
                whole_ || piece_ == 0 ? bytes.size() : std::min(piece_, bytes.size());
            unread_.insert(unread_.end(), bytes.begin(),
                           bytes.begin() + static_cast<std::ptrdiff_t>(size));
            bytes = bytes.subspan(size);
            feed();
        }
    }
    void feed() {
        while (!unread_.empty()) {
            // A block of its own size, for the address sanitizer.
            const Octets block = unread_;
            const std::size_t taken = machine_.feed(block, now_, events_);
            require(taken <= block.size(), "no more is taken than is given");
            const bool enough = events_.size() >= ConnectionMachine::events_per_feed;
            require(events_.size() <= ConnectionMachine::events_per_feed + ledger_.size() + 8,
                    "a feed stops after a handful of events");
            tell();
            unread_.erase(unread_.begin(), unread_.begin() + static_cast<std::ptrdiff_t>(taken));
            if (unread_.empty() || enough) continue;
            require(machine_.wanted() > unread_.size(), "what is wanted is more than is there");
            return;
        }
    }
    void take(std::size_t size) {
        while (size > 0) {
            std::array<protocol::Outbox::Segment, 4> segments;
            if (machine_.outbox().gather(segments, size) == 0) return;
            const std::size_t taken = std::min(size, segments[0].size);
            watch_.read({segments[0].data, taken}, machine_.frame_max());
            machine_.sent(taken, now_, events_);
            size -= taken;
        }
    }
    void take_all() {
        for (;;) {
            machine_.pump(64 * 1024);
            if (machine_.outbox().empty()) break;
            take(machine_.outbox().size());
        }
        tell();
        note("said " + std::to_string(watch_.octets()));
    }

    // ---- events

    void note(std::string_view line) {
        record_ += line;
        record_ += '\n';
    }
    void tell() {
        protocol::EventList writable;
        for (const protocol::MachineEvent& event : events_) {
            tell(event);
            if (event.kind != protocol::EventKind::outcomes) continue;
            note_outcomes();
            machine_.outcomes_taken({event.channel, event.owner}, writable);
        }
        events_.clear();
        for (const protocol::MachineEvent& event : writable)
            tell(event);
    }
    void tell(const protocol::MachineEvent& event) {
        ledger_.on_event(event);
        if (event.kind == protocol::EventKind::channel_open) watch_.channel_is_open(event.channel);
        const std::string text = text_of(event);
        // When there is room for more depends on when outcomes are taken, and that on the pieces.
        const bool any_time = event.kind == protocol::EventKind::outcomes ||
                              event.kind == protocol::EventKind::body_room ||
                              event.kind == protocol::EventKind::writable;
        if (!any_time) note(text);
    }
    // What was settled, and not by how many events: one that comes behind another may find that all
    // of its range is settled.
    void note_outcomes() {
        for (const protocol::Settled& one : ledger_.outcomes()) {
            note("settled " + std::to_string(reinterpret_cast<std::uintptr_t>(one.data)) + ' ' +
                 std::to_string(static_cast<unsigned>(one.outcome)));
        }
        ledger_.clear_outcomes();
    }
    // Reads all that an event shows, so that the address sanitizer sees what is no longer there.
    static std::string text_of(const protocol::MachineEvent& event) {
        std::string text = std::to_string(static_cast<unsigned>(event.kind));
        const auto number = [&](std::uint64_t value) { text += ' ' + std::to_string(value); };
        number(event.channel);
        number(reinterpret_cast<std::uintptr_t>(event.owner));
        number(reinterpret_cast<std::uintptr_t>(event.subject));
        number(event.number);
        number(event.message_count);
        number(event.consumer_count);
        number((event.redelivered ? 1U : 0U) | (event.has_message ? 2U : 0U) |
               (event.silent ? 4U : 0U));
        for (const std::string_view part :
             {event.exchange, event.routing_key, event.name, wire::as_text(event.properties),
              wire::as_text(event.body)}) {
            (text += " '").append(part) += '\'';
        }
        if (event.error) {
            number(static_cast<std::uint64_t>(-static_cast<std::int64_t>(event.error->status)));
            number(event.error->reply_code);
            (text += ' ').append(event.error->message);
        }
        return text;
    }

    // Memory is spent by what came and was handed in, not by what was announced.
    void check_memory() const {
#ifdef HAIGHA_COUNTS_MEMORY
        constexpr std::size_t always = 4 * 1024 * 1024;
        const std::size_t now = __sanitizer_get_current_allocated_bytes();
        const std::size_t most = always + 16 * received_ + 4 * published_;
        require(now <= memory_before_ + most + 2 * record_.capacity(), "memory is bounded");
#endif
    }

    const bool whole_;
    std::size_t piece_ = 0;
    std::deque<Loan> loans_;
    Instant now_{1'000'000'000};
    ConnectionMachine machine_{parameters(), Ref<SlabPool>::adopt(new SlabPool)};
    MachineLedger ledger_;
    WireWatch watch_{ledger_};
    protocol::EventList events_;
    Octets unread_;
    std::vector<protocol::ChannelId> channels_;
    std::vector<Body> bodies_;
    std::size_t published_ = 0;
    std::size_t received_ = 0;
    std::string record_;
    std::size_t memory_before_ = 0;
};

}  // namespace
}  // namespace haigha::fuzz

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace haigha::fuzz;
    Session pieces(false);
    pieces.run(Input(data, size));
    Session whole(true);
    whole.run(Input(data, size));
    require(pieces.record() == whole.record(), "the same is told and said whatever the pieces");
    return 0;
}
