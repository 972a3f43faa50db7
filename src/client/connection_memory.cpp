// The part of Connection that goes on without memory. A call that finds none is refused; what the
// connection cannot do without ends it, with NO_MEMORY, and how it ends waits for memory.
#include "base/insist.h"
#include "client/connection.h"

namespace haigha::client {

void Connection::condemn() {
    condemned_ = true;
    flush_scheduled_ = true;
    tell_loop();
}

void Connection::out_of_memory() noexcept {
    const ErrorRef error = insist([this] {
        return failure(Status::no_memory,
                       "there was no memory for what was sent or received: what it was is lost, so "
                       "the connection ends");
    });
    insist([&] { fail(error); });
}

}  // namespace haigha::client
