// A broker of a test's own, to be killed and put under alarms. It ends with this process at the
// latest.
#pragma once

#include <unistd.h>

#include <string>
#include <utility>

#include "support/broker_tool.h"

namespace haigha::test {

class ThrowawayBroker {
  public:
    // `options`: of `tools/broker start`, quoted for a shell.
    explicit ThrowawayBroker(std::string options = {})
        : name_("test-" + std::to_string(::getpid())), options_(std::move(options)) {
        start();
    }
    ~ThrowawayBroker() { run_broker_tool("stop " + name_); }
    ThrowawayBroker(const ThrowawayBroker&) = delete;
    ThrowawayBroker& operator=(const ThrowawayBroker&) = delete;

    // Also after kill(): with its data, on the same port.
    void start() {
        uri_ = run_broker_tool("start " + name_ + " --owner " + std::to_string(::getpid()) + " " +
                               options_);
        alive_ = uri_.rfind("amqp://", 0) == 0;
    }
    void kill() { run_broker_tool("kill " + name_); }
    std::string ctl(const std::string& arguments) {
        return run_broker_tool("ctl " + name_ + " -- -q " + arguments);
    }

    bool alive() const { return alive_; }
    const std::string& uri() const { return uri_; }

    static bool available() { return broker_tool() != nullptr; }

  private:
    std::string name_;
    std::string options_;
    std::string uri_;
    bool alive_ = false;
};

}  // namespace haigha::test
