#include "property_options.h"

#include <charconv>
#include <ctime>
#include <string_view>

#include "failure.h"
#include "property_texts.h"

namespace tool {

namespace {

std::uint64_t parse_timestamp(std::string_view text) {
    if (text == "now") return static_cast<std::uint64_t>(std::time(nullptr));
    std::uint64_t seconds = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
    if (error != std::errc() || end != text.data() + text.size()) {
        throw Failure(exit_usage,
                      "--timestamp takes whole seconds since 1970-01-01 UTC, or \"now\"");
    }
    return seconds;
}

TableHandle parse_headers(const std::vector<std::string>& headers) {
    TableHandle table;
    ErrorSlot error;
    require(haigha_table_new(out(table), error), error);
    for (const std::string_view header : headers) {
        const std::size_t equals = header.find('=');
        if (equals == std::string_view::npos) {
            throw Failure(exit_usage, "--header takes NAME=VALUE, not \"" + std::string(header) +
                                          "\", which has no =");
        }
        require(haigha_table_add_string(table.get(), to_str(header.substr(0, equals)),
                                        to_str(header.substr(equals + 1)), error),
                error);
    }
    return table;
}

bool has_field(const haigha_table* table, haigha_str name) {
    haigha_cursor cursor;
    haigha_field field;
    if (haigha_table_cursor(table, &cursor) != HAIGHA_OK) return false;
    while (haigha_cursor_next(&cursor, &field) == 1) {
        if (to_view(field.name) == to_view(name)) return true;
    }
    return false;
}

// The fields of `from`, but for those that `besides` has too; NULL: none has it.
void add_fields(haigha_table* to, const haigha_table* from, const haigha_table* besides) {
    ErrorSlot error;
    haigha_cursor cursor;
    haigha_field field;
    require(haigha_table_cursor(from, &cursor), error);
    while (haigha_cursor_next(&cursor, &field) == 1) {
        if (besides != nullptr && has_field(besides, field.name)) continue;
        require(haigha_table_add(to, &field, error), error);
    }
}

}  // namespace

void add_property_options(CLI::App& command, PropertyOptions& options) {
    const char* const group = "Message";
    const auto text = [&](const char* flag, std::optional<std::string>& target,
                          const char* meaning) {
        command.add_option(flag, target, meaning)->option_text("TEXT")->group(group);
    };
    auto* const persistent = command.add_flag("--persistent", options.persistent,
                                              "Survives a restart in a durable queue");
    persistent->group(group);
    command.add_flag("--transient", options.transient, "Does not, and says so")
        ->group(group)
        ->excludes(persistent);
    command.add_option("--header", options.headers, "A header; may be repeated")
        ->option_text("NAME=VALUE")
        ->take_all()
        ->allow_extra_args(false)
        ->group(group);
    text("--content-type", options.content_type, "For example application/json");
    text("--content-encoding", options.content_encoding, "For example gzip");
    command.add_option("--priority", options.priority, "0 to 255; needs a queue with priorities")
        ->option_text("N")
        ->check(CLI::Range(0, 255))
        ->group(group);
    text("--correlation-id", options.correlation_id, "Which request this answers");
    text("--reply-to", options.reply_to, "The queue for the answer");
    command
        .add_option("--expiration", options.expiration,
                    "Milliseconds until the broker drops it from a queue")
        ->option_text("MS")
        ->group(group);
    text("--message-id", options.message_id, "The application's name for it");
    command.add_option("--timestamp", options.timestamp, "Seconds since 1970-01-01 UTC, or now")
        ->option_text("SECONDS")
        ->group(group);
    text("--type", options.type, "The application's kind of message");
    text("--user-id", options.user_id, "The broker refuses any but the connection's user");
    text("--app-id", options.app_id, "The publishing application");
    text("--cluster-id", options.cluster_id, "Deprecated; brokers pass it on");
}

PropertySet::PropertySet(const PropertyOptions& options) {
    const auto text = [this](std::uint32_t bit, haigha_str& target,
                             const std::optional<std::string>& value) {
        if (!value) return;
        properties_.present |= bit;
        target = to_str(*value);
    };
    text(HAIGHA_PROPERTY_CONTENT_TYPE, properties_.content_type, options.content_type);
    text(HAIGHA_PROPERTY_CONTENT_ENCODING, properties_.content_encoding, options.content_encoding);
    text(HAIGHA_PROPERTY_CORRELATION_ID, properties_.correlation_id, options.correlation_id);
    text(HAIGHA_PROPERTY_REPLY_TO, properties_.reply_to, options.reply_to);
    text(HAIGHA_PROPERTY_EXPIRATION, properties_.expiration, options.expiration);
    text(HAIGHA_PROPERTY_MESSAGE_ID, properties_.message_id, options.message_id);
    text(HAIGHA_PROPERTY_TYPE, properties_.type, options.type);
    text(HAIGHA_PROPERTY_USER_ID, properties_.user_id, options.user_id);
    text(HAIGHA_PROPERTY_APP_ID, properties_.app_id, options.app_id);
    text(HAIGHA_PROPERTY_CLUSTER_ID, properties_.cluster_id, options.cluster_id);
    if (options.persistent || options.transient) {
        properties_.present |= HAIGHA_PROPERTY_DELIVERY_MODE;
        properties_.delivery_mode = options.persistent ? 2 : 1;
    }
    if (options.priority) {
        properties_.present |= HAIGHA_PROPERTY_PRIORITY;
        properties_.priority = static_cast<std::uint8_t>(*options.priority);
    }
    if (options.timestamp) {
        properties_.present |= HAIGHA_PROPERTY_TIMESTAMP;
        properties_.timestamp = parse_timestamp(*options.timestamp);
    }
    if (!options.headers.empty()) {
        headers_ = parse_headers(options.headers);
        properties_.present |= HAIGHA_PROPERTY_HEADERS;
        properties_.headers = headers_.get();
    }
}

haigha_properties PropertySet::over(const haigha_properties& message, TableHandle& headers) const {
    haigha_properties result = message;
    result.present |= properties_.present;
    const auto has = [this](std::uint32_t bit) { return (properties_.present & bit) != 0; };
    for (const PropertyText& text : property_texts) {
        if (has(text.bit)) result.*text.member = properties_.*text.member;
    }
    if (has(HAIGHA_PROPERTY_DELIVERY_MODE)) result.delivery_mode = properties_.delivery_mode;
    if (has(HAIGHA_PROPERTY_PRIORITY)) result.priority = properties_.priority;
    if (has(HAIGHA_PROPERTY_TIMESTAMP)) result.timestamp = properties_.timestamp;
    if (!has(HAIGHA_PROPERTY_HEADERS)) return result;
    result.headers = properties_.headers;
    if ((message.present & HAIGHA_PROPERTY_HEADERS) != 0) {
        ErrorSlot error;
        require(haigha_table_new(out(headers), error), error);
        add_fields(headers.get(), message.headers, properties_.headers);
        add_fields(headers.get(), properties_.headers, nullptr);
        result.headers = headers.get();
    }
    return result;
}

}  // namespace tool
