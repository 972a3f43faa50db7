// Whether this process is a child of the one in which something was made.
#pragma once

#include <cstdint>

namespace haigha::transport {

// A page that the kernel wipes in a child: to look at it takes no system call.
class ForkGuard {
  public:
    ForkGuard();
    ~ForkGuard();
    ForkGuard(const ForkGuard&) = delete;
    ForkGuard& operator=(const ForkGuard&) = delete;
    bool forked() const { return page_ != nullptr && *page_ == 0; }

  private:
    volatile std::uint8_t* page_ = nullptr;
};

}  // namespace haigha::transport
