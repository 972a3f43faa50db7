// Which piece of work a worker does next: in order where there is an order, and everybody in turn.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "base/queue.h"

namespace haigha::workers {

// What is of one lane is done one after the other, in the order in which it was added.
struct LaneKey {
    const void* owner = nullptr;
    std::uint64_t number = 0;
    bool operator==(const LaneKey&) const = default;
};

struct Work {
    Work() = default;
    virtual ~Work() = default;
    Work(const Work&) = delete;
    Work& operator=(const Work&) = delete;

    const void* source = nullptr;  // sources have their turns one after the other
    LaneKey lane;                  // of that source
    std::uint64_t number = 0;      // from 1, as it was added
};

// Without threads, clocks or I/O. A source has lanes, a lane has work; a worker that takes from a
// lane has it to itself until its turn is over. Turns go round the sources that have something to
// do, and within a source round its lanes: who has much waits behind who has little.
class WorkSchedule {
  public:
    // most_in_a_row: of one lane, while others wait. most_at_once: workers on one source.
    WorkSchedule(std::size_t most_in_a_row, std::size_t most_at_once)
        : most_in_a_row_(most_in_a_row), most_at_once_(most_at_once) {}
    class Lane;
    struct Turn {
        Lane* lane = nullptr;
        std::unique_ptr<Work> work;  // null: there is nothing to do
    };

    // Leaves things as they were when it throws, and the work its caller's.
    void add(std::unique_ptr<Work>&& work);
    // Begins a turn, if there is something that nobody is at.
    Turn take();
    // The next of the same lane; null: the turn is over.
    std::unique_ptr<Work> next(Lane& lane);
    // Whether take() would give something.
    bool ready() const { return !offered_.empty(); }
    // All that waits; turns go on, and end behind what they have in hand.
    std::vector<std::unique_ptr<Work>> take_all();

    std::size_t waiting() const { return waiting_; }
    std::size_t running() const { return running_; }
    std::uint64_t last() const { return last_; }

  private:
    // A FIFO of what is in at most one such: it takes no memory.
    template <class Item>
    class Line {
      public:
        bool empty() const { return first_ == nullptr; }
        void push(Item& item) {
            item.behind = nullptr;
            (first_ == nullptr ? first_ : last_->behind) = &item;
            last_ = &item;
        }
        Item& pop() {
            Item& item = *first_;
            first_ = item.behind;
            return item;
        }
        void clear() { first_ = nullptr; }

      private:
        Item* first_ = nullptr;
        Item* last_ = nullptr;
    };
    struct Source;
    struct Hash {
        std::size_t operator()(const LaneKey& key) const {
            // By the golden ratio, so that numbers that follow each other do not.
            return std::hash<const void*>{}(key.owner) ^ (key.number * 0x9e3779b97f4a7c15U);
        }
    };

  public:
    // A handle of a turn.
    class Lane {
      private:
        friend class WorkSchedule;
        LaneKey key;
        Source* source = nullptr;
        Queue<std::unique_ptr<Work>> waiting;
        std::size_t in_a_row = 0;
        bool running = false;
        Lane* behind = nullptr;
    };

  private:
    struct Source {
        const void* key = nullptr;
        std::size_t lanes = 0;
        std::size_t running = 0;
        bool is_offered = false;
        Line<Lane> ready{};
        Source* behind = nullptr;
    };
    Lane& lane_of(const Work& work);
    void offer(Source& source);
    void leave(Lane& lane);
    void forget(Lane& lane);

    const std::size_t most_in_a_row_;
    const std::size_t most_at_once_;
    std::unordered_map<const void*, Source> sources_;
    std::unordered_map<LaneKey, Lane, Hash> lanes_;
    Line<Source> offered_;
    std::size_t waiting_ = 0;
    std::size_t running_ = 0;
    std::uint64_t last_ = 0;
};

}  // namespace haigha::workers
