// SIGINT and SIGTERM as a flag that the commands look at.
#pragma once

namespace tool {

// From here on the first signal sets the flag and the second ends the process at once, so that
// nobody is held by a shutdown that hangs.
void install_interruption();

bool interrupted() noexcept;

// While one lives the first signal, too, ends the process at once with status 130: for waits in
// which there is nothing to clean up, such as connecting.
class Impatience {
  public:
    Impatience() noexcept;
    ~Impatience();
    Impatience(const Impatience&) = delete;
    Impatience& operator=(const Impatience&) = delete;
};

}  // namespace tool
