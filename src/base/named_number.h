// Numbers that are asked for by name.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string_view>

namespace haigha {

struct NamedNumber {
    std::string_view name;
    std::uint64_t value;
};

// False for a name that is not among them.
inline bool find_number(std::initializer_list<NamedNumber> known, std::string_view name,
                        std::int64_t* value) {
    for (const NamedNumber& one : known) {
        if (one.name != name) continue;
        *value = static_cast<std::int64_t>(one.value);
        return true;
    }
    return false;
}

}  // namespace haigha
