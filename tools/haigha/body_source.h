// Where the bodies that are published come from.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace tool {

struct BodyOptions {
    std::optional<std::string> text;  // from the command line
    std::string file;                 // "-" or empty: standard input
    bool lines = false;               // each line is a body, without its end
    std::uint64_t count = 1;          // how often the one body is sent
};

// Gives one body after the other: the same one `count` times, or the lines.
class BodySource {
  public:
    explicit BodySource(const BodyOptions& options);
    ~BodySource();
    BodySource(const BodySource&) = delete;
    BodySource& operator=(const BodySource&) = delete;

    // The next body, until the next call; nullptr at the end, and once the tool was interrupted.
    // Throws Failure when it cannot be read.
    const std::string* next();

  private:
    void read_all();

    std::string body_;
    std::uint64_t left_ = 0;
    bool lines_;
    std::FILE* input_ = nullptr;
};

}  // namespace tool
