// Brokers of a test's own, one node or a cluster of them, that are taken away and come back with
// their data on their ports. They end with this process at the latest.
#pragma once

#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support/broker_tool.h"

namespace haigha::test {

class BrokerNodes {
  public:
    // `options`: of `tools/broker`, quoted for a shell.
    explicit BrokerNodes(unsigned nodes, const std::string& options = {})
        : name_("nodes-" + std::to_string(::getpid())),
          options_(" --owner " + std::to_string(::getpid()) + " " + options) {
        if (nodes == 1) names_.push_back(name_);
        for (unsigned node = 1; nodes > 1 && node <= nodes; ++node)
            names_.push_back(name_ + "-" + std::to_string(node));
    }
    ~BrokerNodes() {
        for (const std::string& name : names_)
            run_broker_tool("stop " + name);
    }
    BrokerNodes(const BrokerNodes&) = delete;
    BrokerNodes& operator=(const BrokerNodes&) = delete;

    static bool available() { return broker_tool() != nullptr; }

    bool start() {
        std::istringstream uris(run_broker_tool(
            (nodes() == 1 ? "start " + name_
                          : "cluster " + name_ + " --nodes " + std::to_string(nodes())) +
            options_));
        for (std::string uri; std::getline(uris, uri);)
            uris_.push_back(std::move(uri));
        return uris_.size() == nodes() && uris_.front().starts_with("amqp://");
    }
    unsigned nodes() const { return static_cast<unsigned>(names_.size()); }
    const std::string& uri(unsigned node) const { return uris_.at(node); }
    std::uint16_t port(unsigned node) const { return port_of(uri(node)); }

    bool start_again(unsigned node) {
        const std::string uri = run_broker_tool("start " + names_.at(node) + options_);
        return port_of(uri) == port(node);
    }
    void kill(unsigned node) { run_broker_tool("kill " + names_.at(node)); }
    void stop(unsigned node) { run_broker_tool("stop --keep " + names_.at(node)); }
    // Has what was declared written down: RabbitMQ up to 4.0 does that up to two seconds after its
    // answer, and one that is killed before does not know its durable queues again.
    void write_down(unsigned node) { (void)ctl(node, "eval 'catch mnesia:sync_log().'"); }
    // What rabbitmqctl prints. A node that is being taken away may never answer.
    std::string ctl(unsigned node, const std::string& arguments) {
        return run_broker_tool("ctl " + names_.at(node) + " -- -q -t 20 " + arguments +
                               " 2>/dev/null");
    }

  private:
    static std::uint16_t port_of(std::string_view uri) {
        if (!uri.starts_with("amqp://")) return 0;
        return static_cast<std::uint16_t>(std::atoi(uri.substr(uri.rfind(':') + 1).data()));
    }

    std::string name_;
    std::string options_;
    std::vector<std::string> names_;
    std::vector<std::string> uris_;
};

}  // namespace haigha::test
