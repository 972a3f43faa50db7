#include "stub_broker/stub_routing.h"

#include <algorithm>
#include <array>
#include <vector>

#include "wire/field_table.h"
#include "wire/properties.h"

namespace haigha::test {

namespace {

bool is_integer(char tag) {
    return std::string_view("bBsuIilL").find(tag) != std::string_view::npos;
}

// By value, whatever type an integer was written with. Something that is nothing asks only that
// there is a field of that name.
bool same_value(const wire::Field& wanted, const wire::Field& found) {
    if (wanted.tag == 'V') return true;
    if (is_integer(wanted.tag) && is_integer(found.tag)) return wanted.integer == found.integer;
    const auto same = [](wire::Bytes one, wire::Bytes other) {
        return std::equal(one.begin(), one.end(), other.begin(), other.end());
    };
    return wanted.tag == found.tag && wanted.integer == found.integer &&
           wanted.scale == found.scale && wanted.real == found.real &&
           same(wanted.bytes, found.bytes);
}

bool has_field(wire::Bytes headers, const wire::Field& wanted) {
    wire::TableCursor cursor(headers);
    wire::Field field;
    while (cursor.next(field) == wire::FieldStatus::field) {
        if (field.name == wanted.name) return same_value(wanted, field);
    }
    return false;
}

// An empty key has no words.
std::vector<std::string_view> split(std::string_view text) {
    std::vector<std::string_view> words;
    while (!text.empty()) {
        const std::size_t dot = std::min(text.find('.'), text.size());
        words.push_back(text.substr(0, dot));
        if (dot + 1 == text.size()) words.emplace_back();
        text.remove_prefix(std::min(dot + 1, text.size()));
    }
    return words;
}

}  // namespace

bool is_exchange_type(std::string_view type) {
    constexpr std::array<std::string_view, 4> types = {"direct", "fanout", "topic", "headers"};
    return std::find(types.begin(), types.end(), type) != types.end();
}

// Position by position, since a pattern of many # tried in turn would take for ever.
bool topic_matches(std::string_view pattern, std::string_view key) {
    const std::vector<std::string_view> words = split(key);
    // Whether the pattern so far takes the first so many words.
    std::vector<bool> reached(words.size() + 1, false);
    reached[0] = true;
    for (const std::string_view wanted : split(pattern)) {
        if (wanted == "#") {
            for (std::size_t at = 1; at < reached.size(); ++at)
                reached[at] = reached[at] || reached[at - 1];
            continue;
        }
        for (std::size_t at = words.size(); at > 0; --at)
            reached[at] = reached[at - 1] && (wanted == "*" || wanted == words[at - 1]);
        reached[0] = false;
    }
    return reached.back();
}

bool headers_match(wire::Bytes arguments, wire::Bytes properties) {
    wire::Properties message;
    const bool has_headers =
        wire::parse_properties(properties, message) && message.has(wire::property_headers);
    const wire::Bytes headers = has_headers ? message.headers.bytes : wire::Bytes();
    bool any = false;
    bool with_x = false;
    wire::Field field;
    for (wire::TableCursor cursor(arguments); cursor.next(field) == wire::FieldStatus::field;) {
        if (field.name != "x-match") continue;
        const std::string_view how = wire::as_text(field.bytes);
        any = how.starts_with("any");
        with_x = how.ends_with("-with-x");
    }
    for (wire::TableCursor cursor(arguments); cursor.next(field) == wire::FieldStatus::field;) {
        if (field.name == "x-match" || (field.name.starts_with("x-") && !with_x)) continue;
        if (has_field(headers, field) == any) return any;
    }
    return !any;
}

}  // namespace haigha::test
