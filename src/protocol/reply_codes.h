// The specification's reply codes that are said or looked for here.
#pragma once

#include <cstdint>

namespace haigha::protocol {

inline constexpr std::uint16_t content_too_large = 311;
inline constexpr std::uint16_t access_refused = 403;
inline constexpr std::uint16_t frame_error = 501;
inline constexpr std::uint16_t syntax_error = 502;
inline constexpr std::uint16_t command_invalid = 503;
inline constexpr std::uint16_t channel_error = 504;
inline constexpr std::uint16_t unexpected_frame = 505;
inline constexpr std::uint16_t internal_error = 541;

}  // namespace haigha::protocol
