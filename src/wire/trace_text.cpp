// Formats strings, numbers and tables for the frame tracer.
#include "wire/trace_text.h"

#include <array>
#include <charconv>

#include "wire/field_table.h"

namespace haigha::wire {
namespace {

// Deeper tables are shown as {...}: what a person reads on one line, and far from any stack's end.
constexpr std::size_t max_traced_depth = 8;

template <class T>
void append_formatted(T value, std::string& out) {
    std::array<char, 32> text;  // the longest double takes 24
    const auto result = std::to_chars(text.data(), text.data() + text.size(), value);
    out.append(text.data(), result.ptr);
}

void append_hex(unsigned char octet, std::string& out) {
    constexpr std::string_view digits = "0123456789abcdef";
    out += digits[octet >> 4];
    out += digits[octet & 0xF];
}

class TableText {
  public:
    explicit TableText(std::string& out) : out_(out), limit_(out.size() + max_traced_table) {}

    void append(TableCursor cursor, TableKind kind, std::size_t depth) {
        const bool named = kind == TableKind::table;
        out_ += named ? '{' : '[';
        append_fields(cursor, named, depth);
        out_ += named ? '}' : ']';
    }

  private:
    void append_fields(TableCursor& cursor, bool named, std::size_t depth) {
        Field field;
        std::string_view separator;
        for (;;) {
            const FieldStatus status = cursor.next(field);
            if (status == FieldStatus::end) return;
            out_ += separator;
            separator = ", ";
            if (status == FieldStatus::malformed) {
                out_ += "<malformed>";
                return;
            }
            if (out_.size() >= limit_) {
                out_ += "...";
                return;
            }
            if (named) {
                append_name(field.name);
                out_ += '=';
            }
            append_value(cursor, field, depth);
        }
    }

    // Unquoted while it looks like a name.
    void append_name(std::string_view name) {
        constexpr std::string_view plain =
            "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
        if (!name.empty() && name.size() <= max_traced_string &&
            name.find_first_not_of(plain) == std::string_view::npos) {
            out_ += name;
        } else {
            append_quoted(name, out_);
        }
    }

    void append_value(const TableCursor& cursor, const Field& field, std::size_t depth) {
        switch (field.tag) {
            case 't':
                out_ += field.integer != 0 ? "true" : "false";
                break;
            case 'T':
                append_number(static_cast<std::uint64_t>(field.integer), out_);
                break;
            case 'D':
                append_number(field.integer, out_);
                out_ += "e-";
                append_number(std::uint64_t{field.scale}, out_);
                break;
            case 'f':
                append_formatted(static_cast<float>(field.real), out_);
                break;
            case 'd':
                append_number(field.real, out_);
                break;
            case 'S':
                append_quoted(as_text(field.bytes), out_);
                break;
            case 'x':
                append_octets(field.bytes);
                break;
            case 'F':
            case 'A':
                if (depth + 1 >= max_traced_depth) {
                    out_ += field.tag == 'F' ? "{...}" : "[...]";
                } else {
                    append(cursor.nested(field),
                           field.tag == 'F' ? TableKind::table : TableKind::array, depth + 1);
                }
                break;
            case 'V':
                out_ += "void";
                break;
            default:
                append_number(field.integer, out_);
                break;
        }
    }

    void append_octets(Bytes octets) {
        constexpr std::size_t shown = 16;
        out_ += "0x";
        for (const std::byte octet : octets.first(octets.size() < shown ? octets.size() : shown)) {
            append_hex(std::to_integer<unsigned char>(octet), out_);
        }
        if (octets.size() > shown) out_ += "...";
    }

    std::string& out_;
    const std::size_t limit_;
};

}  // namespace

void append_number(std::uint64_t value, std::string& out) {
    append_formatted(value, out);
}
void append_number(std::int64_t value, std::string& out) {
    append_formatted(value, out);
}
void append_number(double value, std::string& out) {
    append_formatted(value, out);
}

void append_quoted(std::string_view text, std::string& out) {
    const std::string_view shown = text.substr(0, max_traced_string);
    out += '"';
    for (const char character : shown) {
        const auto octet = static_cast<unsigned char>(character);
        if (character == '"' || character == '\\') {
            out += '\\';
            out += character;
        } else if (octet < 0x20 || octet == 0x7F) {
            out += "\\x";
            append_hex(octet, out);
        } else {
            out += character;
        }
    }
    out += '"';
    if (shown.size() < text.size()) {
        out += "...(";
        append_number(std::uint64_t{text.size()}, out);
        out += " bytes)";
    }
}

void append_table(Bytes contents, std::string& out) {
    TableText(out).append(TableCursor(contents), TableKind::table, 0);
}

std::string describe_table(Bytes contents, TableKind kind) {
    std::string out;
    TableText(out).append(TableCursor(contents, kind), kind, 0);
    return out;
}

}  // namespace haigha::wire
