#include "base/insist.h"

#include <chrono>
#include <thread>

namespace haigha {

void wait_for_memory() noexcept {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

}  // namespace haigha
