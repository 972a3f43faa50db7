// Calls that need no broker and keep nothing: what messages' headers say, trace contexts, typed
// arguments of queues, numbers and their text, and records of the log.
#pragma once

#include <haigha/death.h>
#include <haigha/log.h>
#include <haigha/queue_arguments.h>
#include <haigha/retry.h>
#include <haigha/statistics.h>
#include <haigha/streams.h>
#include <haigha/trace_context.h>

#include <array>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "client/message.h"
#include "table_caller.h"
#include "wire/properties.h"

namespace haigha::fuzz {

class ValueCaller : public TableCaller {
  protected:
    using TableCaller::TableCaller;

    // ---- messages

    // One that a broker might have sent: the octets of its properties as the input has them, or
    // such as have the headers that were put together before. Or none.
    haigha_message* message() {
        const unsigned how = input_.u8();
        if (how == 0xFF) return nullptr;
        messages_.push_back(std::make_unique<client::Message>());
        client::Message& made = *messages_.back();
        made.exchange = test::view(short_text());
        made.routing_key = test::view(short_text());
        made.body = test::view(text_of(how / 8));
        made.delivery_tag = input_.u8();
        if (how % 2 == 0) {
            const haigha_str raw = text_of(input_.u8());
            made.properties = std::as_bytes(std::span(raw.data, raw.size));
        } else {
            write_properties(made);
        }
        return reinterpret_cast<haigha_message*>(&made);
    }

    void read_message() {
        const haigha_message* const of = message();
        read_deaths(of);
        std::uint64_t count = 7;
        haigha_status status = haigha_message_delivery_count(of, wanted(&count), error());
        check(status, {HAIGHA_OK, HAIGHA_ERR_MALFORMED});
        require(status == HAIGHA_OK || count == 7, "a call that fails gives nothing");
        check(haigha_message_retries(of, wanted(&count), error()),
              {HAIGHA_OK, HAIGHA_ERR_MALFORMED});
        count = 7;
        status = haigha_message_stream_offset(of, wanted(&count), error());
        check(status, {HAIGHA_OK});
        require(status == HAIGHA_OK ? count <= INT64_MAX : count == 7, "an offset is one");
        haigha_trace_context context{};
        std::int32_t found = 7;
        status = haigha_message_trace_context(of, wanted(&context), &found, error());
        check(status, {HAIGHA_OK, HAIGHA_ERR_MALFORMED});
        require(status == HAIGHA_OK ? found == 0 || found == 1 : found == 7, "found or not");
        if (status == HAIGHA_OK && found == 1) require_goes_round(context);
    }

    // ---- traces

    void use_trace_context() {
        haigha_trace_context context{};
        const haigha_str parent = text();
        const haigha_str state = text();
        const haigha_status status =
            haigha_trace_context_parse(parent, state, wanted(&context), error());
        check(status, {HAIGHA_OK, HAIGHA_ERR_MALFORMED});
        if (status == HAIGHA_OK) {
            require(context.tracestate.size == 0 || context.tracestate.data == state.data,
                    "a tracestate is borrowed or left out");
            require_goes_round(context);
        } else {
            for (std::uint8_t& octet : context.trace_id)
                octet = input_.u8();
            context.parent_id[0] = input_.u8();
            context.tracestate = state;
        }
        std::array<char, HAIGHA_TRACEPARENT_SIZE> written{};
        check(haigha_trace_context_format(&context, wanted(written.data()), error()), {HAIGHA_OK});
        haigha_table* const to = input_.u8() == 0xFF ? nullptr : some_table().get();
        check(haigha_table_add_trace_context(to, &context, error()), {HAIGHA_OK});
        if (to != nullptr) require_walks(to);
    }

    // ---- typed arguments

    void add_queue_arguments() {
        haigha_queue_arguments args = HAIGHA_QUEUE_ARGUMENTS_INIT;
        args.present = input_.flag() ? input_.u8() : input_.u32();
        args.kind = input_.u8() % 5;
        args.overflow = input_.u8() % 5;
        args.dead_letter_strategy = input_.u8() % 4;
        args.single_active_consumer = input_.u8();
        args.lazy = input_.u8();
        args.max_priority = input_.u8();
        fill(args.reserved);
        args.quorum_initial_group_size = input_.u8();
        if (input_.flag()) args.dead_letter_exchange = text();
        if (input_.flag()) args.dead_letter_routing_key = text();
        for (std::uint64_t* const number :
             {&args.message_ttl_ms, &args.expires_ms, &args.max_length, &args.max_length_bytes,
              &args.stream_max_segment_bytes}) {
            *number = number_of_any_size();
        }
        args.delivery_limit = static_cast<std::int64_t>(number_of_any_size());
        if (input_.flag()) args.stream_max_age = text();
        haigha_queue_declare_args declare = HAIGHA_QUEUE_DECLARE_ARGS_INIT;
        declare.durable = input_.flag() ? 1 : 0;
        declare.exclusive = input_.flag() ? 1 : 0;
        declare.auto_delete = input_.flag() ? 1 : 0;
        const haigha_queue_arguments* const given = sized(args);
        const haigha_queue_declare_args* const with = sized(declare);
        const haigha_connection* const on = connection();
        add_to_table([&](haigha_table* to) {
            return haigha_queue_arguments_add(given, with, on, to, error());
        });
    }

    void add_consumer_arguments() {
        haigha_consumer_arguments args = HAIGHA_CONSUMER_ARGUMENTS_INIT;
        args.kind = input_.u8() % 5;
        args.stream_from = input_.u8() % 8;
        fill(args.reserved);
        args.priority = static_cast<std::int32_t>(input_.u32());
        args.stream_offset = number_of_any_size();
        if (input_.flag()) args.stream_interval = text();
        haigha_consume_args consume = HAIGHA_CONSUME_ARGS_INIT;
        consume.no_ack = input_.flag() ? 1 : 0;
        const haigha_consumer_arguments* const given = sized(args);
        const haigha_consume_args* const with = sized(consume);
        add_to_table([&](haigha_table* to) {
            return haigha_consumer_arguments_add(given, with, to, error());
        });
    }

    // ---- numbers

    void ask_statistics() {
        haigha_statistics statistics = HAIGHA_STATISTICS_INIT;
        const auto* const given = sized(statistics);
        const bool unreadable = std::exchange(unreadable_, false);
        const haigha_status status = haigha_connection_statistics(
            connection(), const_cast<haigha_statistics*>(given), error());
        check(status, {HAIGHA_OK});
        require(!unreadable || status != HAIGHA_OK || given->size > sizeof statistics,
                "a struct that cannot be written is refused");
        require(status != HAIGHA_OK || given->state == HAIGHA_STATE_NEW,
                "no call opens a connection but open");
    }

    void add_metrics() {
        if (metrics_ == nullptr || input_.below(16) == 0) {
            haigha_metrics* made = nullptr;
            check(haigha_metrics_new(wanted(&made), error()), {HAIGHA_OK});
            metrics_.reset(made);
        }
        haigha_statistics statistics = HAIGHA_STATISTICS_INIT;
        statistics.published = input_.u64();
        statistics.confirm_latency.buckets[input_.below(HAIGHA_HISTOGRAM_BUCKETS)] = input_.u64();
        statistics.confirm_latency.sum_ns = input_.u64();
        std::vector<haigha_label> labels(input_.below(5) == 4 ? 65 : input_.below(4));
        for (haigha_label& label : labels)
            label = {text(), text()};
        const std::size_t count = labels.size();
        const auto* const given = sized(statistics);
        const bool none = input_.u8() == 0xFF;
        check(haigha_metrics_add(metrics_.get(), given, none ? nullptr : labels.data(), count,
                                 error()),
              {HAIGHA_OK});
        haigha_str text{};
        const haigha_status status =
            haigha_metrics_prometheus(metrics_.get(), wanted(&text), error());
        check(status, {HAIGHA_OK});
        require(text.size == 0 || text.data[text.size - 1] == '\n', "every line has an end");
    }

    // ---- the log

    void write_record() {
        haigha_log_record record{};
        record.size = sizeof record;
        record.level = input_.flag() ? input_.u8() % 5 : static_cast<std::int32_t>(input_.u32());
        record.connection_id = input_.u8();
        record.time_ns = input_.u64();
        record.subject = text();
        record.message = text();
        record.event = text();
        std::vector<haigha_field> fields(input_.below(4));
        for (haigha_field& field : fields) {
            constexpr std::string_view types = "tbBsuIilLfdDSxTAFV";
            field.name = text();
            field.bytes = text();
            field.integer = static_cast<std::int64_t>(input_.u64());
            const std::uint64_t real = input_.u64();
            std::memcpy(&field.real, &real, sizeof real);
            field.type = input_.flag()
                             ? static_cast<unsigned char>(types[input_.below(types.size())])
                             : input_.u32();
            field.scale = input_.u8();
        }
        record.fields = fields.data();
        record.field_count = input_.u8() == 0xFF ? 1 : fields.size();
        if (record.field_count > fields.size()) record.fields = nullptr;
        const auto* const given = sized(record, offsetof(haigha_log_record, event));
        std::vector<char> buffer(input_.u8());
        std::size_t size = 7;
        char* const to = input_.u8() == 0xFF ? nullptr : buffer.data();
        const haigha_status status =
            haigha_log_logfmt(given, to, buffer.size(), wanted(&size), error());
        check(status, {HAIGHA_OK});
        require(status == HAIGHA_OK ? size > 0 : size == 7, "a record has a line");
        require(std::find(buffer.begin(), buffer.end(), '\n') == buffer.end(), "and one alone");
    }

    // ---- what these are made of

    // Mostly the pointer, now and then none.
    template <class Type>
    Type* wanted(Type* pointer) {
        return input_.u8() == 0xFF ? nullptr : pointer;
    }
    haigha_str short_text() { return text_of(input_.below(8)); }
    std::uint64_t number_of_any_size() {
        switch (input_.below(4)) {
            case 0:
                return 0;
            case 1:
                return input_.u8();
            case 2:
                return input_.u32();
            default:
                return input_.u64();
        }
    }

  private:
    void write_properties(client::Message& message) {
        wire::Properties properties;
        properties.present = input_.u16();
        properties.reply_to = test::view(short_text());
        properties.correlation_id = test::view(short_text());
        properties.expiration = test::view(short_text());
        const haigha_table* const headers = table();
        if (headers != nullptr) properties.headers.bytes = headers->table.contents();
        std::vector<unsigned char>& octets =
            structs_.emplace_back(wire::properties_size(properties));
        wire::write_properties(properties, reinterpret_cast<std::byte*>(octets.data()));
        message.properties = std::as_bytes(std::span(octets));
    }

    void read_deaths(const haigha_message* of) {
        std::vector<haigha_death> deaths(input_.below(4));
        std::size_t count = 7;
        haigha_status status =
            haigha_message_deaths(of, deaths.data(), deaths.size(), wanted(&count), error());
        check(status, {HAIGHA_OK, HAIGHA_ERR_MALFORMED});
        require(status == HAIGHA_OK || count == 7, "a call that fails gives nothing");
        if (status != HAIGHA_OK) count = 0;
        std::uint64_t sum = 0;
        for (std::size_t i = 0; i < std::min(count, deaths.size()); ++i) {
            require(deaths[i].count > 0, "a death counts");
            (void)walk(deaths[i].routing_keys, 0);
            sum = std::max(sum, deaths[i].count);
        }
        std::uint64_t counted = 0;
        const haigha_str queue = text();
        const haigha_str reason = text();
        check(haigha_message_death_count(of, queue, reason, wanted(&counted), error()),
              {HAIGHA_OK, HAIGHA_ERR_MALFORMED});
        if (status != HAIGHA_OK) return;
        require(haigha_message_death_count(of, {}, {}, &counted, nullptr) == HAIGHA_OK &&
                    counted >= sum,
                "what is counted is what is told");
    }

    static void require_goes_round(const haigha_trace_context& context) {
        std::array<char, HAIGHA_TRACEPARENT_SIZE> written{};
        require(haigha_trace_context_format(&context, written.data(), nullptr) == HAIGHA_OK,
                "what was read can be written");
        haigha_trace_context again{};
        require(haigha_trace_context_parse({written.data(), written.size()}, context.tracestate,
                                           &again, nullptr) == HAIGHA_OK &&
                    std::memcmp(again.trace_id, context.trace_id, sizeof again.trace_id) == 0 &&
                    std::memcmp(again.parent_id, context.parent_id, sizeof again.parent_id) == 0 &&
                    again.tracestate.size == context.tracestate.size,
                "what was written is read again");
    }

    // add(table): with an error nothing was added.
    template <class Add>
    void add_to_table(Add add) {
        const bool unreadable = std::exchange(unreadable_, false);
        haigha_table* const to = input_.u8() == 0xFF ? nullptr : some_table().get();
        unreadable_ = unreadable;
        const std::size_t before = to != nullptr ? size_of(to) : 0;
        const haigha_status status = add(to);
        check(status, {HAIGHA_OK});
        if (to == nullptr) return;
        require(status == HAIGHA_OK || size_of(to) == before, "with an error nothing was added");
        require_walks(to);
    }

    struct FreeMetrics {
        void operator()(haigha_metrics* metrics) const { haigha_metrics_free(metrics); }
    };
    std::vector<std::unique_ptr<client::Message>> messages_;
    std::unique_ptr<haigha_metrics, FreeMetrics> metrics_;
};

}  // namespace haigha::fuzz
