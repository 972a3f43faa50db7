// Whole lines for a reader who may be slow: whoever writes them never waits.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <string>
#include <thread>

namespace haigha::test {

class StubOutput {
  public:
    StubOutput();
    // Waits until everything is written.
    ~StubOutput();
    StubOutput(const StubOutput&) = delete;
    StubOutput& operator=(const StubOutput&) = delete;

    // A reader who takes none for so long that there is no room gets `lost N` in their place.
    void line(std::string text);

  private:
    static constexpr std::size_t most_ = 100'000;

    void write_on();

    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<std::string> lines_;
    std::size_t lost_ = 0;
    bool ending_ = false;
    std::thread thread_;
};

}  // namespace haigha::test
