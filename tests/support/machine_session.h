// A session of a ConnectionMachine from its beginning to its end, with something of everything:
// what its owner asks for, and what a broker sends.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "support/machine_peer.h"

namespace haigha::test {

// A verb and what the broker sends after it.
struct SessionStep {
    std::function<void(MachinePeer&)> act;
    Octets bytes;
};

inline wire::basic::Return no_route() {
    wire::basic::Return method{};
    method.reply_code = 312;
    method.reply_text = {"NO_ROUTE"};
    return method;
}

// `small_deliveries`: how many of them, of different sizes.
inline std::vector<SessionStep> session(std::uint64_t small_deliveries = 39) {
    const auto nothing = [](MachinePeer&) {};
    std::vector<SessionStep> steps;
    steps.push_back({nothing, method_frame(0, start_method())});
    steps.push_back({nothing, method_frame(0, tune_method(0, 4096, 0))});
    steps.push_back({nothing, method_frame(0, wire::connection::OpenOk{})});
    steps.push_back({[](MachinePeer& p) {
                         p.ask_channel();
                         p.ask_channel();
                     },
                     joined(method_frame(1, wire::channel::OpenOk{}), wire::heartbeat_frame,
                            method_frame(2, wire::channel::OpenOk{}))});
    steps.push_back({[](MachinePeer& p) {
                         (void)p.consume(1, 10, "c");
                         (void)p.select(2, 20);
                         (void)p.publish(2, "one");
                         (void)p.publish(2, std::string(300'000, 'x'));
                         (void)p.declare(1, 12);
                     },
                     joined(method_frame(2, wire::confirm::SelectOk{}),
                            method_frame(1, wire::basic::ConsumeOk{{"c"}}),
                            method_frame(1, wire::queue::DeclareOk{{"q"}, 1, 2}))});
    Octets deliveries;
    for (std::uint64_t tag = 1; tag <= small_deliveries; ++tag) {
        deliveries = joined(deliveries, content(1, deliver_method("c", tag),
                                                std::string(tag * 7 % 60, 'd'), 20 + tag));
    }
    steps.push_back(
        {nothing,
         joined(deliveries, content(1, deliver_method("c", 50), std::string(9000, 'e')),
                content(1, deliver_method("no", 51), "m"), method_frame(1, deliver_method("c", 52)),
                content(2, no_route(), "back"), method_frame(2, wire::basic::Ack{1, false}),
                header_frame(1, 3), body_frame(1, "abc"),
                method_frame(2, wire::basic::Nack{2, true, false}))});
    steps.push_back({[](MachinePeer& p) {
                         (void)p.get(1, 30);
                         (void)p.cancel(1, 32, "c");
                     },
                     joined(method_frame(0, wire::connection::Blocked{{"memory"}}),
                            content(1, wire::basic::GetOk{}, "got"),
                            method_frame(1, wire::basic::CancelOk{{"c"}}),
                            method_frame(0, wire::connection::Unblocked{}))});
    steps.push_back({[](MachinePeer& p) {
                         (void)p.publish(2, "late");
                         (void)p.declare(1, 40);
                     },
                     joined(method_frame(2, channel_close(404, "NOT_FOUND")),
                            method_frame(1, wire::queue::PurgeOk{}),
                            content(1, deliver_method("c", 60), "ignored"),
                            method_frame(1, wire::channel::CloseOk{}))});
    steps.push_back({nothing, method_frame(0, connection_close(320, "CONNECTION_FORCED"))});
    return steps;
}

}  // namespace haigha::test
