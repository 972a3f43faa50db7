// Where the bodies that are published come from.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "failure.h"

namespace tool {

// The input cannot be read any further.
class UnreadInput : public Failure {
  public:
    using Failure::Failure;
};

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
    // Throws UnreadInput when it cannot be read.
    const std::string* next();
    // How much of them was given, from 0 to 1; nothing where their number is not known.
    std::optional<double> done() const;

  private:
    void read_all();
    // More of the input; false at its end, and where an interruption ended the wait for it.
    bool read_more();
    const std::string* next_line();

    std::string body_;
    std::string read_;    // lines that were read
    std::size_t at_ = 0;  // in them
    std::uint64_t left_ = 0;
    std::uint64_t count_ = 0;
    std::uint64_t read_octets_ = 0;
    std::uint64_t file_octets_ = 0;  // 0: no file
    bool lines_;
    int input_ = -1;
};

}  // namespace tool
