#include "check_report.h"

#include <cstdio>

#include "terminal.h"

namespace tool {

namespace {

constexpr std::size_t name_columns = 34;

}  // namespace

CheckReport::CheckReport() : colour_(wants_colour(stdout)) {}

void CheckReport::section(const std::string& title) {
    std::printf("%s%s\n", begun_ ? "\n" : "", bold(title, colour_).c_str());
    begun_ = true;
}

void CheckReport::note(const std::string& name, const std::string& value) {
    line("    ", name, value);
}

void CheckReport::ok(const std::string& name, const std::string& detail) {
    ++ok_;
    line(green("ok", colour_) + "  ", name, detail);
}

void CheckReport::no(const std::string& name, const std::string& detail) {
    ++no_;
    line("no  ", name, detail);
}

void CheckReport::fail(const std::string& name, const std::string& detail) {
    ++failed_;
    line(red("FAIL", colour_), name, detail);
}

void CheckReport::line(const std::string& verdict, const std::string& name,
                       const std::string& detail) {
    std::printf("  %s  %s\n", verdict.c_str(),
                detail.empty() ? name.c_str() : (left(name, name_columns) + " " + detail).c_str());
    // A probe may take a while, and the reader wants to know which one.
    std::fflush(stdout);
}

bool CheckReport::conclude() const {
    const std::string failed = std::to_string(failed_) + " failed";
    std::printf("\n%d ok, %d no, %s\n", ok_, no_,
                failed_ > 0 ? red(failed, colour_).c_str() : failed.c_str());
    return failed_ == 0;
}

}  // namespace tool
