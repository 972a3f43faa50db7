#include "client/client_properties.h"

#include "base/version.h"
#include "wire/field_table.h"

namespace haigha::client {

std::vector<std::byte> client_properties(std::string_view connection_name) {
    // Every capability that the machines act on; a broker keeps silent about what is not named
    // here.
    wire::FieldTable capabilities;
    for (const std::string_view name :
         {"publisher_confirms", "exchange_exchange_bindings", "basic.nack",
          "consumer_cancel_notify", "connection.blocked", "authentication_failure_close",
          "per_consumer_qos", "consumer_priorities"}) {
        (void)capabilities.add_bool(name, true);
    }
    wire::FieldTable table;
    (void)table.add_string("product", "libhaigha");
    (void)table.add_string("version", version_string);
    (void)table.add_string("platform", "C++");
    (void)table.add_string("information", "An AMQP 0-9-1 client with a C ABI");
    (void)table.add_table("capabilities", capabilities);
    if (!connection_name.empty()) (void)table.add_string("connection_name", connection_name);
    const auto contents = table.contents();
    return {contents.begin(), contents.end()};
}

}  // namespace haigha::client
