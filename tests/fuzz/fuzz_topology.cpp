// What src/topology reads: headers with deaths, topologies as text, and messages that are retried.
//
// The first octet says which; the rest is the contents of a table of headers, a text, or the flags
// and list of a message's properties.
#include <cstdint>
#include <limits>
#include <string>

#include "fuzz_target.h"
#include "topology/deaths.h"
#include "topology/description.h"
#include "topology/retry_ladder.h"
#include "wire/properties.h"

namespace haigha::fuzz {
namespace {

using wire::Field;
using wire::FieldStatus;
using wire::TableCursor;

bool is_within(Bytes part, Bytes whole) {
    return part.empty() || (part.data() >= whole.data() &&
                            part.data() + part.size() <= whole.data() + whole.size());
}
bool is_within(std::string_view part, Bytes whole) {
    return is_within(wire::as_bytes(part), whole);
}

void read_deaths(Bytes headers) {
    constexpr std::uint64_t most = std::numeric_limits<std::uint64_t>::max();
    topology::DeathCursor cursor(headers);
    topology::Death death;
    std::uint64_t sum = 0;
    std::size_t records = 0;
    FieldStatus status = FieldStatus::end;
    while ((status = cursor.next(death)) == FieldStatus::field) {
        require(++records <= headers.size(), "there are no more records than octets");
        require(is_within(death.queue, headers) && is_within(death.reason, headers) &&
                    is_within(death.exchange, headers) && is_within(death.routing_key, headers) &&
                    is_within(death.original_expiration, headers) &&
                    is_within(death.routing_keys, headers),
                "a record is within the headers");
        require(death.count > 0, "a death counts");
        sum = death.count > most - sum ? most : sum + death.count;
    }
    require(status == cursor.next(death), "how it ends is final");
    std::uint64_t counted = 0;
    require(topology::count_deaths(headers, "", "", &counted) == (status == FieldStatus::end),
            "what cannot be walked cannot be counted");
    require(status != FieldStatus::end || counted == sum, "what is counted is what is walked");
    (void)topology::count_deliveries(headers, &counted);
}

std::size_t size_of(const topology::Description& description) {
    return description.exchanges().size() + description.queues().size() +
           description.bindings().size();
}

void read_text(std::string_view text) {
    topology::Description description;
    const std::string why = description.add_text(text);
    const std::size_t entities = size_of(description);
    require(why.empty() || entities == 0, "with a fault nothing is added");
    require(why.empty() || why.starts_with("line "), "a fault names its line");
    require(description.add_text(text) == why && size_of(description) == entities,
            "the same again is nothing new");
}

bool has_field(Bytes headers, std::string_view name) {
    TableCursor cursor(headers);
    Field field;
    while (cursor.next(field) == FieldStatus::field) {
        if (field.name == name) return true;
    }
    return false;
}

void retry(Bytes properties) {
    client::Message message;
    message.exchange = std::string_view("exchange");
    message.routing_key = std::string_view("key");
    message.properties = properties;
    topology::RetriedMessage again;
    if (again.read(message)) return;
    protocol::PublishRequest request;
    if (again.write("step", "reason", request)) return;
    const wire::Properties& written = *request.properties;
    require(written.has(wire::property_headers) && !written.has(wire::property_expiration) &&
                !written.has(wire::property_user_id),
            "what a broker would judge is gone");
    require(wire::check_table(written.headers.bytes), "the headers can be read");
    require(!has_field(written.headers.bytes, "x-death"), "its deaths begin anew");
    std::uint64_t retries = 0;
    require(topology::count_retries(written.headers.bytes, &retries), "it can be counted");
    constexpr std::uint64_t most = std::numeric_limits<std::int32_t>::max();
    require(retries == std::min(again.retries(), most) + 1, "it counts one more");
}

}  // namespace
}  // namespace haigha::fuzz

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace haigha::fuzz;
    Input input(data, size);
    switch (input.below(3)) {
        case 0:
            read_deaths(input.rest());
            break;
        case 1:
            read_text(haigha::wire::as_text(input.rest()));
            break;
        default:
            retry(input.rest());
            break;
    }
    return 0;
}
