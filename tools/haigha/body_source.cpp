#include "body_source.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "failure.h"
#include "interruption.h"

namespace tool {

BodySource::BodySource(const BodyOptions& options) : left_(options.count), lines_(options.lines) {
    if (options.text) {
        body_ = *options.text;
        return;
    }
    if (options.file.empty() || options.file == "-") {
        input_ = STDIN_FILENO;
    } else {
        input_ = open(options.file.c_str(), O_RDONLY | O_CLOEXEC);
        if (input_ < 0) {
            throw Failure(exit_usage, "cannot open " + options.file + ": " + std::strerror(errno));
        }
    }
    if (!lines_) read_all();
}

BodySource::~BodySource() {
    if (input_ > STDIN_FILENO) close(input_);
}

void BodySource::read_all() {
    while (read_more()) {
    }
    body_.swap(read_);
}

bool BodySource::read_more() {
    char block[65536];
    while (!interrupted()) {
        const ssize_t size = read(input_, block, sizeof block);
        if (size >= 0) {
            read_.append(block, static_cast<std::size_t>(size));
            return size > 0;
        }
        if (errno != EINTR) {
            throw Failure(exit_failed, std::string("cannot read: ") + std::strerror(errno));
        }
    }
    return false;
}

// A line that was read whole is a message, whatever has happened meanwhile.
const std::string* BodySource::next_line() {
    std::size_t searched = at_;
    while (true) {
        const std::size_t end = read_.find('\n', searched);
        if (end != std::string::npos) {
            body_.assign(read_, at_, end - at_);
            at_ = end + 1;
            return &body_;
        }
        read_.erase(0, at_);
        at_ = 0;
        searched = read_.size();
        if (read_more()) continue;
        // Half a line, whose rest nobody waits for; or the last one, without its end.
        if (interrupted() || read_.empty()) return nullptr;
        body_.swap(read_);
        read_.clear();
        return &body_;
    }
}

const std::string* BodySource::next() {
    if (lines_) return next_line();
    if (interrupted() || left_ == 0) return nullptr;
    --left_;
    return &body_;
}

}  // namespace tool
