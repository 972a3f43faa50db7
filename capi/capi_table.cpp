// haigha_table and haigha_cursor: field tables, written and read.
#include <memory>

#include "boundary.h"
#include "handles.h"

using haigha::Status;
using haigha::capi::Arguments;
using haigha::capi::guard;
using haigha::wire::Field;
using haigha::wire::FieldError;
using haigha::wire::FieldStatus;
using haigha::wire::FieldTable;
using haigha::wire::TableCursor;
using haigha::wire::TableKind;

namespace {

haigha::wire::Bytes bytes_of(haigha_str text) {
    return haigha::wire::as_bytes(haigha::capi::view(text));
}
haigha_str str_of(haigha::wire::Bytes bytes) {
    return haigha::capi::str(haigha::wire::as_text(bytes));
}

void set_cursor(haigha_cursor* cursor, haigha::wire::Bytes contents, TableKind kind,
                std::uint32_t depth) {
    cursor->at = contents.data();
    cursor->left_bytes = contents.size();
    cursor->kind = static_cast<std::uint32_t>(kind);
    cursor->depth = depth;
}

haigha_status new_table(TableKind kind, haigha_table** table, haigha_error** error) {
    return guard(error, [&]() -> haigha_status {
        Arguments arguments;
        arguments.required(table, "table");
        if (arguments.bad()) return arguments.refuse(error);
        *table = std::make_unique<haigha_table>(haigha_table{FieldTable(kind)}).release();
        return HAIGHA_OK;
    });
}

haigha_status refuse_field(FieldError fault, haigha_str name, haigha_error** error) {
    std::string message = "the field";
    if (name.size > 0 && name.size <= haigha::capi::max_name_size) {
        message += " \"" + std::string(haigha::capi::view(name)) + "\"";
    }
    message += ": ";
    return haigha::capi::refuse(Status::argument, message + haigha::wire::field_error_text(fault),
                                error);
}

// Runs `add` on the table and turns what it says into a status.
template <class Add>
haigha_status add_to(haigha_table* table, haigha_str name, haigha_error** error, Add add) {
    return guard(error, [&]() -> haigha_status {
        Arguments arguments;
        arguments.required(table, "table");
        (void)arguments.name(name, "name");
        if (arguments.bad()) return arguments.refuse(error);
        const FieldError fault = add();
        return fault == FieldError::none ? HAIGHA_OK : refuse_field(fault, name, error);
    });
}

}  // namespace

int32_t haigha_cursor_next(haigha_cursor* cursor, haigha_field* field) {
    if (cursor == nullptr || field == nullptr) return HAIGHA_ERR_ARGUMENT;
    if (cursor->left_bytes == 0) return 0;
    const auto* at = static_cast<const std::byte*>(cursor->at);
    if (at == nullptr) return HAIGHA_ERR_ARGUMENT;
    const auto kind = static_cast<TableKind>(cursor->kind);
    TableCursor walk({at, cursor->left_bytes}, kind, cursor->depth);
    Field found;
    if (walk.next(found) != FieldStatus::field) return HAIGHA_ERR_MALFORMED;
    const std::size_t left = walk.rest().size();
    cursor->at = at + (cursor->left_bytes - left);
    cursor->left_bytes = left;
    *field = haigha_field{haigha::capi::str(found.name),
                          str_of(found.bytes),
                          found.integer,
                          found.real,
                          static_cast<std::uint32_t>(static_cast<unsigned char>(found.tag)),
                          found.scale};
    return 1;
}

haigha_status haigha_cursor_enter(const haigha_cursor* cursor, const haigha_field* field,
                                  haigha_cursor* nested) {
    if (cursor == nullptr || field == nullptr || nested == nullptr) return HAIGHA_ERR_ARGUMENT;
    if (field->type != HAIGHA_FIELD_TABLE && field->type != HAIGHA_FIELD_ARRAY) {
        return HAIGHA_ERR_ARGUMENT;
    }
    if (cursor->depth + 1 >= haigha::wire::max_table_depth) return HAIGHA_ERR_MALFORMED;
    set_cursor(nested, bytes_of(field->bytes),
               field->type == HAIGHA_FIELD_TABLE ? TableKind::table : TableKind::array,
               cursor->depth + 1);
    return HAIGHA_OK;
}

haigha_status haigha_table_new(haigha_table** table, haigha_error** error) {
    return new_table(TableKind::table, table, error);
}
haigha_status haigha_table_new_array(haigha_table** table, haigha_error** error) {
    return new_table(TableKind::array, table, error);
}
void haigha_table_free(haigha_table* table) {
    delete table;
}

haigha_status haigha_table_add(haigha_table* table, const haigha_field* field,
                               haigha_error** error) {
    if (field == nullptr) {
        return guard(
            error, [&] { return haigha::capi::refuse(Status::argument, "field is NULL", error); });
    }
    return add_to(table, field->name, error, [&] {
        if (field->type > 127) return FieldError::bad_tag;
        if (field->scale > 255) return FieldError::out_of_range;
        if (field->bytes.data == nullptr && field->bytes.size > 0) return FieldError::malformed;
        Field copy;
        const bool array = table->table.kind() == TableKind::array;
        copy.name = array ? std::string_view() : haigha::capi::view(field->name);
        copy.tag = static_cast<char>(field->type);
        copy.scale = static_cast<std::uint8_t>(field->scale);
        copy.integer = field->integer;
        copy.real = field->real;
        copy.bytes = bytes_of(field->bytes);
        return table->table.add(copy);
    });
}

haigha_status haigha_table_add_string(haigha_table* table, haigha_str name, haigha_str value,
                                      haigha_error** error) {
    return add_to(table, name, error, [&] {
        if (value.data == nullptr && value.size > 0) return FieldError::malformed;
        return table->table.add_string(haigha::capi::view(name), haigha::capi::view(value));
    });
}
haigha_status haigha_table_add_int(haigha_table* table, haigha_str name, int64_t value,
                                   haigha_error** error) {
    return add_to(table, name, error,
                  [&] { return table->table.add_int(haigha::capi::view(name), value); });
}
haigha_status haigha_table_add_bool(haigha_table* table, haigha_str name, int32_t value,
                                    haigha_error** error) {
    return add_to(table, name, error,
                  [&] { return table->table.add_bool(haigha::capi::view(name), value != 0); });
}
haigha_status haigha_table_add_double(haigha_table* table, haigha_str name, double value,
                                      haigha_error** error) {
    return add_to(table, name, error,
                  [&] { return table->table.add_double(haigha::capi::view(name), value); });
}
haigha_status haigha_table_add_table(haigha_table* table, haigha_str name,
                                     const haigha_table* value, haigha_error** error) {
    if (value == nullptr) {
        return guard(
            error, [&] { return haigha::capi::refuse(Status::argument, "value is NULL", error); });
    }
    return add_to(table, name, error,
                  [&] { return table->table.add_table(haigha::capi::view(name), value->table); });
}

haigha_status haigha_table_cursor(const haigha_table* table, haigha_cursor* cursor) {
    if (table == nullptr || cursor == nullptr) return HAIGHA_ERR_ARGUMENT;
    set_cursor(cursor, table->table.contents(), table->table.kind(), 0);
    return HAIGHA_OK;
}
