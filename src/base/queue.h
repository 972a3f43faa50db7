// A FIFO in one block of memory that costs nothing while it is empty (std::deque allocates).
#pragma once

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

namespace haigha {

template <class T>
class Queue {
  public:
    bool empty() const { return head_ == items_.size(); }
    std::size_t size() const { return items_.size() - head_; }
    T& front() { return items_[head_]; }
    const T& front() const { return items_[head_]; }
    T& back() { return items_.back(); }
    void push(T item) { items_.push_back(std::move(item)); }
    void reserve(std::size_t items) { items_.reserve(head_ + items); }
    // The next push cannot fail for want of memory.
    void reserve_one() {
        if (items_.size() == items_.capacity())
            items_.reserve(std::max<std::size_t>(8, 2 * items_.size()));
    }
    T pop() {
        T item = std::move(items_[head_]);
        if (++head_ == items_.size()) {
            clear();
        } else if (head_ >= 64 && head_ * 2 >= items_.size()) {
            items_.erase(items_.begin(), items_.begin() + static_cast<std::ptrdiff_t>(head_));
            head_ = 0;
        }
        return item;
    }
    void clear() {
        items_.clear();
        head_ = 0;
    }
    auto begin() { return items_.begin() + static_cast<std::ptrdiff_t>(head_); }
    auto end() { return items_.end(); }
    auto begin() const { return items_.begin() + static_cast<std::ptrdiff_t>(head_); }
    auto end() const { return items_.end(); }

  private:
    std::vector<T> items_;
    std::size_t head_ = 0;
};

}  // namespace haigha
