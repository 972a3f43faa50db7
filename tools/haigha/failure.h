// How the tool fails: an exception that knows its exit status and one sentence.
#pragma once

#include <haigha/haigha.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

namespace tool {

// Documented in `haigha --help`; scripts depend on the numbers.
enum ExitStatus : int {
    exit_ok = 0,
    exit_failed = 1,
    exit_usage = 2,
    exit_unreachable = 3,
    exit_empty = 4,
    exit_interrupted = 130,
};

class Failure : public std::runtime_error {
  public:
    Failure(ExitStatus exit_status, const std::string& sentence)
        : std::runtime_error(sentence), exit_status_(exit_status) {}

    ExitStatus exit_status() const noexcept { return exit_status_; }

  private:
    ExitStatus exit_status_;
};

// A call of the library that was refused or failed.
class ApiFailure : public Failure {
  public:
    // A copy of `error` is kept; it may be NULL, and then `status` is all there is to say.
    ApiFailure(haigha_status status, const haigha_error* error);

    haigha_status status() const noexcept { return status_; }
    // The broker's reply code, or 0.
    int reply_code() const noexcept { return haigha_error_reply_code(error_.get()); }

  private:
    haigha_status status_;
    std::shared_ptr<haigha_error> error_;
};

// Receives the error of one call, as its last argument: require(haigha_x(..., error), error).
class ErrorSlot {
  public:
    ErrorSlot() = default;
    ~ErrorSlot() { haigha_error_free(error_); }
    ErrorSlot(const ErrorSlot&) = delete;
    ErrorSlot& operator=(const ErrorSlot&) = delete;

    operator haigha_error**() noexcept {
        haigha_error_free(error_);
        error_ = nullptr;
        return &error_;
    }
    const haigha_error* get() const noexcept { return error_; }

  private:
    haigha_error* error_ = nullptr;
};

// Throws ApiFailure unless `status` is HAIGHA_OK.
void require(haigha_status status, const ErrorSlot& error);

// "connect: cannot ...": the error's sentence, after the stage when there was no connection yet.
std::string describe(haigha_status status, const haigha_error* error);

// The text with every password of a URI in it replaced: between ':' and '@' of its authority, and
// after "password=" in its query. For texts that may quote the command line.
std::string without_passwords(std::string_view text);

// Writes "haigha: " and the sentence to stderr, without passwords, on a line of its own.
void complain(std::string_view sentence);

}  // namespace tool
