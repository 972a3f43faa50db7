// Field tables and arrays: walked lazily without allocating, validated, built, described.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "wire/cursor.h"

namespace haigha::wire {

// Levels of tables and arrays inside each other, the outermost included. Protects the stack of
// whoever walks or rebuilds a table by recursion, in this library or in a binding (rule 111).
inline constexpr std::size_t max_table_depth = 32;
// Fields of a table in all, those of nested ones included. Protects from a frame whose every octet
// is a field ('V' in an array) and costs a hundred times its size as objects of some language.
inline constexpr std::size_t max_table_fields = 65536;
// Octets of a table that FieldTable will build. Its length must fit 32 bits, signed in many
// clients; in practice frame_max, far smaller, refuses the frame that carries it.
inline constexpr std::size_t max_table_bytes = 0x7FFFFFFF;

enum class TableKind : std::uint8_t { table, array };

// One field, or one element of an array. The tags, as RabbitMQ means them (its errata differ from
// the specification): t bool; b B int8 uint8; s u int16 uint16; I i int32 uint32; l L both int64;
// f d float double; D decimal; S text; x octets; T timestamp; F table; A array; V nothing.
struct Field {
    std::string_view name{};  // empty in an array
    char tag = 'V';
    std::uint8_t scale = 0;  // D: the value is integer / 10^scale
    // Every integer tag, bool (0, 1), a decimal's unscaled value; T as the bits of its 64.
    std::int64_t integer = 0;
    double real = 0;  // f, d
    Bytes bytes{};    // S, x: the contents; F, A: encoded contents without length, for nested()
};

enum class FieldStatus : std::uint8_t { field, end, malformed };

// Walks the encoded contents of a table or an array, which must outlive it. Each step looks only at
// one field and skips nested contents by their length. `malformed` is final.
class TableCursor {
  public:
    using Kind = TableKind;

    explicit TableCursor(Bytes contents, Kind kind = Kind::table, std::size_t depth = 0) noexcept;

    FieldStatus next(Field& field) noexcept;

    // A cursor over a field of tag F or A; over anything else it reports malformed. Too deep a
    // cursor reports malformed as well, so recursion over nested() is bounded. The cursor counts
    // the fields of its own level; only check_table counts them all.
    TableCursor nested(const Field& field) const noexcept;

    // What has not been walked yet: another cursor can go on from there.
    Bytes rest() const noexcept { return reader_.rest(); }

  private:
    Reader reader_;
    std::uint32_t fields_ = 0;
    std::uint8_t depth_ = 0;
    Kind kind_ = Kind::table;
    bool failed_ = false;
};

// Whether it is one of the integers, of any width; not a timestamp.
inline bool is_integer(const Field& field) noexcept {
    return std::string_view("bBsuIilL").find(field.tag) != std::string_view::npos;
}

// What a peer counts in it: 0 where it is no integer, or below.
inline std::uint64_t natural(const Field& field) noexcept {
    return is_integer(field) && field.integer > 0 ? static_cast<std::uint64_t>(field.integer) : 0;
}

// True when every field at every level can be read, within the limits above. Without recursion.
bool check_table(Bytes contents, TableKind kind = TableKind::table) noexcept;

enum class FieldError : std::uint8_t {
    none,
    name_too_long,    // over max_short_string octets
    name_in_array,    // elements have no names
    bad_tag,          // unknown
    out_of_range,     // the value does not fit its tag
    not_finite,       // NaN, infinities: RabbitMQ's parser fails on them
    too_deep,         // max_table_depth
    too_many_fields,  // max_table_fields
    too_large,        // max_table_bytes
    malformed,        // the contents of an F or A cannot be read
};

// One sentence without the field's name.
const char* field_error_text(FieldError error) noexcept;

// Builds the encoded contents of a table or an array. It emits only what RabbitMQ 3.10 to 4.3
// accept: L, which others read as unsigned, becomes l, also inside nested contents.
class FieldTable {
  public:
    explicit FieldTable(TableKind kind = TableKind::table) noexcept : kind_(kind) {}

    TableKind kind() const noexcept { return kind_; }
    // Valid until the next add. Without the four octets of the length.
    Bytes contents() const noexcept { return contents_; }
    bool empty() const noexcept { return contents_.empty(); }
    std::size_t field_count() const noexcept { return fields_; }

    // Appends a copy of the field; with an error nothing has changed. Names are not compared: a
    // second field of one name follows the first.
    [[nodiscard]] FieldError add(const Field& field);

    // The same for the common types; in an array the name is empty. An integer takes I when it
    // fits, as pika and Java's client do, else l.
    [[nodiscard]] FieldError add_string(std::string_view name, std::string_view value);
    [[nodiscard]] FieldError add_int(std::string_view name, std::int64_t value);
    [[nodiscard]] FieldError add_bool(std::string_view name, bool value);
    [[nodiscard]] FieldError add_double(std::string_view name, double value);
    [[nodiscard]] FieldError add_timestamp(std::string_view name, std::uint64_t value);
    // A table or an array, by the kind of `value`.
    [[nodiscard]] FieldError add_table(std::string_view name, const FieldTable& value);

    void clear() noexcept;

  private:
    FieldError add_in_place(const Field& field);
    FieldError append(const Field& field, TableKind kind, std::size_t depth);
    FieldError append_value(const Field& field, std::size_t depth);
    FieldError append_nested(const Field& field, std::size_t depth);
    FieldError append_counted(Bytes bytes);
    template <class T>
    FieldError append_ranged(std::int64_t value);
    template <class T>
    void append_integer(T value);
    void append_raw(Bytes bytes);

    std::vector<std::byte> contents_;
    std::size_t fields_ = 0;
    TableKind kind_;
};

// {a=1, b="x", c=[true, 2.5]} for the tracer, bounded in depth and length; a malformed table says
// so where it breaks.
std::string describe_table(Bytes contents, TableKind kind = TableKind::table);

}  // namespace haigha::wire
