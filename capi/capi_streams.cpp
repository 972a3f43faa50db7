// Readers of streams.
#include "haigha/streams.h"

#include <optional>
#include <string>
#include <utility>

#include "boundary.h"
#include "channel_calls.h"
#include "consume_request.h"
#include "handles.h"
#include "streams/stream_reader.h"
#include "usable.h"
#include "wire/stream_offset.h"

using haigha::ErrorRef;
using haigha::Ref;
using haigha::Status;
using haigha::capi::Arguments;
using haigha::capi::guard;
using haigha::client::Completion;
using haigha::streams::ReaderSettings;
using haigha::streams::StreamReader;

namespace {

constexpr std::size_t longest_name = 255;

StreamReader* core(haigha_stream_reader* reader) {
    return reinterpret_cast<StreamReader*>(reader);
}

StreamReader* usable(Arguments& arguments, haigha_stream_reader* reader) {
    return haigha::capi::usable_object(arguments, core(reader), "reader");
}

auto finder(haigha_stream_reader* reader) {
    return [reader](Arguments& arguments) { return usable(arguments, reader); };
}

ReaderSettings read_settings(Arguments& arguments, const haigha_stream_reader_args* args) {
    const auto given = arguments.args(args, "args");
    ReaderSettings settings;
    settings.stream = arguments.name(given.stream, "args->stream");
    const std::string_view name = arguments.name(given.name, "args->name");
    settings.offsets = arguments.name(given.offset_queue, "args->offset_queue");
    if (settings.stream.empty()) arguments.fault(Status::argument, "args->stream is empty");
    if (name.empty() && settings.offsets.empty()) {
        arguments.fault(Status::argument, "args->name is empty, and args->offset_queue too");
    }
    if (settings.offsets.empty()) {
        settings.offsets = settings.stream + ".offset." + std::string(name);
        if (settings.offsets.size() > longest_name) {
            arguments.fault(Status::argument,
                            "the queue that args->stream and args->name make has a name of " +
                                std::to_string(settings.offsets.size()) + " octets, over 255");
        }
    }
    settings.quorum = given.quorum != 0;
    if (given.save_every != 0) settings.save_every = given.save_every;
    if (given.save_interval_ms != 0) settings.save_interval_ms = given.save_interval_ms;
    return settings;
}

// What starts a consumer, as `ErrorRef (StreamReader&, Completion, int64_t timeout_ms)`.
auto consume(Arguments& arguments, const haigha_consume_args* args) {
    const auto given = arguments.args(args, "args");
    if (given.deliveries.fn == nullptr && given.deliveries.inbox == nullptr) {
        arguments.fault(Status::argument, "args->deliveries has neither fn nor inbox");
    }
    haigha::capi::check_then(arguments, &given.deliveries, "args->deliveries");
    const auto method = haigha::capi::consume_method(arguments, given);
    if (!method.queue.text.empty()) {
        arguments.fault(Status::argument,
                        "args->queue is for the reader to say, which knows its "
                        "stream");
    }
    if (method.no_ack) {
        arguments.fault(Status::argument, "args->no_ack is 1: a stream is read with acks");
    }
    return [method, deliveries = given.deliveries, pauses = given.pause_when_full != 0](
               StreamReader& reader, Completion done, int64_t timeout_ms) {
        return reader.consume(method, pauses, haigha::capi::then_from(&deliveries), std::move(done),
                              timeout_ms);
    };
}

}  // namespace

haigha_status haigha_message_stream_offset(const haigha_message* message, uint64_t* offset,
                                           haigha_error** error) {
    return guard(error, [&]() -> haigha_status {
        Arguments arguments;
        arguments.required(message, "message");
        arguments.required(offset, "offset");
        if (arguments.bad()) return arguments.refuse(error);
        const std::optional<std::int64_t> found =
            haigha::wire::find_stream_offset(haigha::capi::core(message)->properties);
        if (!found || *found < 0) {
            return haigha::capi::refuse(Status::argument,
                                        "the message has no x-stream-offset: it is not of a stream",
                                        error);
        }
        *offset = static_cast<uint64_t>(*found);
        return HAIGHA_OK;
    });
}

haigha_status haigha_stream_reader_new(haigha_channel* channel,
                                       const haigha_stream_reader_args* args,
                                       haigha_stream_reader** reader, haigha_error** error) {
    return guard(error, [&]() -> haigha_status {
        Arguments arguments;
        auto* const object = haigha::capi::usable(arguments, channel);
        ReaderSettings settings = read_settings(arguments, args);
        arguments.required(reader, "reader");
        if (arguments.bad()) return arguments.refuse(error);
        Ref<StreamReader> made;
        ErrorRef refused =
            StreamReader::create(Ref<haigha::client::Channel>(object), std::move(settings), &made);
        if (refused) return haigha::capi::refuse(std::move(refused), error);
        *reader = reinterpret_cast<haigha_stream_reader*>(made.leak());
        return HAIGHA_OK;
    });
}

haigha_status haigha_stream_reader_consume(haigha_stream_reader* reader,
                                           const haigha_consume_args* args, const haigha_then* then,
                                           haigha_error** error) {
    const haigha::client::Offer offer;
    return guard(error, [&]() -> haigha_status {
        Arguments arguments;
        StreamReader* const object = usable(arguments, reader);
        haigha::capi::check_then(arguments, then, "then");
        const auto start = consume(arguments, args);
        if (arguments.bad()) return arguments.refuse(error);
        return haigha::capi::answer(start(*object, Completion(haigha::capi::then_from(then)), -1),
                                    error);
    });
}

haigha_status haigha_stream_reader_consume_wait(haigha_stream_reader* reader,
                                                const haigha_consume_args* args, int64_t timeout_ms,
                                                haigha_reply** reply, haigha_error** error) {
    const haigha::client::Offer offer;
    return guard(error, [&]() -> haigha_status {
        Arguments arguments;
        StreamReader* const object = usable(arguments, reader);
        haigha::capi::check_timeout(arguments, timeout_ms);
        const auto start = consume(arguments, args);
        if (arguments.bad()) return arguments.refuse(error);
        Ref<haigha::client::Reply> answered;
        ErrorRef failed = object->connection().wait(
            [&](Completion done) { return start(*object, std::move(done), timeout_ms); },
            timeout_ms, &answered);
        if (failed) return haigha::capi::refuse(std::move(failed), error);
        if (reply != nullptr) *reply = haigha::capi::give(std::move(answered));
        return HAIGHA_OK;
    });
}

haigha_status haigha_stream_reader_handled(haigha_stream_reader* reader,
                                           const haigha_message* message, haigha_error** error) {
    return guard(error, [&]() -> haigha_status {
        Arguments arguments;
        StreamReader* const object = usable(arguments, reader);
        arguments.required(message, "message");
        if (arguments.bad()) return arguments.refuse(error);
        return haigha::capi::answer(object->handled(*haigha::capi::core(message)), error);
    });
}

haigha_status haigha_stream_reader_save(haigha_stream_reader* reader, const haigha_then* then,
                                        haigha_error** error) {
    return haigha::capi::start_on(
        finder(reader), then, error,
        [](StreamReader& of, Completion done) { return of.save(std::move(done)); });
}
haigha_status haigha_stream_reader_save_wait(haigha_stream_reader* reader, int64_t timeout_ms,
                                             haigha_error** error) {
    return haigha::capi::wait_on(finder(reader), timeout_ms, error, [&](StreamReader& of) {
        return of.connection().wait([&](Completion done) { return of.save(std::move(done)); },
                                    timeout_ms, nullptr);
    });
}

haigha_status haigha_stream_reader_info(const haigha_stream_reader* reader, haigha_str name,
                                        int64_t* value, haigha_error** error) {
    return guard(error, [&]() -> haigha_status {
        Arguments arguments;
        return haigha::capi::info(arguments,
                                  usable(arguments, const_cast<haigha_stream_reader*>(reader)),
                                  name, value, "a reader of a stream has no number called", error);
    });
}

haigha_stream_reader* haigha_stream_reader_ref(haigha_stream_reader* reader) {
    if (reader != nullptr) core(reader)->handles().add();
    return reader;
}
void haigha_stream_reader_unref(haigha_stream_reader* reader) {
    haigha::capi::unref(core(reader));
}
