#include "storm/storm_brokers.h"

#include <unistd.h>

#include <cstdlib>
#include <sstream>

#include "support/broker_tool.h"

namespace haigha::storm {

using test::run_broker_tool;

namespace {

std::uint16_t port_of(const std::string& uri) {
    const std::size_t colon = uri.rfind(':');
    if (uri.rfind("amqp://", 0) != 0) return 0;
    return static_cast<std::uint16_t>(std::atoi(uri.c_str() + colon + 1));
}

}  // namespace

bool StormBrokers::available() {
    return test::broker_tool() != nullptr;
}

StormBrokers::StormBrokers(unsigned nodes) {
    const std::string name = "storm-" + std::to_string(::getpid());
    if (nodes == 1) names_.push_back(name);
    for (unsigned node = 1; nodes > 1 && node <= nodes; ++node)
        names_.push_back(name + "-" + std::to_string(node));
}

StormBrokers::~StormBrokers() {
    for (const std::string& name : names_)
        run_broker_tool("stop " + name);
}

bool StormBrokers::start() {
    const std::string name = "storm-" + std::to_string(::getpid());
    const std::string options = " --owner " + std::to_string(::getpid());
    std::istringstream uris(
        run_broker_tool((nodes() == 1 ? "start " + name
                                      : "cluster " + name + " --nodes " + std::to_string(nodes())) +
                        options));
    for (std::string uri; std::getline(uris, uri);)
        ports_.push_back(port_of(uri));
    return ports_.size() == nodes() && ports_.front() != 0;
}

bool StormBrokers::start_again(unsigned node) {
    return port_of(run_broker_tool("start " + names_.at(node) + " --owner " +
                                   std::to_string(::getpid()))) == ports_.at(node);
}

void StormBrokers::kill(unsigned node) {
    run_broker_tool("kill " + names_.at(node));
}

void StormBrokers::stop(unsigned node) {
    run_broker_tool("stop --keep " + names_.at(node));
}

std::string StormBrokers::ctl(unsigned node, const std::string& arguments) {
    return run_broker_tool("ctl " + names_.at(node) + " -- -q " + arguments + " 2>/dev/null");
}

}  // namespace haigha::storm
