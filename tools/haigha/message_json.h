// A message as JSON, and back: nothing of it is lost on the way.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "field_json.h"
#include "owned_handles.h"
#include "property_texts.h"

namespace tool {

// {"exchange", "routing_key", "redelivered", "properties", "headers", "body"}. The properties are
// those that the message has, headers is null when it has none, and its values are as field_json.h
// has them; text that is not UTF-8 is {"base64": "..."}.
Json to_json(const haigha_message* message);

// The properties but for the headers.
Json properties_json(const haigha_properties& properties);

// A message of such JSON, which a person may have written: all but the body may be left out.
class JsonMessage {
  public:
    // Throws JsonProblem, for a member that it does not know, too.
    explicit JsonMessage(std::string_view text);
    // The properties refer to what is kept here.
    JsonMessage(const JsonMessage&) = delete;
    JsonMessage& operator=(const JsonMessage&) = delete;

    const std::optional<std::string>& exchange() const noexcept { return exchange_; }
    const std::optional<std::string>& routing_key() const noexcept { return routing_key_; }
    // With the headers.
    const haigha_properties& properties() const noexcept { return properties_; }
    const std::string& body() const noexcept { return body_; }

  private:
    void take_member(const std::string& name, const Json& value);
    void take_properties(const Json& json, const JsonPath& path);
    void take_property(const std::string& name, const Json& json, const JsonPath& path);

    std::optional<std::string> exchange_;
    std::optional<std::string> routing_key_;
    haigha_properties properties_ = HAIGHA_PROPERTIES_INIT;
    std::array<std::string, std::size(property_texts)> texts_;
    TableHandle headers_;
    bool has_body_ = false;
    std::string body_;
};

}  // namespace tool
