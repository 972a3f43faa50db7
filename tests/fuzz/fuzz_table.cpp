// Field tables and arrays from a peer: walked, checked, described, and built again.
//
// The first octet says table (even) or array (odd), the rest is the encoded contents.
#include <cmath>
#include <string>

#include "fuzz_target.h"
#include "wire/field_table.h"

namespace haigha::fuzz {
namespace {

using wire::Field;
using wire::FieldError;
using wire::FieldStatus;
using wire::FieldTable;
using wire::TableCursor;
using wire::TableKind;

bool holds_fields(const Field& field) {
    return field.tag == 'F' || field.tag == 'A';
}

// Everything that can be reached; false when some of it cannot be read.
bool walk(TableCursor cursor, std::size_t& fields) {
    Field field;
    for (;;) {
        const FieldStatus status = cursor.next(field);
        if (status != FieldStatus::field) return status == FieldStatus::end;
        ++fields;
        if (holds_fields(field) && !walk(cursor.nested(field), fields)) return false;
    }
}

// What RabbitMQ cannot read, and the builder therefore refuses.
bool any_not_finite(TableCursor cursor) {
    Field field;
    while (cursor.next(field) == FieldStatus::field) {
        if (!std::isfinite(field.real)) return true;
        if (holds_fields(field) && any_not_finite(cursor.nested(field))) return true;
    }
    return false;
}

void require_equal(TableCursor left, TableCursor right) {
    Field a;
    Field b;
    for (;;) {
        const FieldStatus status = left.next(a);
        require(right.next(b) == status, "what was built has as many fields");
        if (status != FieldStatus::field) return;
        require(a.name == b.name, "what was built has the same names");
        // The builder's one substitution.
        require((a.tag == 'L' ? 'l' : a.tag) == b.tag, "what was built has the same types");
        require(a.integer == b.integer && a.scale == b.scale && a.real == b.real &&
                    std::signbit(a.real) == std::signbit(b.real),
                "what was built has the same numbers");
        if (holds_fields(a)) {
            require_equal(left.nested(a), right.nested(b));
        } else {
            require(wire::as_text(a.bytes) == wire::as_text(b.bytes),
                    "what was built has the same bytes");
        }
    }
}

// One field built by itself, and so compared by itself.
void rebuild(const Field& field, const TableCursor& cursor, TableKind kind, FieldTable& all) {
    FieldTable one(kind);
    const FieldError error = one.add(field);
    if (error != FieldError::none) {
        require(one.empty() && one.field_count() == 0, "a field that is refused changes nothing");
        std::size_t fields = 0;
        const bool refusable = !std::isfinite(field.real) ||
                               (holds_fields(field) && (!walk(cursor.nested(field), fields) ||
                                                        fields >= wire::max_table_fields ||
                                                        any_not_finite(cursor.nested(field))));
        require(refusable, "a field that was read can be written");
        return;
    }
    require(wire::check_table(one.contents(), kind), "what was built can be read");
    Field again;
    TableCursor back(one.contents(), kind);
    require(back.next(again) == FieldStatus::field, "what was built has its field");
    require(again.name == field.name, "what was built has its name");
    if (holds_fields(field)) require_equal(cursor.nested(field), back.nested(again));
    FieldTable twice(kind);
    require(twice.add(again) == FieldError::none, "what was built can be built again");
    require(wire::as_text(twice.contents()) == wire::as_text(one.contents()),
            "what is built twice is the same");
    (void)all.add(field);
}

void exercise(Bytes contents, TableKind kind) {
    std::size_t fields = 0;
    const bool good = walk(TableCursor(contents, kind), fields);
    require(wire::check_table(contents, kind) == (good && fields <= wire::max_table_fields),
            "check_table says what a walk finds");
    const std::string text = wire::describe_table(contents, kind);
    // Beyond the limit there may be what was begun before it: one name and one string of each
    // level.
    require(!text.empty() && text.size() < 16 * 1024, "a description is bounded");

    FieldTable all(kind);
    TableCursor cursor(contents, kind);
    Field field;
    while (cursor.next(field) == FieldStatus::field)
        rebuild(field, cursor, kind, all);
    if (good && fields <= wire::max_table_fields && !any_not_finite(TableCursor(contents, kind))) {
        require(all.field_count() == fields, "all that was read was written");
        require_equal(TableCursor(contents, kind), TableCursor(all.contents(), kind));
    }
}

}  // namespace
}  // namespace haigha::fuzz

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace haigha;
    fuzz::Input input(data, size);
    const auto kind = input.flag() ? wire::TableKind::array : wire::TableKind::table;
    fuzz::exercise(input.rest(), kind);
    return 0;
}
