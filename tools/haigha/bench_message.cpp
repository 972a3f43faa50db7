#include "bench_message.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <random>

namespace tool {

namespace {

constexpr std::uint64_t prime = 0x9E3779B97F4A7C15;

// Multiplying by an odd number and xor are both reversible: two inputs that differ in one word
// never have one sum, and words that changed places hardly ever.
std::uint64_t step(std::uint64_t sum, std::uint64_t word) noexcept {
    return (std::rotl(sum, 23) ^ word) * prime;
}

std::uint64_t load(const char* data) noexcept {
    std::uint64_t word = 0;
    std::memcpy(&word, data, sizeof word);
    return word;
}

std::uint64_t checksum(std::string_view octets) noexcept {
    const char* data = octets.data();
    std::size_t left = octets.size();
    // Four sums side by side, since each step waits for the one before.
    std::uint64_t a = 1;
    std::uint64_t b = 2;
    std::uint64_t c = 3;
    std::uint64_t d = 4;
    for (; left >= 32; data += 32, left -= 32) {
        a = step(a, load(data));
        b = step(b, load(data + 8));
        c = step(c, load(data + 16));
        d = step(d, load(data + 24));
    }
    std::uint64_t sum = step(step(step(step(octets.size(), a), b), c), d);
    for (; left >= 8; data += 8, left -= 8)
        sum = step(sum, load(data));
    std::uint64_t rest = 0;
    std::memcpy(&rest, data, left);
    sum = step(sum, rest);
    return sum ^ sum >> 32;
}

std::uint64_t checksum_of(const MessageHead& head, std::uint64_t tail_checksum) noexcept {
    return step(step(step(step(0, head.sent_ns), head.sequence), head.run), tail_checksum);
}

}  // namespace

MessageMaker::MessageMaker(std::size_t size_bytes) : size_bytes_(size_bytes) {
    std::random_device device;
    run_ = std::uint64_t{device()} << 32 | device();
    std::mt19937_64 random(run_);
    // Few enough to stay in the processor's cache, so that they cost what real bodies cost.
    constexpr std::size_t most_bytes = 256 * 1024;
    const std::size_t count =
        std::clamp<std::size_t>(most_bytes / std::max<std::size_t>(size_bytes, 1), 2, 64);
    templates_.resize(count);
    for (Template& each : templates_) {
        each.body.resize(size_bytes);
        for (char& octet : each.body)
            octet = static_cast<char>(random());
        if (has_head()) {
            each.tail_checksum = checksum(std::string_view(each.body).substr(sizeof(MessageHead)));
        }
    }
}

std::string_view MessageMaker::make(std::uint64_t sequence, std::uint64_t sent_ns) noexcept {
    Template& chosen = templates_[next_];
    next_ = next_ + 1 == templates_.size() ? 0 : next_ + 1;
    MessageHead head{sent_ns, sequence, run_, 0};
    head.checksum = checksum_of(head, chosen.tail_checksum);
    std::memcpy(chosen.body.data(), &head, std::min(sizeof head, chosen.body.size()));
    return chosen.body;
}

MessageHead read_head(std::string_view body) noexcept {
    MessageHead head;
    if (body.empty()) return head;  // without an address, perhaps: memcpy must not see that
    const std::size_t whole_words = std::min(sizeof head, body.size()) / 8 * 8;
    std::memcpy(&head, body.data(), whole_words);
    return head;
}

bool is_intact(std::string_view body, const MessageHead& head) noexcept {
    return head.checksum == checksum_of(head, checksum(body.substr(sizeof head)));
}

}  // namespace tool
