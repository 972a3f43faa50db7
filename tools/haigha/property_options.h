// The properties of a message, from options of the command line.
#pragma once

#include <CLI/CLI.hpp>

#include <optional>
#include <string>
#include <vector>

#include "owned_handles.h"

namespace tool {

struct PropertyOptions {
    bool persistent = false;
    bool transient = false;
    std::optional<int> priority;
    std::optional<std::string> content_type;
    std::optional<std::string> content_encoding;
    std::optional<std::string> correlation_id;
    std::optional<std::string> reply_to;
    std::optional<std::string> expiration;
    std::optional<std::string> message_id;
    std::optional<std::string> timestamp;  // seconds since the epoch, or "now"
    std::optional<std::string> type;
    std::optional<std::string> user_id;
    std::optional<std::string> app_id;
    std::optional<std::string> cluster_id;
    std::vector<std::string> headers;  // NAME=VALUE
};

void add_property_options(CLI::App& command, PropertyOptions& options);

// The same as the library takes them. It borrows the options, which must outlive it.
class PropertySet {
  public:
    explicit PropertySet(const PropertyOptions& options);

    const haigha_properties* get() const noexcept { return &properties_; }
    // The properties of a message, where these do not say otherwise; a header in the place of one
    // that has its name. `headers` holds those of the result, if they are neither's alone.
    haigha_properties over(const haigha_properties& message, TableHandle& headers) const;

  private:
    haigha_properties properties_ = HAIGHA_PROPERTIES_INIT;
    TableHandle headers_;
};

}  // namespace tool
