// amqp:// URIs, as RabbitMQ's URI specification has them.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "client/option_table.h"

namespace haigha::client {

// Sets what the URI names and leaves the rest. Null, or what is wrong with it; the options are then
// unchanged. An error never repeats the URI, which may hold a password.
ErrorRef apply_uri(Options& options, std::string_view uri);

// The URI that makes these options of the defaults. Without secrets it can be shown to people, and
// makes the same options but for those.
std::string uri_of(const Options& options, bool with_secrets);

}  // namespace haigha::client
