// The named values of a log record.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/error.h"
#include "wire/field_table.h"

namespace haigha::client {

// Borrows names and texts; nothing is allocated. What would be one too many is left out.
class LogFields {
  public:
    static constexpr std::size_t most = 16;

    LogFields& text(std::string_view name, std::string_view value) {
        if (wire::Field* const field = next(name); field != nullptr) {
            field->tag = 'S';
            field->bytes = wire::as_bytes(value);
        }
        return *this;
    }
    LogFields& number(std::string_view name, std::int64_t value) {
        if (wire::Field* const field = next(name); field != nullptr) {
            field->tag = 'l';
            field->integer = value;
        }
        return *this;
    }
    // Of an error what it has, but the message.
    LogFields& error(const ErrorRef& error) {
        if (!error) return *this;
        text("status", status_name(error->status));
        if (error->stage != Stage::none) text("stage", stage_name(error->stage));
        if (!error->host.empty()) text("host", error->host);
        if (error->channel_id != 0) number("channel", error->channel_id);
        if (error->reply_code != 0) {
            number("reply_code", error->reply_code);
            text("reply_text", error->reply_text);
        }
        if (*error->method_name != '\0') text("method", error->method_name);
        if (error->os_errno != 0) number("errno", error->os_errno);
        return *this;
    }
    std::span<const wire::Field> all() const { return std::span(fields_).first(count_); }

  private:
    wire::Field* next(std::string_view name) {
        if (count_ == most) return nullptr;
        wire::Field& field = fields_[count_++];
        field.name = name;
        return &field;
    }

    std::array<wire::Field, most> fields_{};
    std::size_t count_ = 0;
};

}  // namespace haigha::client
