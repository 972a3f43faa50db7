// Connections of the library that recover, against a stub broker.
#pragma once

#include <gtest/gtest.h>
#include <haigha/haigha.h>

#include <initializer_list>
#include <string>
#include <vector>

#include "support/stub_fixture.h"

namespace haigha::test {

// Recovery with delays that cost a test nothing.
inline constexpr IntOption recovery{"recovery", 1};
inline constexpr IntOption soon{"recovery_delay_ms", 1};
inline constexpr IntOption capped{"recovery_max_delay_ms", 20};

class RecoveryTest : public StubTest {
  protected:
    ConnectionHandle recovering(const haigha_then* events,
                                std::initializer_list<IntOption> more = {}) {
        OptionsHandle chosen = options({recovery, soon, capped});
        for (const IntOption& option : more) {
            EXPECT_EQ(HAIGHA_OK,
                      haigha_options_set_int(chosen.get(), str(option.name), option.value, error_))
                << error_;
        }
        ConnectionHandle connection = new_connection(loop_.get(), chosen.get(), events);
        EXPECT_EQ(HAIGHA_OK, haigha_connection_open_wait(connection.get(), -1, error_)) << error_;
        return connection;
    }
    // The nth RECOVERY event of a kind, from 0.
    static Recorded step(EventLog& log, int kind, std::size_t nth = 0) {
        return log.recovery(kind, nth);
    }
    static std::size_t steps(const EventLog& log, int kind) {
        std::size_t count = 0;
        for (const Recorded& event : log.events())
            count += event.type == HAIGHA_EVENT_RECOVERY && event.state == kind ? 1 : 0;
        return count;
    }
    haigha_status declare_passively(haigha_channel* channel, std::string_view queue) {
        haigha_queue_declare_args args = declare_args(queue);
        args.passive = 1;
        return haigha_queue_declare_wait(channel, &args, -1, nullptr, error_);
    }
    void lose() { script("reset"); }
};

}  // namespace haigha::test
