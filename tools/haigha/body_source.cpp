#include "body_source.h"

#include <cerrno>
#include <cstdio>
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
        input_ = stdin;
    } else {
        input_ = std::fopen(options.file.c_str(), "rb");
        if (input_ == nullptr) {
            throw Failure(exit_usage, "cannot open " + options.file + ": " + std::strerror(errno));
        }
    }
    if (!lines_) read_all();
}

BodySource::~BodySource() {
    if (input_ != nullptr && input_ != stdin) std::fclose(input_);
}

void BodySource::read_all() {
    char block[65536];
    std::size_t size = 0;
    while ((size = std::fread(block, 1, sizeof block, input_)) > 0)
        body_.append(block, size);
    if (std::ferror(input_) != 0 && !interrupted()) {
        throw Failure(exit_failed, std::string("cannot read the body: ") + std::strerror(errno));
    }
}

const std::string* BodySource::next() {
    if (interrupted()) return nullptr;
    if (!lines_) {
        if (left_ == 0) return nullptr;
        --left_;
        return &body_;
    }
    body_.clear();
    int c = std::fgetc(input_);
    for (; c != EOF && c != '\n'; c = std::fgetc(input_))
        body_ += static_cast<char>(c);
    // A line that was read whole is a message, whatever has happened meanwhile.
    if (c == '\n') return &body_;
    if (std::ferror(input_) != 0) {
        // Half a line, whose rest nobody waits for.
        if (interrupted()) return nullptr;
        throw Failure(exit_failed, std::string("cannot read the bodies: ") + std::strerror(errno));
    }
    return body_.empty() ? nullptr : &body_;
}

}  // namespace tool
