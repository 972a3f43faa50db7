// What is said of a message that a pool has published for another part of the library, and that the
// broker has not confirmed.
#pragma once

#include <string>

#include "base/error.h"
#include "client/event.h"

namespace haigha::pool {

// `what`: how the sentence begins. Its status is RETURNED, or that of the outcome's own error.
ErrorRef unconfirmed_error(const client::Event& outcome, const std::string& what);

}  // namespace haigha::pool
