// For what has to be done although there is no memory for it: the end of a connection, and the
// answer to whoever was promised one.
#pragma once

#include <new>
#include <utility>

namespace haigha {

// Others may give some back.
void wait_for_memory() noexcept;

// Does it until there was memory for it. `work` must leave things as they were when it throws.
template <class Work>
auto insist(Work&& work) -> decltype(work()) {
    while (true) {
        try {
            return work();
        } catch (const std::bad_alloc&) {
            wait_for_memory();
        }
    }
}

}  // namespace haigha
