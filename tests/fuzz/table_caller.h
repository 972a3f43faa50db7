// Calls with tables: made by the input, given to calls, and walked.
#pragma once

#include <array>
#include <cstring>
#include <string_view>
#include <utility>

#include "argument_caller.h"

namespace haigha::fuzz {

class TableCaller : public ArgumentCaller {
  protected:
    using ArgumentCaller::ArgumentCaller;

    // ---- as arguments

    const haigha_table* table() {
        switch (input_.below(3)) {
            case 0:
                return nullptr;
            case 1:
                return table_.get();
            default:
                return array_.get();
        }
    }
    // What a message is published with. One struct names the other: what cannot be read of either
    // is refused.
    const haigha_publish_args* publish_args() {
        haigha_properties properties = HAIGHA_PROPERTIES_INIT;
        properties.present = input_.flag() ? input_.u16() & 0xFFFCU : input_.u32();
        properties.delivery_mode = input_.u8();
        properties.timestamp = input_.u64();
        for (haigha_str* const member :
             {&properties.content_type, &properties.content_encoding, &properties.correlation_id,
              &properties.reply_to, &properties.expiration, &properties.message_id,
              &properties.type, &properties.user_id, &properties.app_id, &properties.cluster_id}) {
            if (input_.flag()) *member = text();
        }
        properties.headers = table();
        haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
        args.exchange = text();
        args.routing_key = text();
        args.properties = input_.flag() ? sized(properties) : nullptr;
        // Not looked at when the struct that names them is refused first.
        const bool bad_properties = std::exchange(unreadable_, false);
        const haigha_publish_args* const given = sized(args);
        unreadable_ |= bad_properties;
        return given;
    }

    // ---- calls

    test::TableHandle& some_table() {
        test::TableHandle& chosen = input_.flag() ? array_ : table_;
        const bool array = &chosen == &array_;
        if (chosen == nullptr || input_.below(16) == 0) {
            check(array ? haigha_table_new_array(test::out(chosen), error())
                        : haigha_table_new(test::out(chosen), error()),
                  {HAIGHA_OK});
        }
        return chosen;
    }

    void add_field() {
        test::TableHandle& table = some_table();
        haigha_field field{};
        field.name = text();
        field.bytes = text();
        field.integer = static_cast<std::int64_t>(input_.u64());
        const std::uint64_t real = input_.u64();
        std::memcpy(&field.real, &real, sizeof real);
        constexpr std::string_view types = "tbBsuIilLfdDSxTAFV";
        field.type = input_.flag() ? static_cast<unsigned char>(types[input_.below(types.size())])
                                   : input_.u32();
        field.scale = input_.flag() ? input_.u8() : input_.u32();
        check(haigha_table_add(table.get(), &field, error()), {HAIGHA_OK});
        require_walks(table.get());
    }

    void add_common_field() {
        test::TableHandle& table = some_table();
        const haigha_str name = text();
        switch (input_.below(5)) {
            case 0:
                return check(haigha_table_add_string(table.get(), name, text(), error()),
                             {HAIGHA_OK});
            case 1:
                return check(haigha_table_add_int(table.get(), name,
                                                  static_cast<std::int64_t>(input_.u64()), error()),
                             {HAIGHA_OK});
            case 2:
                return check(haigha_table_add_bool(table.get(), name, input_.u8(), error()),
                             {HAIGHA_OK});
            case 3: {
                const std::uint64_t bits = input_.u64();
                double value = 0;
                std::memcpy(&value, &bits, sizeof value);
                return check(haigha_table_add_double(table.get(), name, value, error()),
                             {HAIGHA_OK});
            }
            default: {
                // One may be put into itself: it is copied.
                const std::size_t before = size_of(table.get());
                if (before > 1U << 16) return;
                return check(haigha_table_add_table(table.get(), name, this->table(), error()),
                             {HAIGHA_OK});
            }
        }
    }

    static std::size_t size_of(const haigha_table* table) {
        haigha_cursor cursor;
        return haigha_table_cursor(table, &cursor) == HAIGHA_OK ? cursor.left_bytes : 0;
    }

    static int walk(haigha_cursor cursor, std::size_t depth) {
        require(depth < 40, "a walk ends");
        haigha_field field;
        for (;;) {
            const int status = haigha_cursor_next(&cursor, &field);
            require(status == 1 || status == 0 || status == HAIGHA_ERR_MALFORMED ||
                        status == HAIGHA_ERR_ARGUMENT,
                    "a cursor gives a status that is documented");
            if (status != 1) return status;
            require(field.name.size <= 255, "a name is a name");
            haigha_cursor nested;
            if (haigha_cursor_enter(&cursor, &field, &nested) != HAIGHA_OK) continue;
            if (const int inner = walk(nested, depth + 1); inner != 0) return inner;
        }
    }
    static void require_walks(const haigha_table* table) {
        haigha_cursor cursor;
        require(haigha_table_cursor(table, &cursor) == HAIGHA_OK, "a table has a cursor");
        require(walk(cursor, 0) == 0, "what was added can be walked");
    }
    void walk_table() { require_walks(some_table().get()); }

    void walk_bytes() {
        const haigha_str bytes = text();
        haigha_cursor cursor{bytes.data, bytes.size, input_.u32(), 0};
        cursor.depth = input_.flag() ? input_.below(40) : input_.u32();
        (void)walk(cursor, 0);
        haigha_cursor nested;
        haigha_field field{};
        field.bytes = bytes;
        field.type = input_.u32();
        const haigha_status status = haigha_cursor_enter(&cursor, &field, &nested);
        require(
            status == HAIGHA_OK || status == HAIGHA_ERR_ARGUMENT || status == HAIGHA_ERR_MALFORMED,
            "a cursor enters what it may");
    }

    test::TableHandle table_;
    test::TableHandle array_;
};

}  // namespace haigha::fuzz
