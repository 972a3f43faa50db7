#include "protocol/return_matcher.h"

#include <functional>

namespace haigha::protocol {

namespace {

// Of a body its beginning and its end are looked at, and its size.
constexpr std::size_t looked_at = 256;

std::uint64_t mix(std::uint64_t seed, std::uint64_t value) {
    // As splitmix64 does it.
    std::uint64_t mixed = seed ^ (value + 0x9E3779B97F4A7C15 + (seed << 6) + (seed >> 2));
    mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9;
    mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EB;
    return mixed ^ (mixed >> 31);
}

std::uint64_t mix(std::uint64_t seed, std::string_view text) {
    return mix(mix(seed, text.size()), std::hash<std::string_view>{}(text));
}

std::uint64_t print_of(std::uint64_t key, std::span<const std::byte> body) {
    const std::string_view text(reinterpret_cast<const char*>(body.data()), body.size());
    std::uint64_t print = mix(mix(key, text.size()), text.substr(0, looked_at));
    if (text.size() > looked_at) print = mix(print, text.substr(text.size() - looked_at));
    return print;
}

}  // namespace

std::uint64_t return_key(std::string_view exchange, std::string_view routing_key,
                         const wire::Properties* properties) {
    std::uint64_t key = mix(mix(std::uint64_t{0}, exchange), routing_key);
    if (properties == nullptr) return key;
    // Brokers give back headers in an order of their own; these come back as they are.
    if (properties->has(wire::property_message_id)) key = mix(key, properties->message_id);
    if (properties->has(wire::property_correlation_id)) key = mix(key, properties->correlation_id);
    return key;
}

void ReturnMatcher::add(std::uint64_t sequence, std::uint64_t key, std::span<const std::byte> body,
                        const ConfirmRing& ring) {
    while (!open_.empty() && !ring.is_open(open_.front().sequence))
        (void)open_.pop();
    open_.push({sequence, print_of(key, body)});
}

std::optional<std::uint64_t> ReturnMatcher::match(std::uint64_t key,
                                                  std::span<const std::byte> body,
                                                  const ConfirmRing& ring) {
    const std::uint64_t print = print_of(key, body);
    std::size_t before = 0;
    for (const Open& one : open_) {
        ++before;
        if (one.print != print || !ring.is_open(one.sequence)) continue;
        const std::uint64_t sequence = one.sequence;
        // Those before it were routed.
        for (; before > 0; --before)
            (void)open_.pop();
        return sequence;
    }
    return std::nullopt;
}

}  // namespace haigha::protocol
