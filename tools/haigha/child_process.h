// A program that is run to its end: what it reads, and what it prints.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace tool {

struct ChildResult {
    int status = 0;  // its exit status; 128 and the signal's number when one has ended it
    std::string output;
};

// Gives it `input` on standard input and waits. Its standard error is the tool's. Throws Failure
// when it cannot be run.
ChildResult run_child(const std::vector<std::string>& command, std::string_view input);

}  // namespace tool
