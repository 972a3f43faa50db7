#include "storm/findings.h"

namespace haigha::storm {

namespace {
constexpr std::size_t most_texts = 8;
}

void Findings::add(const std::string& kind, const std::string& text) {
    const std::lock_guard lock(mutex_);
    Kind& found = kinds_[kind];
    ++found.count;
    if (found.first.size() < most_texts) found.first.push_back(text);
}

std::uint64_t Findings::count(const std::string& kind) const {
    const std::lock_guard lock(mutex_);
    const auto found = kinds_.find(kind);
    return found != kinds_.end() ? found->second.count : 0;
}

bool Findings::none() const {
    const std::lock_guard lock(mutex_);
    return kinds_.empty();
}

std::vector<std::string> Findings::lines() const {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> all;
    for (const auto& [name, kind] : kinds_) {
        for (const std::string& text : kind.first)
            all.push_back(name + " (" + std::to_string(kind.count) + "): " + text);
    }
    return all;
}

}  // namespace haigha::storm
