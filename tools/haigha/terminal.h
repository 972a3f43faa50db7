// Text for people: numbers, durations, and what the terminal can show.
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>

namespace tool {

// Whether the locale's characters are UTF-8; text is ASCII otherwise. Call set_locale() first.
void set_locale();
bool can_print_utf8();

bool is_terminal(std::FILE* file);
// A terminal, and NO_COLOR is not set.
bool wants_colour(std::FILE* file);

// The text in bold, green or red where `colour` says so.
std::string bold(const std::string& text, bool colour);
std::string green(const std::string& text, bool colour);
std::string red(const std::string& text, bool colour);

std::string grouped(std::uint64_t number);       // 1,234,567
std::string fixed(double number, int decimals);  // 1.50
std::string latency(std::uint64_t nanoseconds);  // 812 µs, 21.3 ms, 1.25 s
// "1 channel", "2 channels".
std::string counted(std::uint64_t number, const std::string& noun);

// Columns that are seen, not octets.
std::size_t width(const std::string& text);
std::string left(const std::string& text, std::size_t columns);
std::string right(const std::string& text, std::size_t columns);
// A horizontal line.
std::string rule(std::size_t columns);

}  // namespace tool
