// How much the stub broker keeps for its clients, counted so that none of them can fill the memory.
#pragma once

#include <cstddef>
#include <utility>

namespace haigha::test {

struct StubMemory {
    std::size_t octets = 0;
};

// What a queue, a binding or a consumer counts for, whatever its names are.
inline constexpr std::size_t stub_record_size = 1024;

inline constexpr const char* stub_memory_text =
    "RESOURCE_ERROR - the stub broker holds as much as it may";

// Counts for as long as it, or a copy of it, lives.
class StubCharge {
  public:
    StubCharge() = default;
    StubCharge(StubMemory& memory, std::size_t octets) : memory_(&memory) { add(octets); }
    StubCharge(const StubCharge& other) : memory_(other.memory_) { add(other.octets_); }
    StubCharge(StubCharge&& other) noexcept
        : memory_(other.memory_), octets_(std::exchange(other.octets_, 0)) {}
    StubCharge& operator=(StubCharge other) noexcept {
        std::swap(memory_, other.memory_);
        std::swap(octets_, other.octets_);
        return *this;
    }
    ~StubCharge() {
        if (memory_ != nullptr) memory_->octets -= octets_;
    }

    void add(std::size_t octets) {
        if (memory_ == nullptr) return;
        memory_->octets += octets;
        octets_ += octets;
    }

  private:
    StubMemory* memory_ = nullptr;
    std::size_t octets_ = 0;
};

}  // namespace haigha::test
