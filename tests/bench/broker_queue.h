// A queue on a broker, for the benchmark to work on: classic, transient, filled and emptied here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "haigha/haigha.h"

namespace bench {

class BrokerQueue {
  public:
    // Declares a queue of this process's own. What a killed process leaves, the broker deletes.
    explicit BrokerQueue(std::string uri);
    ~BrokerQueue();
    BrokerQueue(const BrokerQueue&) = delete;
    BrokerQueue& operator=(const BrokerQueue&) = delete;

    const std::string& name() const { return name_; }
    // Publishes stamped messages, and has them confirmed.
    void fill(std::size_t size, std::uint64_t count);
    // Waits until so many messages are there, and no more; then takes them and checks each.
    // False: there were others, or not so many.
    bool holds(std::size_t size, std::uint64_t count);
    void purge();

  private:
    std::uint64_t messages();

    const std::string uri_;
    const std::string name_;
    haigha_loop* loop_ = nullptr;
    haigha_connection* connection_ = nullptr;
    haigha_channel* channel_ = nullptr;
};

}  // namespace bench
