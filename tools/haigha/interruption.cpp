#include "interruption.h"

#include <unistd.h>

#include <atomic>
#include <csignal>

#include "failure.h"

namespace tool {

namespace {

std::atomic<bool> flag{false};
std::atomic<int> impatience{0};
static_assert(std::atomic<bool>::is_always_lock_free && std::atomic<int>::is_always_lock_free,
              "a signal handler may use lock-free atomics only");

void on_signal(int) {
    if (impatience.load() > 0 || flag.exchange(true)) _exit(exit_interrupted);
}

}  // namespace

void install_interruption() {
    struct sigaction action = {};
    action.sa_handler = on_signal;
    sigemptyset(&action.sa_mask);
    // No SA_RESTART: a read of standard input is to end, too.
    sigaction(SIGINT, &action, nullptr);
    sigaction(SIGTERM, &action, nullptr);
}

bool interrupted() noexcept {
    return flag.load(std::memory_order_relaxed);
}

Impatience::Impatience() noexcept {
    ++impatience;
    if (interrupted()) _exit(exit_interrupted);
}

Impatience::~Impatience() {
    --impatience;
}

}  // namespace tool
