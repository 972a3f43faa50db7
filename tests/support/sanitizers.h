// Whether this program is watched by a sanitizer, for tests of memory and of the process's end.
#pragma once

namespace haigha::test {

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAIGHA_TEST_ADDRESS_SANITIZER 1
#endif
#if __has_feature(thread_sanitizer)
#define HAIGHA_TEST_THREAD_SANITIZER 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(HAIGHA_TEST_ADDRESS_SANITIZER)
inline constexpr bool address_sanitizer = true;
#else
inline constexpr bool address_sanitizer = false;
#endif
#if defined(__SANITIZE_THREAD__) || defined(HAIGHA_TEST_THREAD_SANITIZER)
inline constexpr bool thread_sanitizer = true;
#else
inline constexpr bool thread_sanitizer = false;
#endif

}  // namespace haigha::test
