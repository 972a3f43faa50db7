// A broker of a test's own, to be killed and put under alarms: tools/broker, whose path is in
// HAIGHA_BROKER_TOOL. It ends with this process at the latest.
#pragma once

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>

namespace haigha::test {

class ThrowawayBroker {
  public:
    // `options`: of `tools/broker start`, quoted for a shell.
    explicit ThrowawayBroker(std::string options = {})
        : name_("test-" + std::to_string(::getpid())), options_(std::move(options)) {
        start();
    }
    ~ThrowawayBroker() { run("stop " + name_); }
    ThrowawayBroker(const ThrowawayBroker&) = delete;
    ThrowawayBroker& operator=(const ThrowawayBroker&) = delete;

    // Also after kill(): with its data, on the same port.
    void start() {
        uri_ = run("start " + name_ + " --owner " + std::to_string(::getpid()) + " " + options_);
        alive_ = uri_.rfind("amqp://", 0) == 0;
    }
    void kill() { run("kill " + name_); }
    std::string ctl(const std::string& arguments) {
        return run("ctl " + name_ + " -- -q " + arguments);
    }

    bool alive() const { return alive_; }
    const std::string& uri() const { return uri_; }

    static bool available() { return tool() != nullptr; }

  private:
    static const char* tool() { return std::getenv("HAIGHA_BROKER_TOOL"); }

    // What the tool prints, without the last newline.
    static std::string run(const std::string& arguments) {
        const std::string command = std::string(tool()) + " " + arguments;
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

    std::string name_;
    std::string options_;
    std::string uri_;
    bool alive_ = false;
};

}  // namespace haigha::test
