// tools/broker, whose path is in HAIGHA_BROKER_TOOL: what starts and stops brokers for tests.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <string>

namespace haigha::test {

// Null where it is not set: there are no brokers of a test's own.
inline const char* broker_tool() {
    return std::getenv("HAIGHA_BROKER_TOOL");
}

// What it prints, without the last newline.
inline std::string run_broker_tool(const std::string& arguments) {
    const std::string command = std::string(broker_tool()) + " " + arguments;
    std::FILE* const pipe = ::popen(command.c_str(), "re");
    if (pipe == nullptr) return {};
    std::string text;
    char part[256];
    while (std::fgets(part, sizeof part, pipe) != nullptr)
        text += part;
    ::pclose(pipe);
    while (!text.empty() && text.back() == '\n')
        text.pop_back();
    return text;
}

}  // namespace haigha::test
