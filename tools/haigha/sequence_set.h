// A set of message numbers that are mostly dense from 0: one bit each.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace tool {

class SequenceSet {
  public:
    // False when it was in the set already.
    bool insert(std::uint64_t sequence) {
        const std::size_t block = static_cast<std::size_t>(sequence / block_bits);
        if (block >= blocks_.size()) blocks_.resize(block + 1);
        if (!blocks_[block]) blocks_[block] = std::make_unique<Block>();
        std::uint64_t& word = blocks_[block]->words[sequence % block_bits / 64];
        const std::uint64_t bit = std::uint64_t{1} << (sequence % 64);
        if ((word & bit) != 0) return false;
        word |= bit;
        ++size_;
        return true;
    }

    bool contains(std::uint64_t sequence) const {
        const std::size_t block = static_cast<std::size_t>(sequence / block_bits);
        if (block >= blocks_.size() || !blocks_[block]) return false;
        const std::uint64_t word = blocks_[block]->words[sequence % block_bits / 64];
        return (word >> (sequence % 64) & 1) != 0;
    }

    std::uint64_t size() const noexcept { return size_; }

  private:
    // A million messages in a block: 128 KiB once a million, and no copying as it grows.
    static constexpr std::uint64_t block_bits = std::uint64_t{1} << 20;
    struct Block {
        std::uint64_t words[block_bits / 64] = {};
    };

    std::vector<std::unique_ptr<Block>> blocks_;
    std::uint64_t size_ = 0;
};

}  // namespace tool
