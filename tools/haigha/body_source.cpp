#include "body_source.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "failure.h"
#include "interruption.h"

namespace tool {

BodySource::BodySource(const BodyOptions& options)
    : left_(options.count), count_(options.count), lines_(options.lines) {
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
    struct stat what = {};
    if (fstat(input_, &what) == 0 && S_ISREG(what.st_mode)) {
        file_octets_ = static_cast<std::uint64_t>(what.st_size);
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
            read_octets_ += static_cast<std::uint64_t>(size);
            return size > 0;
        }
        if (errno != EINTR) {
            throw UnreadInput(exit_failed, std::string("cannot read: ") + std::strerror(errno));
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

std::optional<double> BodySource::done() const {
    const auto part = [](std::uint64_t some, std::uint64_t all) {
        return std::min(1.0, static_cast<double>(some) / static_cast<double>(all));
    };
    if (!lines_) return part(count_ - left_, count_);
    if (file_octets_ == 0) return std::nullopt;
    // What was read and is not given yet waits in read_.
    return part(read_octets_ - (read_.size() - std::min(at_, read_.size())), file_octets_);
}

const std::string* BodySource::next() {
    if (lines_) return next_line();
    if (interrupted() || left_ == 0) return nullptr;
    --left_;
    return &body_;
}

}  // namespace tool
