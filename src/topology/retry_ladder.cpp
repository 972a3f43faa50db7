#include "topology/retry_ladder.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "topology/typed_arguments.h"

namespace haigha::topology {

using wire::Field;
using wire::FieldError;
using wire::FieldStatus;
using wire::FieldTable;
using wire::TableCursor;

namespace {

constexpr std::string_view header_retries = "x-haigha-retries";
constexpr std::string_view header_reason = "x-haigha-retry-reason";
constexpr std::string_view header_exchange = "x-haigha-retry-exchange";
constexpr std::string_view header_expiration = "x-haigha-retry-expiration";
constexpr std::string_view header_user = "x-haigha-retry-user-id";

// The broker's, about deaths: with its own queue in it, a message that comes back by expiry is a
// cycle to RabbitMQ up to 3.13, and is dropped.
bool is_of_deaths(std::string_view name) {
    return name == "x-death" || name.starts_with("x-first-death-") ||
           name.starts_with("x-last-death-");
}

// Those of the queue that it was in, and of this retry.
bool is_written_anew(std::string_view name) {
    return name == header_retries || name == header_reason || name == "x-delivery-count" ||
           name == "x-acquired-count" || is_of_deaths(name);
}

// The first bytes of it, whole characters of UTF-8.
std::string_view beginning(std::string_view text) {
    if (text.size() <= longest_reason) return text;
    std::size_t end = longest_reason;
    const auto continues = [&](std::size_t at) {
        return (static_cast<unsigned char>(text[at]) & 0xC0U) == 0x80U;
    };
    while (end > longest_reason - 4 && continues(end))
        --end;
    return text.substr(0, continues(end) ? longest_reason : end);
}

}  // namespace

std::string RetryLadder::name_of(std::uint64_t delay_ms) const {
    return names_.prefix + "." + std::to_string(delay_ms) + "ms";
}

std::string RetryLadder::step(std::uint64_t retries) const {
    return retries < delays_.size() ? name_of(delays_[retries]) : names_.quarantine;
}

std::string RetryLadder::add_queue(Description& description, const std::string& name,
                                   const FieldTable& arguments) const {
    ExchangeDescription exchange{.name = name, .type = "fanout", .durable = true};
    if (std::string why = description.add(std::move(exchange)); !why.empty()) return why;
    QueueDescription queue{.name = name, .durable = true};
    queue.arguments.assign(arguments.contents().begin(), arguments.contents().end());
    if (std::string why = description.add(std::move(queue)); !why.empty()) return why;
    return description.add(BindingDescription{
        .to_queue = true, .destination = name, .source = name, .routing_key = {}});
}

std::string RetryLadder::add_step(Description& description, std::uint64_t delay_ms) const {
    QueueArguments step;
    step.message_ttl_ms = delay_ms;
    step.dead_letter_exchange = names_.prefix;
    if (quorum_) {
        step.kind = QueueKind::quorum;
        step.dead_letters = DeadLetters::at_least_once;
        step.overflow = Overflow::reject_publish;
    }
    const QueueFlags durable{.durable = true};
    if (std::string why = queue_refusal(step, &durable, {}); !why.empty()) return why;
    FieldTable arguments;
    const FieldError error = topology::add_to(arguments, step);
    if (error != FieldError::none) return wire::field_error_text(error);
    return add_queue(description, name_of(delay_ms), arguments);
}

std::string RetryLadder::add_to(Description& description) const {
    Description grown(description);
    ExchangeDescription back{.name = names_.prefix, .type = "fanout", .durable = true};
    if (std::string why = grown.add(std::move(back)); !why.empty()) return why;
    for (const std::uint64_t delay : delays_) {
        if (std::string why = add_step(grown, delay); !why.empty()) return why;
    }
    QueueArguments kept;
    if (quorum_) kept.kind = QueueKind::quorum;
    FieldTable arguments;
    const FieldError error = topology::add_to(arguments, kept);
    if (error != FieldError::none) return wire::field_error_text(error);
    if (std::string why = add_queue(grown, names_.quarantine, arguments); !why.empty()) return why;
    std::string why = grown.add(BindingDescription{
        .to_queue = true, .destination = names_.queue, .source = names_.prefix, .routing_key = {}});
    if (why.empty()) description = std::move(grown);
    return why;
}

bool count_retries(wire::Bytes headers, std::uint64_t* count) {
    TableCursor cursor(headers);
    Field field;
    FieldStatus status = FieldStatus::end;
    std::uint64_t found = 0;
    while ((status = cursor.next(field)) == FieldStatus::field) {
        if (field.name == header_retries) found = wire::natural(field);
    }
    if (status != FieldStatus::end) return false;
    *count = found;
    return true;
}

ErrorRef RetriedMessage::read(const client::Message& message) {
    message_ = &message;
    if (!wire::parse_properties(message.properties, properties_)) {
        return make_error(Status::malformed, "the message's properties cannot be decoded");
    }
    if (!count_retries(properties_.headers.bytes, &retries_)) {
        return make_error(Status::malformed, "the message's headers cannot be decoded");
    }
    return nullptr;
}

ErrorRef RetriedMessage::write(std::string_view exchange, std::string_view reason,
                               protocol::PublishRequest& request) {
    headers_.clear();
    FieldError error = FieldError::none;
    const auto set = [&](FieldError now) {
        if (error == FieldError::none) error = now;
    };
    TableCursor cursor(properties_.headers.bytes);
    Field field;
    bool has_exchange = false;
    while (cursor.next(field) == FieldStatus::field) {
        if (is_written_anew(field.name)) continue;
        has_exchange = has_exchange || field.name == header_exchange;
        set(headers_.add(field));
    }
    if (!has_exchange) set(headers_.add_string(header_exchange, message_->exchange));
    if (properties_.has(wire::property_expiration)) {
        set(headers_.add_string(header_expiration, properties_.expiration));
    }
    if (properties_.has(wire::property_user_id)) {
        set(headers_.add_string(header_user, properties_.user_id));
    }
    const auto next = std::min<std::uint64_t>(retries_, std::numeric_limits<std::int32_t>::max());
    set(headers_.add_int(header_retries, static_cast<std::int64_t>(next) + 1));
    set(headers_.add_string(header_reason, beginning(reason)));
    if (error != FieldError::none) {
        return make_error(Status::malformed,
                          std::string("the message's headers cannot be written: ") +
                              wire::field_error_text(error));
    }
    properties_.headers = {headers_.contents()};
    properties_.present =
        static_cast<std::uint16_t>((properties_.present | wire::property_headers) &
                                   ~(wire::property_expiration | wire::property_user_id));
    request.exchange = exchange;
    request.routing_key = message_->routing_key;
    request.mandatory = true;
    request.properties = &properties_;
    request.body = wire::as_bytes(message_->body);
    return nullptr;
}

}  // namespace haigha::topology
