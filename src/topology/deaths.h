// RabbitMQ's header x-death, read from whatever a peer has put there.
#pragma once

#include <cstdint>
#include <string_view>

#include "wire/field_table.h"

namespace haigha::topology {

// Borrows the headers.
struct Death {
    std::string_view queue{};
    std::string_view reason{};
    std::string_view exchange{};
    std::string_view original_expiration{};
    std::string_view routing_key{};  // the first one
    wire::Bytes routing_keys{};      // contents of an array
    std::uint64_t count = 1;
    std::uint64_t time = 0;
};

// Where the array of routing keys lies: x-death, a record, the array.
inline constexpr std::uint32_t routing_keys_depth = 3;

// Walks the records, without allocating and in one pass over the headers.
class DeathCursor {
  public:
    explicit DeathCursor(wire::Bytes headers);

    wire::FieldStatus next(Death& death);

  private:
    wire::TableCursor deaths_;
    bool malformed_ = false;
};

// False when the headers cannot be decoded. Empty: in any queue, for any reason.
bool count_deaths(wire::Bytes headers, std::string_view queue, std::string_view reason,
                  std::uint64_t* count);
// How often a quorum queue has delivered it before.
bool count_deliveries(wire::Bytes headers, std::uint64_t* count);

}  // namespace haigha::topology
