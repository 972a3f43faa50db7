// Walks, validates and builds field tables.
#include "wire/field_table.h"

#include <array>
#include <bit>
#include <cmath>
#include <functional>
#include <limits>
#include <utility>

namespace haigha::wire {
namespace {

// Reads the value behind a tag that is already in `field`. False for an unknown tag; a value that
// is cut short shows in the reader.
bool read_value(Reader& reader, Field& field) noexcept {
    switch (field.tag) {
        case 't':
            field.integer = reader.u8() != 0;
            return true;
        case 'b':
            // NOLINTNEXTLINE(bugprone-signed-char-misuse): a signed octet is what it is
            field.integer = static_cast<std::int8_t>(reader.u8());
            return true;
        case 'B':
            field.integer = reader.u8();
            return true;
        case 's':  // a short string in the specification; every broker and client writes an int16
            field.integer = static_cast<std::int16_t>(reader.u16());
            return true;
        case 'u':
            field.integer = reader.u16();
            return true;
        case 'I':
            field.integer = static_cast<std::int32_t>(reader.u32());
            return true;
        case 'i':
            field.integer = reader.u32();
            return true;
        case 'l':
        case 'L':  // unsigned in the specification, signed for RabbitMQ and those who write it
        case 'T':
            field.integer = static_cast<std::int64_t>(reader.u64());
            return true;
        case 'f':
            field.real = static_cast<double>(std::bit_cast<float>(reader.u32()));
            return true;
        case 'd':
            field.real = std::bit_cast<double>(reader.u64());
            return true;
        case 'D':
            field.scale = reader.u8();
            field.integer = static_cast<std::int32_t>(reader.u32());
            return true;
        case 'S':
        case 'x':
        case 'A':
        case 'F':
            field.bytes = reader.take(reader.u32());
            return true;
        case 'V':
            return true;
        default:
            return false;
    }
}

bool is_container(char tag) noexcept {
    return tag == 'F' || tag == 'A';
}

}  // namespace

TableCursor::TableCursor(Bytes contents, Kind kind, std::size_t depth) noexcept
    : reader_(contents), kind_(kind), failed_(depth >= max_table_depth) {
    if (!failed_) depth_ = static_cast<std::uint8_t>(depth);
}

FieldStatus TableCursor::next(Field& field) noexcept {
    if (failed_) return FieldStatus::malformed;
    if (reader_.remaining() == 0) return FieldStatus::end;
    field = Field{};
    if (kind_ == Kind::table) field.name = reader_.short_string();
    field.tag = static_cast<char>(reader_.u8());
    if (!read_value(reader_, field) || !reader_.ok() || ++fields_ > max_table_fields) {
        failed_ = true;
        return FieldStatus::malformed;
    }
    return FieldStatus::field;
}

TableCursor TableCursor::nested(const Field& field) const noexcept {
    if (!is_container(field.tag)) return TableCursor({}, Kind::table, max_table_depth);
    const Kind kind = field.tag == 'F' ? Kind::table : Kind::array;
    return TableCursor(field.bytes, kind, std::size_t{depth_} + 1);
}

bool check_table(Bytes contents, TableKind kind) noexcept {
    const TableCursor none({}, kind);
    std::array<TableCursor, max_table_depth> levels = [&]<std::size_t... at>(
        std::index_sequence<at...>) {
        return std::array<TableCursor, sizeof...(at)>{(static_cast<void>(at), none)...};
    }
    (std::make_index_sequence<max_table_depth>{});
    std::size_t depth = 0;
    std::size_t fields = 0;
    levels[0] = TableCursor(contents, kind);
    Field field;
    for (;;) {
        switch (levels[depth].next(field)) {
            case FieldStatus::malformed:
                return false;
            case FieldStatus::end:
                if (depth == 0) return true;
                --depth;
                break;
            case FieldStatus::field:
                if (++fields > max_table_fields) return false;
                if (is_container(field.tag)) {
                    if (depth + 1 == max_table_depth) return false;
                    levels[depth + 1] = levels[depth].nested(field);
                    ++depth;
                }
                break;
        }
    }
}

const char* field_error_text(FieldError error) noexcept {
    switch (error) {
        case FieldError::none:
            return "no error";
        case FieldError::name_too_long:
            return "the name is longer than 255 bytes";
        case FieldError::name_in_array:
            return "an element of an array has no name";
        case FieldError::bad_tag:
            return "the type is unknown";
        case FieldError::out_of_range:
            return "the value does not fit its type";
        case FieldError::not_finite:
            return "NaN and infinity cannot be sent: RabbitMQ fails to read them";
        case FieldError::too_deep:
            return "tables and arrays are nested more than 32 levels deep";
        case FieldError::too_many_fields:
            return "the table has more than 65536 fields";
        case FieldError::too_large:
            return "the table is larger than 2 GiB";
        case FieldError::malformed:
            return "the nested contents cannot be decoded";
    }
    return "unknown error";
}

namespace {

// Whether `part` is in the memory of `whole`.
bool is_within(Bytes whole, Bytes part) noexcept {
    constexpr std::less_equal<> at_most;
    return !part.empty() && at_most(whole.data(), part.data()) &&
           at_most(part.data() + part.size(), whole.data() + whole.size());
}

}  // namespace

FieldError FieldTable::add(const Field& field) {
    const bool own =
        is_within(contents_, field.bytes) || is_within(contents_, as_bytes(field.name));
    if (!own) [[likely]]
        return add_in_place(field);
    // A table that is put into itself, or a field of its own: its memory moves as it grows.
    FieldTable grown(*this);
    const FieldError error = grown.add_in_place(field);
    if (error == FieldError::none) *this = std::move(grown);
    return error;
}

FieldError FieldTable::add_in_place(const Field& field) {
    const std::size_t size = contents_.size();
    const std::size_t fields = fields_;
    const FieldError error = append(field, kind_, 0);
    if (error != FieldError::none) {
        contents_.resize(size);
        fields_ = fields;
    }
    return error;
}

FieldError FieldTable::append(const Field& field, TableKind kind, std::size_t depth) {
    if (++fields_ > max_table_fields) return FieldError::too_many_fields;
    if (kind == TableKind::table) {
        if (field.name.size() > max_short_string) return FieldError::name_too_long;
        append_integer(static_cast<std::uint8_t>(field.name.size()));
        append_raw(as_bytes(field.name));
    } else if (!field.name.empty()) {
        return FieldError::name_in_array;
    }
    append_integer(static_cast<std::uint8_t>(field.tag == 'L' ? 'l' : field.tag));
    const FieldError error = append_value(field, depth);
    if (error != FieldError::none) return error;
    return contents_.size() > max_table_bytes ? FieldError::too_large : FieldError::none;
}

FieldError FieldTable::append_value(const Field& field, std::size_t depth) {
    switch (field.tag) {
        case 't':
            if (field.integer != 0 && field.integer != 1) return FieldError::out_of_range;
            append_integer(static_cast<std::uint8_t>(field.integer));
            return FieldError::none;
        case 'b':
            return append_ranged<std::int8_t>(field.integer);
        case 'B':
            return append_ranged<std::uint8_t>(field.integer);
        case 's':
            return append_ranged<std::int16_t>(field.integer);
        case 'u':
            return append_ranged<std::uint16_t>(field.integer);
        case 'I':
            return append_ranged<std::int32_t>(field.integer);
        case 'i':
            return append_ranged<std::uint32_t>(field.integer);
        case 'l':
        case 'L':
        case 'T':
            append_integer(static_cast<std::uint64_t>(field.integer));
            return FieldError::none;
        case 'f': {
            if (!std::isfinite(field.real)) return FieldError::not_finite;
            constexpr double most = static_cast<double>(std::numeric_limits<float>::max());
            if (std::fabs(field.real) > most) return FieldError::out_of_range;
            append_integer(std::bit_cast<std::uint32_t>(static_cast<float>(field.real)));
            return FieldError::none;
        }
        case 'd':
            if (!std::isfinite(field.real)) return FieldError::not_finite;
            append_integer(std::bit_cast<std::uint64_t>(field.real));
            return FieldError::none;
        case 'D':
            append_integer(field.scale);
            return append_ranged<std::int32_t>(field.integer);
        case 'S':
        case 'x':
            return append_counted(field.bytes);
        case 'A':
        case 'F':
            return append_nested(field, depth + 1);
        case 'V':
            return FieldError::none;
        default:
            return FieldError::bad_tag;
    }
}

// Field by field rather than as one copy, so that nested contents from elsewhere are held to the
// same rules. The recursion is as deep as max_table_depth.
FieldError FieldTable::append_nested(const Field& field, std::size_t depth) {
    if (depth >= max_table_depth) return FieldError::too_deep;
    const std::size_t length_at = contents_.size();
    append_integer(std::uint32_t{0});
    const TableKind kind = field.tag == 'F' ? TableKind::table : TableKind::array;
    TableCursor cursor(field.bytes, kind, depth);
    Field inner;
    for (;;) {
        switch (cursor.next(inner)) {
            case FieldStatus::malformed:
                return FieldError::malformed;
            case FieldStatus::end:
                store_big(contents_.data() + length_at,
                          static_cast<std::uint32_t>(contents_.size() - length_at - 4));
                return FieldError::none;
            case FieldStatus::field:
                if (const FieldError error = append(inner, kind, depth);
                    error != FieldError::none) {
                    return error;
                }
                break;
        }
    }
}

FieldError FieldTable::append_counted(Bytes bytes) {
    // Asked before the copy, so that a wrong length costs neither memory nor a wrapped count.
    if (bytes.size() > max_table_bytes) return FieldError::too_large;
    append_integer(static_cast<std::uint32_t>(bytes.size()));
    append_raw(bytes);
    return FieldError::none;
}

template <class T>
FieldError FieldTable::append_ranged(std::int64_t value) {
    if (!std::in_range<T>(value)) return FieldError::out_of_range;
    append_integer(static_cast<std::make_unsigned_t<T>>(value));
    return FieldError::none;
}

template <class T>
void FieldTable::append_integer(T value) {
    std::array<std::byte, sizeof(T)> octets;
    store_big(octets.data(), value);
    append_raw(octets);
}

void FieldTable::append_raw(Bytes bytes) {
    contents_.insert(contents_.end(), bytes.begin(), bytes.end());
}

FieldError FieldTable::add_string(std::string_view name, std::string_view value) {
    return add(Field{.name = name, .tag = 'S', .bytes = as_bytes(value)});
}

FieldError FieldTable::add_int(std::string_view name, std::int64_t value) {
    const char tag = std::in_range<std::int32_t>(value) ? 'I' : 'l';
    return add(Field{.name = name, .tag = tag, .integer = value});
}

FieldError FieldTable::add_bool(std::string_view name, bool value) {
    return add(Field{.name = name, .tag = 't', .integer = value ? 1 : 0});
}

FieldError FieldTable::add_double(std::string_view name, double value) {
    return add(Field{.name = name, .tag = 'd', .real = value});
}

FieldError FieldTable::add_timestamp(std::string_view name, std::uint64_t value) {
    return add(Field{.name = name, .tag = 'T', .integer = static_cast<std::int64_t>(value)});
}

FieldError FieldTable::add_table(std::string_view name, const FieldTable& value) {
    const char tag = value.kind() == TableKind::table ? 'F' : 'A';
    return add(Field{.name = name, .tag = tag, .bytes = value.contents()});
}

void FieldTable::clear() noexcept {
    contents_.clear();
    fields_ = 0;
}

}  // namespace haigha::wire
