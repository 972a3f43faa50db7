// The library's version, from the build's one source.
#pragma once

#include <string_view>

namespace haigha {

#ifndef HAIGHA_PROJECT_VERSION
#error "the build defines HAIGHA_PROJECT_VERSION"
#endif
inline constexpr std::string_view version_string = HAIGHA_PROJECT_VERSION;

}  // namespace haigha
