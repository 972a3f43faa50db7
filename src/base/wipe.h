// Secrets do not stay in memory that is given back.
#pragma once

#include <string.h>  // NOLINT(modernize-deprecated-headers): explicit_bzero is not in <cstring>

#include <string>

namespace haigha {

// Overwrites all that the string has ever held in its present memory, and empties it. A string that
// was moved from may hold a short secret still.
inline void wipe(std::string& text) {
    text.resize(text.capacity());
    ::explicit_bzero(text.data(), text.size());
    text.clear();
}

}  // namespace haigha
