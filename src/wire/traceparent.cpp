#include "wire/traceparent.h"

#include <algorithm>

namespace haigha::wire {

namespace {

constexpr std::uint8_t sampled = 0x01;

// -1: it is none. The standard's digits are lower-case.
int digit_of(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return -1;
}

bool read_octets(std::string_view text, std::uint8_t* octets) {
    for (std::size_t i = 0; i < text.size(); i += 2) {
        const int high = digit_of(text[i]);
        const int low = digit_of(text[i + 1]);
        if (high < 0 || low < 0) return false;
        octets[i / 2] = static_cast<std::uint8_t>(high << 4 | low);
    }
    return true;
}

char* write_octets(const std::uint8_t* octets, std::size_t count, char* at) {
    constexpr std::string_view digits = "0123456789abcdef";
    for (std::size_t i = 0; i < count; ++i) {
        *at++ = digits[octets[i] >> 4];
        *at++ = digits[octets[i] & 0xF];
    }
    return at;
}

template <std::size_t size>
bool is_zero(const std::array<std::uint8_t, size>& octets) {
    return std::all_of(octets.begin(), octets.end(), [](std::uint8_t octet) { return octet == 0; });
}

// ---- tracestate

bool is_lower(char c) {
    return c >= 'a' && c <= 'z';
}
bool is_decimal(char c) {
    return c >= '0' && c <= '9';
}
bool is_key_part(std::string_view text, std::size_t most, bool may_begin_with_digit) {
    const auto fits = [](char c) {
        return is_lower(c) || is_decimal(c) || c == '_' || c == '-' || c == '*' || c == '/';
    };
    return !text.empty() && text.size() <= most &&
           (is_lower(text[0]) || (may_begin_with_digit && is_decimal(text[0]))) &&
           std::all_of(text.begin(), text.end(), fits);
}
bool is_key(std::string_view key) {
    const std::size_t at = key.find('@');
    if (at == std::string_view::npos) return is_key_part(key, 256, false);
    return is_key_part(key.substr(0, at), 241, true) && is_key_part(key.substr(at + 1), 14, false);
}
bool is_value(std::string_view value) {
    const auto fits = [](char c) { return c >= ' ' && c <= '~' && c != ',' && c != '='; };
    return !value.empty() && value.size() <= 256 && value.back() != ' ' &&
           std::all_of(value.begin(), value.end(), fits);
}

std::string_view trimmed(std::string_view text) {
    const std::size_t first = text.find_first_not_of(" \t");
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(" \t") + 1 - first);
}

}  // namespace

bool TraceContext::valid() const {
    return !is_zero(trace_id) && !is_zero(parent_id);
}

const char* parse_traceparent(std::string_view text, TraceContext* context) {
    if (text.size() < traceparent_size) return "it is shorter than 55 characters";
    if (text[2] != '-' || text[35] != '-' || text[52] != '-') {
        return "its parts are not separated by hyphens";
    }
    std::uint8_t version = 0;
    TraceContext read;
    if (!read_octets(text.substr(0, 2), &version) ||
        !read_octets(text.substr(3, 32), read.trace_id.data()) ||
        !read_octets(text.substr(36, 16), read.parent_id.data()) ||
        !read_octets(text.substr(53, 2), &read.flags)) {
        return "it has something else than lower-case hexadecimal digits";
    }
    if (version == 0xFF) return "its version is ff, which is none";
    if (version == 0 && text.size() > traceparent_size) return "it is longer than 55 characters";
    // A later version may go on, with another part.
    if (text.size() > traceparent_size && text[traceparent_size] != '-') {
        return "its parts are not separated by hyphens";
    }
    if (is_zero(read.trace_id)) return "its trace-id is all zeros";
    if (is_zero(read.parent_id)) return "its parent-id is all zeros";
    read.tracestate = {};
    *context = read;
    return nullptr;
}

void format_traceparent(const TraceContext& context, char* text) {
    constexpr std::uint8_t version = 0;
    const std::uint8_t flags = context.flags & sampled;
    text = write_octets(&version, 1, text);
    *text++ = '-';
    text = write_octets(context.trace_id.data(), context.trace_id.size(), text);
    *text++ = '-';
    text = write_octets(context.parent_id.data(), context.parent_id.size(), text);
    *text++ = '-';
    (void)write_octets(&flags, 1, text);
}

bool is_tracestate(std::string_view text) {
    if (text.size() > most_tracestate_octets) return false;
    std::array<std::string_view, most_tracestate_members> keys;
    std::size_t count = 0;
    while (true) {
        const std::size_t end = text.find(',');
        const std::string_view member = trimmed(text.substr(0, end));
        // Empty members are allowed, and nothing.
        if (!member.empty()) {
            const std::size_t equals = member.find('=');
            if (equals == std::string_view::npos || count == keys.size()) return false;
            const std::string_view key = member.substr(0, equals);
            if (!is_key(key) || !is_value(member.substr(equals + 1))) return false;
            const std::string_view* const known = keys.data() + count;
            if (std::find<const std::string_view*>(keys.data(), known, key) != known) return false;
            keys[count++] = key;
        }
        if (end == std::string_view::npos) return count > 0;
        text.remove_prefix(end + 1);
    }
}

std::optional<TraceContext> trace_context_of(Bytes headers, bool* readable) {
    TableCursor fields(headers);
    Field field;
    std::string_view parent;
    std::string_view state;
    std::size_t parents = 0;
    std::size_t states = 0;
    FieldStatus status = FieldStatus::end;
    while ((status = fields.next(field)) == FieldStatus::field) {
        if (field.tag != 'S' && field.tag != 'x') continue;
        const std::string_view text(reinterpret_cast<const char*>(field.bytes.data()),
                                    field.bytes.size());
        if (field.name == traceparent_name) {
            parent = text;
            ++parents;
        } else if (field.name == tracestate_name) {
            state = text;
            ++states;
        }
    }
    *readable = status == FieldStatus::end;
    TraceContext context;
    // Of two nobody knows which one it is.
    if (!*readable || parents != 1 || parse_traceparent(parent, &context) != nullptr) {
        return std::nullopt;
    }
    if (states == 1 && is_tracestate(state)) context.tracestate = state;
    return context;
}

FieldError add_trace_context(FieldTable& headers, const TraceContext& context) {
    std::array<char, traceparent_size> text;
    format_traceparent(context, text.data());
    const FieldError added = headers.add_string(traceparent_name, {text.data(), text.size()});
    if (added != FieldError::none || context.tracestate.empty()) return added;
    return headers.add_string(tracestate_name, context.tracestate);
}

}  // namespace haigha::wire
