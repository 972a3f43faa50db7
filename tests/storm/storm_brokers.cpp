#include "storm/storm_brokers.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <sstream>

namespace haigha::storm {

namespace {

const char* tool() {
    return std::getenv("HAIGHA_BROKER_TOOL");
}

// What the tool prints.
std::string run(const std::string& arguments) {
    const std::string command = std::string(tool()) + " " + arguments;
    std::FILE* const pipe = ::popen(command.c_str(), "re");
    if (pipe == nullptr) return {};
    std::string text;
    char part[256];
    while (std::fgets(part, sizeof part, pipe) != nullptr)
        text += part;
    ::pclose(pipe);
    return text;
}

std::uint16_t port_of(const std::string& uri) {
    const std::size_t colon = uri.rfind(':');
    if (uri.rfind("amqp://", 0) != 0) return 0;
    return static_cast<std::uint16_t>(std::atoi(uri.c_str() + colon + 1));
}

}  // namespace

bool StormBrokers::available() {
    return tool() != nullptr;
}

StormBrokers::StormBrokers(unsigned nodes) {
    const std::string name = "storm-" + std::to_string(::getpid());
    if (nodes == 1) names_.push_back(name);
    for (unsigned node = 1; nodes > 1 && node <= nodes; ++node)
        names_.push_back(name + "-" + std::to_string(node));
}

StormBrokers::~StormBrokers() {
    for (const std::string& name : names_)
        run("stop " + name);
}

bool StormBrokers::start() {
    const std::string name = "storm-" + std::to_string(::getpid());
    const std::string options = " --owner " + std::to_string(::getpid());
    std::istringstream uris(
        run((nodes() == 1 ? "start " + name
                          : "cluster " + name + " --nodes " + std::to_string(nodes())) +
            options));
    for (std::string uri; std::getline(uris, uri);)
        ports_.push_back(port_of(uri));
    return ports_.size() == nodes() && ports_.front() != 0;
}

bool StormBrokers::start_again(unsigned node) {
    return port_of(run("start " + names_.at(node) + " --owner " + std::to_string(::getpid()))) ==
           ports_.at(node);
}

void StormBrokers::kill(unsigned node) {
    run("kill " + names_.at(node));
}

void StormBrokers::stop(unsigned node) {
    run("stop --keep " + names_.at(node));
}

std::string StormBrokers::ctl(unsigned node, const std::string& arguments) {
    return run("ctl " + names_.at(node) + " -- -q " + arguments + " 2>/dev/null");
}

}  // namespace haigha::storm
