#include "terminal.h"

#include <langinfo.h>
#include <unistd.h>

#include <algorithm>
#include <clocale>
#include <cstdlib>
#include <cstring>

namespace tool {

namespace {

std::string painted(const std::string& text, const char* code, bool colour) {
    return colour ? std::string("\033[") + code + "m" + text + "\033[0m" : text;
}

std::string padding(const std::string& text, std::size_t columns) {
    return std::string(columns - std::min(columns, width(text)), ' ');
}

}  // namespace

void set_locale() {
    std::setlocale(LC_CTYPE, "");
}

bool can_print_utf8() {
    return std::strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

bool is_terminal(std::FILE* file) {
    return isatty(fileno(file)) == 1;
}

bool wants_colour(std::FILE* file) {
    const char* const no_colour = std::getenv("NO_COLOR");
    return is_terminal(file) && (no_colour == nullptr || *no_colour == '\0');
}

std::string bold(const std::string& text, bool colour) {
    return painted(text, "1", colour);
}
std::string green(const std::string& text, bool colour) {
    return painted(text, "32", colour);
}
std::string red(const std::string& text, bool colour) {
    return painted(text, "1;31", colour);
}

std::string grouped(std::uint64_t number) {
    std::string digits = std::to_string(number);
    for (std::size_t end = digits.size(); end > 3; end -= 3)
        digits.insert(end - 3, ",");
    return digits;
}

std::string fixed(double number, int decimals) {
    char text[64];
    std::snprintf(text, sizeof text, "%.*f", decimals, number);
    return text;
}

std::string latency(std::uint64_t nanoseconds) {
    const double microseconds = static_cast<double>(nanoseconds) / 1e3;
    const auto significant = [](double number) {
        return fixed(number, number < 9.995 ? 2 : number < 99.95 ? 1 : 0);
    };
    if (microseconds < 999.5) {
        return significant(microseconds) + (can_print_utf8() ? " µs" : " us");
    }
    if (microseconds < 999.5e3) return significant(microseconds / 1e3) + " ms";
    return significant(microseconds / 1e6) + " s";
}

std::string counted(std::uint64_t number, const std::string& noun) {
    return grouped(number) + " " + noun + (number == 1 ? "" : "s");
}

std::size_t width(const std::string& text) {
    return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
        return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
    }));
}

std::string left(const std::string& text, std::size_t columns) {
    return text + padding(text, columns);
}

std::string right(const std::string& text, std::size_t columns) {
    return padding(text, columns) + text;
}

std::string rule(std::size_t columns) {
    std::string line;
    for (std::size_t i = 0; i < columns; ++i)
        line += can_print_utf8() ? "─" : "-";
    return line;
}

}  // namespace tool
