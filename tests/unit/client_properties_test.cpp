#include "client/client_properties.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "wire/field_table.h"

namespace haigha::client {
namespace {

// A broker sends basic.cancel, connection.blocked and basic.nack only to who says that it knows
// them.
TEST(ClientProperties, NameEveryCapability) {
    const std::vector<std::byte> bytes = client_properties("my name");
    wire::TableCursor cursor{wire::Bytes(bytes)};
    std::map<std::string, std::string> texts;
    std::map<std::string, bool> capabilities;
    wire::Field field;
    while (cursor.next(field) == wire::FieldStatus::field) {
        if (field.tag == 'S') texts.emplace(field.name, wire::as_text(field.bytes));
        if (field.name != "capabilities") continue;
        wire::TableCursor inner = cursor.nested(field);
        wire::Field one;
        while (inner.next(one) == wire::FieldStatus::field)
            capabilities.emplace(one.name, one.tag == 't' && one.integer == 1);
    }
    for (const char* name :
         {"publisher_confirms", "exchange_exchange_bindings", "basic.nack",
          "consumer_cancel_notify", "connection.blocked", "authentication_failure_close",
          "per_consumer_qos", "consumer_priorities"}) {
        EXPECT_TRUE(capabilities[name]) << name;
    }
    EXPECT_EQ(texts["product"], "libhaigha");
    EXPECT_EQ(texts["connection_name"], "my name");
    EXPECT_FALSE(texts["version"].empty());
}

}  // namespace
}  // namespace haigha::client
