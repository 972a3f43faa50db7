// What a message is published with, read from the caller's structs.
#pragma once

#include <optional>

#include "boundary.h"
#include "client/channel.h"
#include "haigha/haigha.h"

namespace haigha::capi {

void read_properties(Arguments& arguments, const haigha_properties* from, wire::Properties& to);
// Fills all of `request` but the body, which borrows from the caller's memory and from
// `properties`.
void read_request(Arguments& arguments, const haigha_publish_args* args,
                  std::optional<wire::Properties>& properties, protocol::PublishRequest& request);
void read_body(Arguments& arguments, haigha_str body, protocol::PublishRequest& request);

}  // namespace haigha::capi
