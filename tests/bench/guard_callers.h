// What a program does itself around the library's calls, in C and by haigha.hpp: the same work,
// whose own instructions are compared.
#pragma once

#include <cstdint>
#include <string>

#include "haigha/haigha.h"

namespace bench {

enum class Language : std::uint8_t { c, cpp };

// `count` messages, whose numbers and errors the caller wants.
void publish_in(Language language, haigha_channel* channel, const std::string& body,
                std::uint64_t count);
// A consumer of the queue `echo` that counts bytes and acknowledges each delivery; `done` hears
// that it consumes.
void consume_in(Language language, haigha_channel* channel, const haigha_then& done,
                std::uint64_t* bytes);

}  // namespace bench
