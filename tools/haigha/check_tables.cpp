// Every field-table type through the broker and back.
#include <cfloat>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <string>

#include "check_probes.h"
#include "failure.h"

namespace tool {

namespace {

using Int64 = std::numeric_limits<std::int64_t>;

// Builds one table or array; every field gets a name of its own.
class TableWriter {
  public:
    explicit TableWriter(bool is_array = false) : is_array_(is_array) {
        ErrorSlot error;
        require(is_array ? haigha_table_new_array(out(table_), error)
                         : haigha_table_new(out(table_), error),
                error);
    }

    const haigha_table* get() const noexcept { return table_.get(); }

    void add(haigha_field field) {
        const std::string name = is_array_ ? "" : "field " + std::to_string(++fields_);
        if (field.name.data == nullptr) field.name = to_str(name);
        ErrorSlot error;
        require(haigha_table_add(table_.get(), &field, error), error);
    }
    void integer(std::uint32_t type, std::int64_t value, std::uint32_t scale = 0) {
        haigha_field field = {};
        field.type = type;
        field.integer = value;
        field.scale = scale;
        add(field);
    }
    void real(std::uint32_t type, double value) {
        haigha_field field = {};
        field.type = type;
        field.real = value;
        add(field);
    }
    void octets(std::uint32_t type, std::string_view value) {
        haigha_field field = {};
        field.type = type;
        field.bytes = to_str(value);
        add(field);
    }
    void named(std::string_view name, std::int64_t value) {
        haigha_field field = {};
        field.name = to_str(name);
        field.type = HAIGHA_FIELD_INT32;
        field.integer = value;
        add(field);
    }
    void nested(const TableWriter& value) {
        const std::string name = is_array_ ? "" : "field " + std::to_string(++fields_);
        ErrorSlot error;
        require(haigha_table_add_table(table_.get(), to_str(name), value.get(), error), error);
    }

  private:
    TableHandle table_;
    bool is_array_;
    int fields_ = 0;
};

struct IntegerType {
    const char* name;
    std::uint32_t type;
    std::vector<std::int64_t> values;
};

const std::vector<IntegerType>& integer_types() {
    static const std::vector<IntegerType> types = {
        {"bool", HAIGHA_FIELD_BOOL, {0, 1}},
        {"int8", HAIGHA_FIELD_INT8, {INT8_MIN, -1, 0, 1, INT8_MAX}},
        {"uint8", HAIGHA_FIELD_UINT8, {0, 1, INT8_MAX, UINT8_MAX}},
        {"int16", HAIGHA_FIELD_INT16, {INT16_MIN, -1, 0, 1, INT16_MAX}},
        {"uint16", HAIGHA_FIELD_UINT16, {0, 1, INT16_MAX, UINT16_MAX}},
        {"int32", HAIGHA_FIELD_INT32, {INT32_MIN, -1, 0, 1, INT32_MAX}},
        {"uint32", HAIGHA_FIELD_UINT32, {0, 1, INT32_MAX, UINT32_MAX}},
        {"int64", HAIGHA_FIELD_INT64, {Int64::min(), -1, 0, 1, Int64::max()}},
        {"int64, the other letter", HAIGHA_FIELD_INT64_L, {Int64::min(), -1, 0, Int64::max()}},
        // Unsigned: -1 is the last second that fits 64 bits.
        {"timestamp", HAIGHA_FIELD_TIMESTAMP, {0, 1, 1234567890, Int64::max(), -1}},
    };
    return types;
}

std::string every_octet() {
    std::string octets;
    for (int i = 0; i < 256; ++i)
        octets += static_cast<char>(i);
    return octets;
}

void add_reals(TableWriter& table, std::uint32_t type) {
    // Those that a float holds exactly; for both types.
    for (const double value :
         {0.0, -0.0, 1.0, -1.5, 0.1, double{FLT_MIN}, double{FLT_MAX}, double{-FLT_MAX}}) {
        table.real(type, static_cast<double>(static_cast<float>(value)));
    }
    if (type == HAIGHA_FIELD_FLOAT) return;
    for (const double value : {0.1, DBL_MIN, DBL_MAX, -DBL_MAX, DBL_TRUE_MIN}) {
        table.real(type, value);
    }
}

void add_decimals(TableWriter& table) {
    table.integer(HAIGHA_FIELD_DECIMAL, 0, 0);
    table.integer(HAIGHA_FIELD_DECIMAL, 31416, 4);
    table.integer(HAIGHA_FIELD_DECIMAL, -31416, 4);
    table.integer(HAIGHA_FIELD_DECIMAL, INT32_MAX, 255);
    table.integer(HAIGHA_FIELD_DECIMAL, INT32_MIN, 0);
}

void add_octets(TableWriter& table, std::uint32_t type) {
    table.octets(type, "");
    table.octets(type, "haigha");
    table.octets(type,
                 "Gr\xC3\xBC\xC3\x9F"
                 "e, \xE4\xBD\xA0\xE5\xA5\xBD, \xF0\x9F\x90\x87");
    table.octets(type, every_octet());
    table.octets(type, std::string(5'000, 'x'));  // within the smallest frame_max of today, 8192
}

// One of each, as elements or as fields.
void add_one_of_each(TableWriter& table) {
    for (const IntegerType& type : integer_types())
        table.integer(type.type, type.values.back());
    table.real(HAIGHA_FIELD_FLOAT, 1.5);
    table.real(HAIGHA_FIELD_DOUBLE, 0.1);
    table.integer(HAIGHA_FIELD_DECIMAL, 31416, 4);
    table.octets(HAIGHA_FIELD_STRING, "text");
    table.octets(HAIGHA_FIELD_BYTES, every_octet());
    table.integer(HAIGHA_FIELD_VOID, 0);
}

void add_nested(TableWriter& table) {
    TableWriter array(true);
    add_one_of_each(array);
    TableWriter inner;
    add_one_of_each(inner);
    array.nested(inner);
    array.nested(TableWriter(true));
    table.nested(array);
    table.nested(TableWriter(true));
    table.nested(TableWriter());
    table.nested(inner);
}

// `levels` tables and arrays in each other, by turns.
void add_deep(TableWriter& table, int levels) {
    const bool is_array = levels % 2 == 0;
    TableWriter nested(is_array);
    nested.integer(HAIGHA_FIELD_INT32, levels);
    if (levels > 1) add_deep(nested, levels - 1);
    table.nested(nested);
}

haigha_properties with_headers(const haigha_table* headers) {
    haigha_properties properties = HAIGHA_PROPERTIES_INIT;
    properties.present = HAIGHA_PROPERTY_HEADERS;
    properties.headers = headers;
    return properties;
}

void expect_headers(const haigha_message* message, const haigha_table* sent, FieldMatch match) {
    haigha_cursor expected;
    haigha_cursor found;
    ErrorSlot error;
    expect(haigha_table_cursor(sent, &expected) == HAIGHA_OK, "the table cannot be read");
    require(haigha_message_headers(message, &found, error), error);
    const std::string difference = table_difference(expected, found, match);
    expect(difference.empty(), difference);
}

Probe round_trip(const std::string& name, std::string detail,
                 std::function<void(TableWriter&)> fill) {
    const auto run = [detail = std::move(detail), fill = std::move(fill)](ProbeScope& scope) {
        TableWriter table;
        fill(table);
        const haigha_properties properties = with_headers(table.get());
        const std::string queue = scope.queue();
        scope.publish("", queue, "x", &properties);
        expect_headers(scope.get(queue).get(), table.get(), FieldMatch::by_name);
        return detail;
    };
    return {name, true, false, run};
}

// A broker adds fields of its own to a message that it dead-letters, and so has to read all of
// them and to write them again, where otherwise it may pass on octets that it does not understand.
std::string through_the_brokers_codec(ProbeScope& scope) {
    TableWriter table;
    add_one_of_each(table);
    add_reals(table, HAIGHA_FIELD_DOUBLE);
    add_decimals(table);
    add_nested(table);
    const haigha_properties properties = with_headers(table.get());
    const std::string last = scope.queue();
    const TableHandle arguments = make_table("x-dead-letter-exchange", "");
    add(arguments, "x-dead-letter-routing-key", last);
    const std::string first = scope.queue(arguments.get());
    scope.publish("", first, "x", &properties);
    const MessageHandle message = scope.get(first, false);
    ErrorSlot error;
    require(haigha_reject(scope.channel(), haigha_message_delivery_tag(message.get()), 0, error),
            error);
    expect_headers(scope.get(last).get(), table.get(), FieldMatch::sent_only);
    return "all of these in a message that was dead-lettered";
}

std::string order_of_fields(ProbeScope& scope) {
    TableWriter table;
    for (const char* const name : {"second", "first", "third"})
        table.named(name, 0);
    const haigha_properties properties = with_headers(table.get());
    const std::string queue = scope.queue();
    scope.publish("", queue, "x", &properties);
    haigha_cursor sent;
    haigha_cursor got;
    ErrorSlot error;
    const MessageHandle message = scope.get(queue);
    require(haigha_table_cursor(table.get(), &sent), error);
    require(haigha_message_headers(message.get(), &got, error), error);
    expect(table_difference(sent, got, FieldMatch::in_order).empty(),
           "the headers of a message come back in another order");
    return "";
}

std::string integer_detail(const IntegerType& type) {
    std::string text = "'" + std::string(1, static_cast<char>(type.type)) + "'";
    if (type.type == HAIGHA_FIELD_INT64_L) return text + ", written as 'l'";
    const bool unsigned_64 = type.type == HAIGHA_FIELD_TIMESTAMP;
    const std::string last =
        unsigned_64 ? std::to_string(UINT64_MAX) : std::to_string(type.values.back());
    return text + ", " + std::to_string(type.values.front()) + " to " + last;
}

}  // namespace

std::vector<Probe> table_probes() {
    std::vector<Probe> probes;
    for (const IntegerType& type : integer_types()) {
        probes.push_back(round_trip(type.name, integer_detail(type), [&type](TableWriter& table) {
            for (const std::int64_t value : type.values)
                table.integer(type.type, value);
        }));
    }
    probes.push_back(round_trip("float", "'f', to its largest and smallest",
                                [](TableWriter& table) { add_reals(table, HAIGHA_FIELD_FLOAT); }));
    probes.push_back(round_trip("double", "'d', to its largest and smallest",
                                [](TableWriter& table) { add_reals(table, HAIGHA_FIELD_DOUBLE); }));
    probes.push_back(round_trip("decimal", "'D', scales 0 to 255", add_decimals));
    probes.push_back(
        round_trip("string", "'S', empty to 10,000 bytes, every octet",
                   [](TableWriter& table) { add_octets(table, HAIGHA_FIELD_STRING); }));
    probes.push_back(round_trip("bytes", "'x', empty to 10,000 bytes, every octet",
                                [](TableWriter& table) { add_octets(table, HAIGHA_FIELD_BYTES); }));
    probes.push_back(
        round_trip("void", "'V'", [](TableWriter& table) { table.integer(HAIGHA_FIELD_VOID, 0); }));
    probes.push_back(
        round_trip("array and table", "'A' and 'F', of every type, empty, nested", add_nested));
    probes.push_back(round_trip("depth", "30 tables and arrays in each other",
                                [](TableWriter& table) { add_deep(table, 30); }));
    probes.push_back(round_trip("names", "empty, 255 bytes, not ASCII", [](TableWriter& table) {
        table.named("", 1);
        table.named(std::string(255, 'n'), 2);
        table.named(
            "gr\xC3\xBC\xC3\x9F"
            "e",
            3);
    }));
    probes.push_back(round_trip("empty table", "", [](TableWriter&) {}));
    probes.push_back(round_trip("400 fields", "", [](TableWriter& table) {
        for (int i = 0; i < 400; ++i)
            table.integer(HAIGHA_FIELD_INT32, i);
    }));
    probes.push_back({"order of fields", false, false, order_of_fields});
    probes.push_back({"the broker's own codec", true, false, through_the_brokers_codec});
    return probes;
}

}  // namespace tool
