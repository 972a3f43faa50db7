// What the benchmarks' calls of the library have in common.
#pragma once

#include <haigha/haigha.h>

#include <string>
#include <string_view>

#include "bench_peer.h"

namespace bench {

inline haigha_str str(std::string_view text) {
    return {text.data(), text.size()};
}

inline void check(haigha_status status, haigha_error* error, const char* what) {
    if (status == HAIGHA_OK) return;
    give_up(std::string(what) + ": " +
            (error != nullptr ? haigha_error_message(error) : haigha_status_name(status)));
}

}  // namespace bench
