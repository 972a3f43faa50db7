// What the releases of RabbitMQ do differently, each time as one question: the only place where a
// test's expectation depends on the release. docs/brokers.md has the whole table.
#pragma once

#include <gtest/gtest.h>
#include <haigha/haigha.h>

#include <cstdio>
#include <string>

#include "support/api_handles.h"

namespace haigha::test {

class BrokerRelease {
  public:
    // The one that an open connection leads to. Of another product every answer is 4.3's.
    explicit BrokerRelease(const haigha_connection* connection) {
        Err error;
        TableHandle properties;
        haigha_cursor cursor;
        haigha_field field;
        EXPECT_EQ(HAIGHA_OK,
                  haigha_connection_server_properties(connection, out(properties), error))
            << error;
        EXPECT_EQ(HAIGHA_OK, haigha_table_cursor(properties.get(), &cursor));
        while (haigha_cursor_next(&cursor, &field) == 1) {
            if (view(field.name) == "version") version_ = view(field.bytes);
        }
        if (std::sscanf(version_.c_str(), "%d.%d", &major_, &minor_) != 2) major_ = 4, minor_ = 3;
    }

    const std::string& version() const { return version_; }

    // The headers of a message come back sorted by their names.
    bool sorts_headers() const { return major_ >= 4; }
    // An exchange.declare of an unknown type ends the connection, with 503, and not the channel.
    bool unknown_exchange_type_ends_the_connection() const { return major_ < 4; }
    // The broker's default for the size of a message: 128 MiB, and 16 MiB since 4.0.
    bool takes_more_than_16_mib() const { return major_ < 4; }
    // basic.qos with `global` limits a channel's consumers together, and not each of them.
    bool shares_a_global_prefetch() const { return !at_least(4, 3); }
    // The header that tells how often a message of a quorum queue was handed out before; it came
    // at the second time only.
    std::string returns_header() const {
        return at_least(4, 3) ? "x-acquired-count" : "x-delivery-count";
    }
    // x-delivery-limit -1 is no limit; before, it is one that every message is over.
    bool knows_no_delivery_limit() const { return major_ >= 4; }
    // x-death is the broker's alone, and not what a publisher has put there.
    bool writes_deaths_anew() const { return major_ >= 4; }
    // How often a quorum queue hands out a message that is nacked each time; up to 50.
    int most_deliveries_by_quorum_queue() const { return major_ == 4 && minor_ < 3 ? 21 : 50; }
    // A consumer of a quorum queue that does not ack in time is cancelled; before, its channel was
    // closed.
    bool cancels_a_late_consumer() const { return at_least(4, 3); }
    // It refuses what is asked of a classic queue whose node is away, and does not just say
    // nothing.
    bool answers_for_a_queue_whose_node_is_away() const { return major_ < 4; }
    // A session of TLS 1.2 is resumed, by Debian's Erlang of that release: 29 does not any more.
    bool resumes_tls12_sessions() const { return !at_least(4, 3); }

  private:
    bool at_least(int major, int minor) const {
        return major_ > major || (major_ == major && minor_ >= minor);
    }

    std::string version_;
    int major_ = 0;
    int minor_ = 0;
};

}  // namespace haigha::test
