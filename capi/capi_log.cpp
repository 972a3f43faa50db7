// A log record as logfmt.
#include "haigha/log.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <ctime>
#include <limits>
#include <string>
#include <string_view>

#include "boundary.h"

using haigha::capi::Arguments;
using haigha::capi::guard;
using haigha::capi::view;

namespace {

constexpr std::array<std::string_view, 5> levels = {"error", "warn", "info", "debug", "trace"};

bool is_plain(char c) {
    return static_cast<unsigned char>(c) > ' ' && c != '"' && c != '=' && c != '\\' && c != '\x7F';
}

void add_value(std::string& line, std::string_view value) {
    if (!value.empty() && std::all_of(value.begin(), value.end(), is_plain)) {
        line += value;
        return;
    }
    constexpr std::string_view digits = "0123456789abcdef";
    line += '"';
    for (const char c : value) {
        const auto octet = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') {
            line += '\\';
            line += c;
        } else if (c == '\n') {
            line += "\\n";
        } else if (c == '\r') {
            line += "\\r";
        } else if (c == '\t') {
            line += "\\t";
        } else if (octet < ' ' || octet == 0x7F) {
            line += "\\u00";
            line += digits[octet >> 4];
            line += digits[octet & 0xF];
        } else {
            line += c;
        }
    }
    line += '"';
}

void add(std::string& line, std::string_view name, std::string_view value) {
    if (!line.empty()) line += ' ';
    // Logfmt has no quotes for names.
    for (const char c : name)
        line += is_plain(c) ? c : '_';
    line += '=';
    add_value(line, value);
}

std::string time_text(std::uint64_t time_ns) {
    const auto seconds = static_cast<std::time_t>(time_ns / 1'000'000'000);
    std::tm utc{};
    (void)::gmtime_r(&seconds, &utc);
    std::array<char, 32> text;
    const std::size_t size = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S.", &utc);
    std::string micros = std::to_string(time_ns % 1'000'000'000 / 1000);
    micros.insert(0, 6 - micros.size(), '0');
    return std::string(text.data(), size) + micros + "Z";
}

std::string field_text(const haigha_field& field) {
    switch (field.type) {
        case HAIGHA_FIELD_STRING:
        case HAIGHA_FIELD_BYTES:
            return std::string(view(field.bytes));
        case HAIGHA_FIELD_BOOL:
            return field.integer != 0 ? "true" : "false";
        case HAIGHA_FIELD_FLOAT:
        case HAIGHA_FIELD_DOUBLE:
            return std::to_string(field.real);
        default:
            return std::to_string(field.integer);
    }
}

void check_text(Arguments& arguments, haigha_str text, const char* name) {
    (void)arguments.text(text, name, std::numeric_limits<std::size_t>::max());
}

// A record may be a program's own: what it points to is checked as other arguments are.
void check_texts(Arguments& arguments, const haigha_log_record& record) {
    check_text(arguments, record.subject, "record->subject");
    check_text(arguments, record.message, "record->message");
    check_text(arguments, record.event, "record->event");
    for (std::size_t i = 0; i < record.field_count; ++i) {
        const haigha_field& field = record.fields[i];
        check_text(arguments, field.name, "record->fields->name");
        const bool has_bytes =
            field.type == HAIGHA_FIELD_STRING || field.type == HAIGHA_FIELD_BYTES;
        if (has_bytes) check_text(arguments, field.bytes, "record->fields->bytes");
    }
}

std::string logfmt(const haigha_log_record& record) {
    std::string line;
    add(line, "time", time_text(record.time_ns));
    add(line, "level", levels[static_cast<std::size_t>(std::clamp(record.level, 0, 4))]);
    if (record.connection_id != 0) {
        add(line, "connection", std::to_string(record.connection_id));
    }
    if (record.subject.size > 0) add(line, "subject", view(record.subject));
    if (record.event.size > 0) add(line, "event", view(record.event));
    add(line, "msg", view(record.message));
    for (std::size_t i = 0; i < record.field_count; ++i) {
        add(line, view(record.fields[i].name), field_text(record.fields[i]));
    }
    return line;
}

}  // namespace

haigha_status haigha_log_logfmt(const haigha_log_record* record, char* buffer, size_t capacity,
                                size_t* size, haigha_error** error) {
    return guard(error, [&]() -> haigha_status {
        Arguments arguments;
        const auto given = arguments.args(record, "record", offsetof(haigha_log_record, event));
        arguments.required(size, "size");
        if (capacity > 0) arguments.required(buffer, "buffer");
        if (given.field_count > 0) arguments.required(given.fields, "record->fields");
        if (!arguments.bad()) check_texts(arguments, given);
        if (arguments.bad()) return arguments.refuse(error);
        const std::string line = logfmt(given);
        std::size_t written = std::min(capacity, line.size());
        // Not in the middle of a character.
        while (written > 0 && written < line.size() &&
               (static_cast<unsigned char>(line[written]) & 0xC0U) == 0x80U) {
            --written;
        }
        std::copy_n(line.data(), written, buffer);
        *size = line.size();
        return HAIGHA_OK;
    });
}
