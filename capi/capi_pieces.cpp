// Bodies in pieces: writers, and consumers that take them.
#include "haigha/pieces.h"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "boundary.h"
#include "channel_calls.h"
#include "client/body_writer.h"
#include "client/piece_event.h"
#include "consume_request.h"
#include "handles.h"
#include "publish_request.h"
#include "traced_request.h"
#include "usable.h"

using haigha::ErrorRef;
using haigha::Ref;
using haigha::Status;
using haigha::capi::Arguments;
using haigha::capi::guard;
using haigha::client::BodyWriter;
using haigha::client::PieceEvent;
using haigha::client::PieceKind;

namespace {

constexpr std::uint64_t max_body_size = std::uint64_t{1} << 40;

BodyWriter* core(haigha_body_writer* writer) {
    return reinterpret_cast<BodyWriter*>(writer);
}

BodyWriter* usable(Arguments& arguments, haigha_body_writer* writer) {
    return haigha::capi::usable_object(arguments, core(writer), "writer");
}

#define SAME_NUMBER(ours, theirs) static_assert(static_cast<int>(ours) == (theirs))
SAME_NUMBER(PieceKind::begin, HAIGHA_PIECE_BEGIN);
SAME_NUMBER(PieceKind::octets, HAIGHA_PIECE_OCTETS);
SAME_NUMBER(PieceKind::end, HAIGHA_PIECE_END);
SAME_NUMBER(PieceKind::aborted, HAIGHA_PIECE_ABORTED);
SAME_NUMBER(PieceKind::cancelled, HAIGHA_PIECE_CANCELLED);
#undef SAME_NUMBER

haigha_piece piece_of(const haigha::client::Event& event, PieceKind kind) {
    haigha_piece piece{};
    piece.size = sizeof piece;
    piece.kind = static_cast<std::uint32_t>(kind);
    piece.delivery_tag = event.number;
    piece.consumer_tag = haigha::capi::str(event.consumer_tag);
    piece.channel = reinterpret_cast<haigha_channel*>(event.channel);
    piece.error = reinterpret_cast<const haigha_error*>(event.error);
    return piece;
}

haigha_piece begin_of(const haigha::client::Event& event, std::uint64_t body_size) {
    haigha_piece piece = piece_of(event, PieceKind::begin);
    piece.flags = event.flags;
    piece.body_size = body_size;
    piece.message = reinterpret_cast<haigha_message*>(event.message);
    return piece;
}

// A delivery that came whole in one frame is told as one that did not.
void tell_whole(haigha_piece_fn fn, const haigha::client::Event& event, void* user_data) {
    event.message->body = {};
    const haigha_piece begin = begin_of(event, event.body.size);
    fn(&begin, user_data);
    if (event.body.size > 0) {
        haigha_piece octets = piece_of(event, PieceKind::octets);
        octets.octets = haigha::capi::str(event.body);
        fn(&octets, user_data);
    }
    haigha_piece end = piece_of(event, PieceKind::end);
    end.offset = event.body.size;
    fn(&end, user_data);
}

void invoke(haigha::client::Then::AnyFunction any, const haigha::client::Event& event,
            void* user_data) {
    const auto fn = reinterpret_cast<haigha_piece_fn>(any);
    if (event.type == haigha::client::EventType::delivery) {
        tell_whole(fn, event, user_data);
        return;
    }
    if (event.type == haigha::client::EventType::consumer_cancelled) {
        const haigha_piece cancelled = piece_of(event, PieceKind::cancelled);
        fn(&cancelled, user_data);
        return;
    }
    const auto& told = static_cast<const PieceEvent&>(event);
    haigha_piece piece =
        told.kind == PieceKind::begin ? begin_of(told, told.body_size) : piece_of(told, told.kind);
    piece.offset = told.offset;
    piece.octets = haigha::capi::str(told.body);
    fn(&piece, user_data);
}

auto consume_pieces(const haigha_consume_args* args, const haigha_pieces_args* pieces) {
    return [args, pieces](Arguments& arguments) {
        const auto given = arguments.args(args, "args");
        const auto taker = arguments.args(pieces, "pieces");
        arguments.required(reinterpret_cast<const void*>(taker.fn), "pieces->fn");
        if (given.deliveries.fn != nullptr || given.deliveries.inbox != nullptr ||
            given.deliveries.release != nullptr || given.pause_when_full != 0) {
            arguments.fault(Status::argument,
                            "args->deliveries and args->pause_when_full are not for a consumer of "
                            "pieces");
        }
        const auto method = haigha::capi::consume_method(arguments, given);
        return [method, taker](haigha::client::Channel& channel, haigha::client::Completion done,
                               int64_t timeout_ms) {
            haigha::client::Then then(&invoke,
                                      reinterpret_cast<haigha::client::Then::AnyFunction>(taker.fn),
                                      taker.user_data, taker.release, nullptr, 0);
            return channel.consume(method, {.in_pieces = true}, std::move(then), std::move(done),
                                   timeout_ms);
        };
    };
}

// `write(writer, octets)`, once they were read.
template <class Write>
haigha_status write(haigha_body_writer* writer, haigha_str octets, size_t* taken,
                    haigha_error** error, Write write) {
    return guard(error, [&]() -> haigha_status {
        Arguments arguments;
        BodyWriter* const object = usable(arguments, writer);
        arguments.required(taken, "taken");
        haigha::protocol::PublishRequest request;
        haigha::capi::read_body(arguments, octets, request);
        if (taken != nullptr) *taken = 0;
        if (arguments.bad()) return arguments.refuse(error);
        return write(*object, request.body);
    });
}

}  // namespace

haigha_status haigha_body_writer_new(haigha_channel* channel, const haigha_publish_args* args,
                                     uint64_t body_size, const haigha_then* events,
                                     haigha_body_writer** writer, haigha_error** error) {
    const haigha::client::Offer offer;
    return guard(error, [&]() -> haigha_status {
        Arguments arguments;
        auto* const object = haigha::capi::usable(arguments, channel);
        std::optional<haigha::wire::Properties> properties;
        haigha::protocol::PublishRequest request;
        haigha::capi::read_request(arguments, args, properties, request);
        haigha::capi::check_then(arguments, events, "events");
        if (body_size > max_body_size) {
            arguments.fault(Status::argument,
                            "body_size is " + std::to_string(body_size) + ", over 2^40");
        }
        arguments.required(writer, "writer");
        if (arguments.bad()) return arguments.refuse(error);
        *writer = haigha::capi::with_trace(
            object->connection(), request, [&](const haigha::protocol::PublishRequest& traced) {
                return reinterpret_cast<haigha_body_writer*>(
                    new BodyWriter(Ref<haigha::client::Channel>(object), traced, body_size,
                                   haigha::capi::then_from(events)));
            });
        return HAIGHA_OK;
    });
}

haigha_status haigha_body_write(haigha_body_writer* writer, haigha_str octets, size_t* taken,
                                haigha_error** error) {
    return write(writer, octets, taken, error,
                 [&](BodyWriter& object, auto bytes) -> haigha_status {
                     const Status status = object.write(bytes, taken);
                     if (status == Status::ok) return HAIGHA_OK;
                     // WOULD_BLOCK is no failure, and comes often: details only for who asks.
                     if (error == nullptr) return haigha::capi::number(status);
                     return haigha::capi::refuse(object.refusal(status, bytes.size()), error);
                 });
}

haigha_status haigha_body_write_wait(haigha_body_writer* writer, haigha_str octets,
                                     int64_t timeout_ms, size_t* taken, haigha_error** error) {
    return write(
        writer, octets, taken, error, [&](BodyWriter& object, auto bytes) -> haigha_status {
            Arguments arguments;
            haigha::capi::check_timeout(arguments, timeout_ms);
            if (arguments.bad()) return arguments.refuse(error);
            return haigha::capi::answer(object.write_wait(bytes, timeout_ms, taken), error);
        });
}

uint64_t haigha_body_writer_sequence(const haigha_body_writer* writer) {
    return writer != nullptr ? core(const_cast<haigha_body_writer*>(writer))->sequence() : 0;
}

haigha_status haigha_body_writer_abort(haigha_body_writer* writer, haigha_error** error) {
    return guard(error, [&]() -> haigha_status {
        Arguments arguments;
        BodyWriter* const object = usable(arguments, writer);
        if (arguments.bad()) return arguments.refuse(error);
        object->abort();
        return HAIGHA_OK;
    });
}

haigha_body_writer* haigha_body_writer_ref(haigha_body_writer* writer) {
    if (writer != nullptr) core(writer)->handles().add();
    return writer;
}
void haigha_body_writer_unref(haigha_body_writer* writer) {
    haigha::capi::unref(core(writer));
}

haigha_status haigha_consume_pieces(haigha_channel* channel, const haigha_consume_args* args,
                                    const haigha_pieces_args* pieces, const haigha_then* then,
                                    haigha_error** error) {
    return haigha::capi::run(channel, then, error, consume_pieces(args, pieces));
}
haigha_status haigha_consume_pieces_wait(haigha_channel* channel, const haigha_consume_args* args,
                                         const haigha_pieces_args* pieces, int64_t timeout_ms,
                                         haigha_reply** reply, haigha_error** error) {
    return haigha::capi::run_wait(channel, timeout_ms, reply, error, consume_pieces(args, pieces));
}

haigha_status haigha_connection_pause_reading(haigha_connection* connection, haigha_error** error) {
    return guard(error, [&]() -> haigha_status {
        Arguments arguments;
        auto* const object = haigha::capi::usable(arguments, connection);
        if (arguments.bad()) return arguments.refuse(error);
        object->pause_reading();
        return HAIGHA_OK;
    });
}
haigha_status haigha_connection_resume_reading(haigha_connection* connection,
                                               haigha_error** error) {
    return guard(error, [&]() -> haigha_status {
        Arguments arguments;
        auto* const object = haigha::capi::usable(arguments, connection);
        if (arguments.bad()) return arguments.refuse(error);
        object->continue_reading();
        return HAIGHA_OK;
    });
}
