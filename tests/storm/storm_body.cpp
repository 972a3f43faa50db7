#include "storm/storm_body.h"

#include <algorithm>
#include <cstring>

namespace haigha::storm {

namespace {

struct Head {
    std::uint64_t magic;
    BodyLabel label;
    std::uint64_t size;
    std::uint64_t checksum;  // of everything else
};
static_assert(sizeof(Head) == least_body);

constexpr std::uint64_t magic = 0x73746f726d626f64;  // "stormbod"

// Of words, each of which changes all that follow.
std::uint64_t checksum(const Head& head, std::string_view rest) {
    constexpr std::uint64_t prime = 0x9e3779b97f4a7c15;
    std::uint64_t sum = head.magic;
    const auto mix = [&](std::uint64_t word) {
        sum = (sum ^ word) * prime;
        sum ^= sum >> 29;
    };
    mix(head.label.number);
    mix(std::uint64_t{head.label.publisher} << 32 | head.label.attempt);
    mix(head.size);
    while (!rest.empty()) {
        std::uint64_t word = 0;
        const std::size_t part = std::min(rest.size(), sizeof word);
        std::memcpy(&word, rest.data(), part);
        mix(word);
        rest.remove_prefix(part);
    }
    return sum;
}

}  // namespace

std::string make_body(const BodyLabel& label, std::size_t size) {
    std::string body(std::max(size, least_body), '\0');
    Head head{magic, label, body.size(), 0};
    std::uint64_t word = label.number * 0x2545f4914f6cdd1d + label.publisher + 1;
    for (std::size_t at = sizeof head; at < body.size(); at += sizeof word) {
        word ^= word << 13;
        word ^= word >> 7;
        word ^= word << 17;
        std::memcpy(&body[at], &word, std::min(sizeof word, body.size() - at));
    }
    head.checksum = checksum(head, std::string_view(body).substr(sizeof head));
    std::memcpy(body.data(), &head, sizeof head);
    return body;
}

bool read_body(std::string_view body, BodyLabel* label) {
    Head head;
    if (body.size() < sizeof head) return false;
    std::memcpy(&head, body.data(), sizeof head);
    if (head.magic != magic || head.size != body.size()) return false;
    if (head.checksum != checksum(head, body.substr(sizeof head))) return false;
    *label = head.label;
    return true;
}

}  // namespace haigha::storm
