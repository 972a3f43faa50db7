// What a storm has found that must not be.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace haigha::storm {

class Findings {
  public:
    // `kind` is what is counted, such as "lost"; the first texts of each are kept.
    void add(const std::string& kind, const std::string& text);
    std::uint64_t count(const std::string& kind) const;
    bool none() const;
    // "lost (3): ..." for each kind.
    std::vector<std::string> lines() const;

  private:
    struct Kind {
        std::uint64_t count = 0;
        std::vector<std::string> first;
    };
    mutable std::mutex mutex_;
    std::map<std::string, Kind> kinds_;
};

}  // namespace haigha::storm
