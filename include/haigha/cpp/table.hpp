// haigha::Table and haigha::Fields: AMQP field tables, written and read. Part of haigha/haigha.hpp.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <optional>
#include <string_view>
#include <utility>

#include "handle.hpp"

namespace haigha {
inline namespace v0_1 {

class Fields;

// One named value that was read. Borrowed from what holds the table.
class Field {
  public:
    Field(const haigha_field& raw, const haigha_cursor& cursor) noexcept
        : raw_(raw), cursor_(cursor) {}

    std::string_view name() const noexcept { return view(raw_.name); }
    // HAIGHA_FIELD_*.
    std::uint32_t type() const noexcept { return raw_.type; }
    bool is_void() const noexcept { return raw_.type == HAIGHA_FIELD_VOID; }
    // None where the value is of another kind.
    std::optional<bool> boolean() const noexcept {
        if (raw_.type != HAIGHA_FIELD_BOOL) return std::nullopt;
        return raw_.integer != 0;
    }
    // Any of the integers, or a timestamp.
    std::optional<std::int64_t> integer() const noexcept {
        switch (raw_.type) {
            case HAIGHA_FIELD_INT8:
            case HAIGHA_FIELD_UINT8:
            case HAIGHA_FIELD_INT16:
            case HAIGHA_FIELD_UINT16:
            case HAIGHA_FIELD_INT32:
            case HAIGHA_FIELD_UINT32:
            case HAIGHA_FIELD_INT64:
            case HAIGHA_FIELD_INT64_L:
            case HAIGHA_FIELD_TIMESTAMP:
                return raw_.integer;
            default:
                return std::nullopt;
        }
    }
    std::optional<double> real() const noexcept {
        if (raw_.type != HAIGHA_FIELD_FLOAT && raw_.type != HAIGHA_FIELD_DOUBLE) {
            return std::nullopt;
        }
        return raw_.real;
    }
    std::optional<std::string_view> text() const noexcept {
        if (raw_.type != HAIGHA_FIELD_STRING && raw_.type != HAIGHA_FIELD_BYTES) {
            return std::nullopt;
        }
        return view(raw_.bytes);
    }
    // Of an array or a table; of anything else nothing.
    Fields fields() const noexcept;

    const haigha_field& raw() const noexcept { return raw_; }

  private:
    haigha_field raw_;
    haigha_cursor cursor_;
};

// What a table or an array holds, one after the other, read in place: for (const Field& field :
// message.headers()). Borrowed from what holds it.
class Fields {
  public:
    Fields() noexcept = default;
    explicit Fields(const haigha_cursor& cursor) noexcept : begin_(cursor) {}

    class Iterator {
      public:
        using value_type = Field;
        using difference_type = std::ptrdiff_t;
        Iterator() noexcept = default;
        explicit Iterator(const haigha_cursor& cursor) noexcept : cursor_(cursor) { ++*this; }
        Field operator*() const noexcept { return {field_, cursor_}; }
        Iterator& operator++() noexcept {
            more_ = haigha_cursor_next(&cursor_, &field_) == 1;
            return *this;
        }
        void operator++(int) noexcept { ++*this; }
        bool operator==(std::default_sentinel_t) const noexcept { return !more_; }

      private:
        haigha_cursor cursor_{};
        haigha_field field_{};
        bool more_ = false;
    };
    // Ends at what cannot be decoded, as at the end: see is_whole().
    Iterator begin() const noexcept { return Iterator(begin_); }
    std::default_sentinel_t end() const noexcept { return {}; }

    // The first of that name.
    std::optional<Field> find(std::string_view name) const noexcept {
        for (const Field& field : *this) {
            if (field.name() == name) return field;
        }
        return std::nullopt;
    }
    // Whether all of it can be decoded.
    bool is_whole() const noexcept {
        haigha_cursor cursor = begin_;
        haigha_field field;
        std::int32_t step = 1;
        while (step == 1)
            step = haigha_cursor_next(&cursor, &field);
        return step == 0;
    }
    const haigha_cursor& cursor() const noexcept { return begin_; }

  private:
    haigha_cursor begin_{};
};

inline Fields Field::fields() const noexcept {
    haigha_cursor nested{};
    if (haigha_cursor_enter(&cursor_, &raw_, &nested) != HAIGHA_OK) return {};
    return Fields(nested);
}

class Table;

// What a field may be: a bool, an integer, a double, text, or a table. Borrowed.
class FieldValue {
  public:
    FieldValue(std::same_as<bool> auto value) noexcept
        : raw_{{}, {}, value ? 1 : 0, 0, HAIGHA_FIELD_BOOL, 0} {}
    // INT32 where it fits, else INT64.
    FieldValue(std::integral auto value) noexcept requires(!std::same_as<decltype(value), bool>)
        : raw_{{}, {}, static_cast<std::int64_t>(value), 0, 0, 0} {
        fits_ = std::in_range<std::int64_t>(value);
        raw_.type = std::in_range<std::int32_t>(value) ? HAIGHA_FIELD_INT32 : HAIGHA_FIELD_INT64;
    }
    FieldValue(std::floating_point auto value) noexcept
        : raw_{{}, {}, 0, static_cast<double>(value), HAIGHA_FIELD_DOUBLE, 0} {}
    template <std::convertible_to<std::string_view> Text>
    FieldValue(const Text& value) noexcept : raw_{{}, str(value), 0, 0, HAIGHA_FIELD_STRING, 0} {}
    FieldValue(const Table& table) noexcept : table_(&table) {}
    // Any type, as the wire has it.
    FieldValue(const haigha_field& raw) noexcept : raw_(raw) {}

  private:
    friend class Table;
    haigha_field raw_{};
    const Table* table_ = nullptr;
    bool fits_ = true;
};

// A table that is written: {{"x-queue-type", "quorum"}, {"x-max-length", 1000}}. What cannot be
// added is remembered: whatever the table is given to then refuses it, with that error.
class Table {
  public:
    Table() noexcept = default;  // without fields
    Table(std::initializer_list<std::pair<std::string_view, FieldValue>> fields) noexcept {
        for (const auto& [name, value] : fields)
            add(name, value);
    }
    // An array, whose elements have no names.
    static Table array(std::initializer_list<FieldValue> elements) noexcept {
        Table made;
        haigha_error* error = nullptr;
        const haigha_status status = haigha_table_new_array(&made.table_, &error);
        if (status != HAIGHA_OK) made.error_ = Error(status, error);
        for (const FieldValue& element : elements)
            made.add({}, element);
        return made;
    }
    // Takes over.
    explicit Table(haigha_table* owned) noexcept : table_(owned) {}
    // A copy of what was read.
    explicit Table(const Fields& fields) noexcept {
        for (const Field& field : fields)
            add(field.name(), FieldValue(field.raw()));
        if (!error_ && !fields.is_whole())
            error_ = Error(HAIGHA_ERR_MALFORMED, "the fields cannot be decoded");
    }
    Table(const Table& other) noexcept : Table(other.fields()) {
        if (!error_) error_ = other.error_;
    }
    Table(Table&& other) noexcept
        : table_(std::exchange(other.table_, nullptr)), error_(std::move(other.error_)) {}
    Table& operator=(Table other) noexcept {
        std::swap(table_, other.table_);
        std::swap(error_, other.error_);
        return *this;
    }
    ~Table() {
        if (table_ != nullptr) haigha_table_free(table_);
    }

    Table& add(std::string_view name, const FieldValue& value) noexcept {
        if (error_) return *this;
        haigha_error* error = nullptr;
        haigha_status status = HAIGHA_OK;
        if (table_ == nullptr) status = haigha_table_new(&table_, &error);
        if (status == HAIGHA_OK && !value.fits_) status = HAIGHA_ERR_ARGUMENT;
        if (status == HAIGHA_OK) status = add(table_, name, value, &error);
        if (status != HAIGHA_OK) error_ = Error(status, error);
        return *this;
    }

    // Why a field could not be added.
    const Error& error() const noexcept { return error_; }
    bool empty() const noexcept { return table_ == nullptr; }
    Fields fields() const noexcept {
        haigha_cursor cursor{};
        if (table_ == nullptr || haigha_table_cursor(table_, &cursor) != HAIGHA_OK) return {};
        return Fields(cursor);
    }
    // Null: without fields.
    const haigha_table* get() const noexcept { return table_; }

  private:
    static haigha_status add(haigha_table* to, std::string_view name, const FieldValue& value,
                             haigha_error** error) noexcept {
        if (value.table_ == nullptr) {
            haigha_field field = value.raw_;
            field.name = str(name);
            return haigha_table_add(to, &field, error);
        }
        if (value.table_->error_) return Error(value.table_->error_).give_to(error);
        if (value.table_->table_ != nullptr) {
            return haigha_table_add_table(to, str(name), value.table_->table_, error);
        }
        const haigha_field none{str(name), {nullptr, 0}, 0, 0, HAIGHA_FIELD_TABLE, 0};
        return haigha_table_add(to, &none, error);
    }

    haigha_table* table_ = nullptr;
    Error error_;
};

}  // namespace v0_1
}  // namespace haigha
