#include "topology/deaths.h"

#include <limits>

namespace haigha::topology {

using wire::Field;
using wire::FieldStatus;
using wire::natural;
using wire::TableCursor;
using wire::TableKind;

namespace {

std::string_view text_of(const Field& field) {
    return field.tag == 'S' ? wire::as_text(field.bytes) : std::string_view();
}

bool first_key(const TableCursor& record, const Field& keys, std::string_view& found) {
    TableCursor cursor = record.nested(keys);
    Field key;
    FieldStatus status = FieldStatus::end;
    bool first = true;
    while ((status = cursor.next(key)) == FieldStatus::field) {
        if (first) found = text_of(key);
        first = false;
    }
    return status == FieldStatus::end;
}

// The fields that are known, of the types that the broker gives them. False: it cannot be decoded.
bool read_record(TableCursor record, Death& death) {
    Field field;
    FieldStatus status = FieldStatus::end;
    while ((status = record.next(field)) == FieldStatus::field) {
        if (field.name == "queue") {
            death.queue = text_of(field);
        } else if (field.name == "reason") {
            death.reason = text_of(field);
        } else if (field.name == "exchange") {
            death.exchange = text_of(field);
        } else if (field.name == "original-expiration") {
            death.original_expiration = text_of(field);
        } else if (field.name == "routing-keys" && field.tag == 'A') {
            death.routing_keys = field.bytes;
            if (!first_key(record, field, death.routing_key)) return false;
        } else if (field.name == "count" && natural(field) > 0) {
            death.count = natural(field);
        } else if (field.name == "time" && field.tag == 'T') {
            death.time = static_cast<std::uint64_t>(field.integer);
        }
    }
    return status == FieldStatus::end;
}

}  // namespace

DeathCursor::DeathCursor(wire::Bytes headers) : deaths_(wire::Bytes(), TableKind::array) {
    TableCursor cursor(headers);
    Field field;
    FieldStatus status = FieldStatus::end;
    // The whole table is walked: of two x-death the last one counts, and what is malformed behind
    // them is malformed headers.
    while ((status = cursor.next(field)) == FieldStatus::field) {
        if (field.name == "x-death" && field.tag == 'A') deaths_ = cursor.nested(field);
    }
    malformed_ = status == FieldStatus::malformed;
}

FieldStatus DeathCursor::next(Death& death) {
    if (malformed_) return FieldStatus::malformed;
    Field field;
    FieldStatus status = FieldStatus::end;
    while ((status = deaths_.next(field)) == FieldStatus::field) {
        if (field.tag != 'F') continue;
        death = Death();
        if (read_record(deaths_.nested(field), death)) return FieldStatus::field;
        malformed_ = true;
        return FieldStatus::malformed;
    }
    return status;
}

bool count_deaths(wire::Bytes headers, std::string_view queue, std::string_view reason,
                  std::uint64_t* count) {
    constexpr std::uint64_t most = std::numeric_limits<std::uint64_t>::max();
    std::uint64_t sum = 0;
    DeathCursor cursor(headers);
    Death death;
    FieldStatus status = FieldStatus::end;
    while ((status = cursor.next(death)) == FieldStatus::field) {
        if (!queue.empty() && death.queue != queue) continue;
        if (!reason.empty() && death.reason != reason) continue;
        sum = death.count > most - sum ? most : sum + death.count;
    }
    if (status != FieldStatus::end) return false;
    *count = sum;
    return true;
}

bool count_deliveries(wire::Bytes headers, std::uint64_t* count) {
    TableCursor cursor(headers);
    Field field;
    FieldStatus status = FieldStatus::end;
    std::uint64_t acquired = 0;
    std::uint64_t delivered = 0;
    bool knows_acquired = false;
    while ((status = cursor.next(field)) == FieldStatus::field) {
        if (field.name == "x-acquired-count" && wire::is_integer(field)) {
            acquired = natural(field);
            knows_acquired = true;
        }
        if (field.name == "x-delivery-count") delivered = natural(field);
    }
    if (status != FieldStatus::end) return false;
    *count = knows_acquired ? acquired : delivered;
    return true;
}

}  // namespace haigha::topology
