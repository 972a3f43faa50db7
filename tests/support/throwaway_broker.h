// A broker of a test's own, to be killed and put under alarms. It ends with this process at the
// latest.
#pragma once

#include <string>

#include "support/broker_nodes.h"

namespace haigha::test {

class ThrowawayBroker {
  public:
    // `options`: of `tools/broker start`, quoted for a shell.
    explicit ThrowawayBroker(const std::string& options = {})
        : node_(1, options), alive_(node_.start()) {}

    // After kill(): with its data, on the same port.
    void start() { alive_ = node_.start_again(0); }
    void kill() { node_.kill(0); }
    void write_down() { node_.write_down(0); }
    std::string ctl(const std::string& arguments) { return node_.ctl(0, arguments); }

    bool alive() const { return alive_; }
    const std::string& uri() const { return node_.uri(0); }

    static bool available() { return BrokerNodes::available(); }

  private:
    BrokerNodes node_;
    bool alive_;
};

}  // namespace haigha::test
