#include "failure.h"

#include <cctype>
#include <cstdio>

#include "owned_handles.h"

namespace tool {

namespace {

bool before_ready(const haigha_error* error) {
    const int32_t stage = haigha_error_stage(error);
    return stage > HAIGHA_STAGE_NONE && stage < HAIGHA_STAGE_READY;
}

ExitStatus exit_status_of(haigha_status status, const haigha_error* error) {
    if (before_ready(error)) return exit_unreachable;
    // The library names the argument, and the tool's arguments come from the command line.
    return status == HAIGHA_ERR_ARGUMENT ? exit_usage : exit_failed;
}

bool ends_uri(char c) {
    return std::isspace(static_cast<unsigned char>(c)) != 0 || c == '\'' || c == '"';
}

}  // namespace

ApiFailure::ApiFailure(haigha_status status, const haigha_error* error)
    : Failure(exit_status_of(status, error), describe(status, error)),
      status_(status),
      error_(haigha_error_copy(error), haigha_error_free) {}

void require(haigha_status status, const ErrorSlot& error) {
    if (status != HAIGHA_OK) throw ApiFailure(status, error.get());
}

std::string describe(haigha_status status, const haigha_error* error) {
    const std::string_view message = haigha_error_message(error);
    if (message.empty()) return haigha_status_name(status);
    if (!before_ready(error)) return std::string(message);
    return std::string(haigha_error_stage_name(error)) + ": " + std::string(message);
}

std::string without_passwords(std::string_view text) {
    std::string clean;
    while (!text.empty()) {
        const std::size_t scheme = text.find("://");
        if (scheme == std::string_view::npos) break;
        std::size_t end = scheme + 3;
        while (end < text.size() && !ends_uri(text[end]))
            ++end;
        std::string_view uri = text.substr(scheme + 3, end - scheme - 3);

        clean.append(text.substr(0, scheme + 3));
        text.remove_prefix(end);
        // The last '@', so that a password with an unescaped one is hidden as a whole.
        if (const std::size_t at = uri.rfind('@'); at != std::string_view::npos) {
            const std::size_t colon = uri.substr(0, at).find(':');
            clean.append(uri.substr(0, colon));
            if (colon != std::string_view::npos) clean.append(":***");
            uri.remove_prefix(at);
        }
        constexpr std::string_view key = "password=";
        if (const std::size_t at = uri.find(key); at != std::string_view::npos) {
            clean.append(uri.substr(0, at + key.size())).append("***");
            const std::size_t next = uri.find('&', at);
            uri = next == std::string_view::npos ? std::string_view() : uri.substr(next);
        }
        clean.append(uri);
    }
    return clean.append(text);
}

void complain(std::string_view sentence) {
    std::fprintf(stderr, "haigha: %s\n", without_passwords(sentence).c_str());
}

}  // namespace tool
