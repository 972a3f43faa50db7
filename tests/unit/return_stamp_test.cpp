// Tests of the stamp that matches returns to publishes: put in and taken out, nothing else changes.
#include "protocol/return_stamp.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "wire/field_table.h"
#include "wire/properties.h"

namespace haigha::protocol {
namespace {

using Octets = std::vector<std::byte>;

Octets encoded(const wire::Properties& properties) {
    Octets octets(wire::properties_size(properties));
    wire::write_properties(properties, octets.data());
    return octets;
}

wire::Properties described(wire::Bytes headers) {
    wire::Properties properties;
    properties.present = wire::property_content_type | wire::property_headers |
                         wire::property_priority | wire::property_app_id;
    properties.content_type = "text/plain";
    properties.headers = {headers};
    properties.priority = 7;
    properties.app_id = "app";
    return properties;
}

// Rule 67
TEST(ReturnStamp, LeavesWhatWasThere) {
    wire::FieldTable headers;
    ASSERT_EQ(headers.add_string("a", "one"), wire::FieldError::none);
    ASSERT_EQ(headers.add_int("x-haigha-sequence", 12), wire::FieldError::none);  // of tag I
    const Octets original = encoded(described(headers.contents()));
    const Octets stamped = stamped_headers(headers.contents(), 1ULL << 40);
    Octets octets = encoded(described(stamped));
    const auto taken = take_stamp(octets);
    ASSERT_TRUE(taken);
    EXPECT_EQ(taken->sequence, 1ULL << 40);
    octets.resize(taken->size);
    EXPECT_EQ(octets, original);
    EXPECT_FALSE(take_stamp(octets));
}

// RabbitMQ 4 sorts a message's headers: it may come back in the middle.
TEST(ReturnStamp, IsFoundWhereverItIs) {
    wire::FieldTable headers;
    ASSERT_EQ(headers.add_string("a", "one"), wire::FieldError::none);
    wire::FieldTable sorted;
    ASSERT_EQ(sorted.add_string("a", "one"), wire::FieldError::none);
    wire::Field stamp;
    stamp.name = return_stamp_name;
    stamp.tag = 'l';
    stamp.integer = 3;
    ASSERT_EQ(sorted.add(stamp), wire::FieldError::none);
    ASSERT_EQ(headers.add_bool("z", true), wire::FieldError::none);
    ASSERT_EQ(sorted.add_bool("z", true), wire::FieldError::none);
    Octets octets = encoded(described(sorted.contents()));
    const auto taken = take_stamp(octets);
    ASSERT_TRUE(taken);
    EXPECT_EQ(taken->sequence, 3U);
    octets.resize(taken->size);
    EXPECT_EQ(octets, encoded(described(headers.contents())));
}

TEST(ReturnStamp, GoesWithTheHeadersThatItMade) {
    wire::Properties plain;
    plain.present = wire::property_priority;
    plain.priority = 5;
    wire::Properties with = plain;
    const Octets stamped = stamped_headers({}, 9);
    with.present |= wire::property_headers;
    with.headers = {stamped};
    Octets octets = encoded(with);
    const auto taken = take_stamp(octets);
    ASSERT_TRUE(taken);
    EXPECT_EQ(taken->sequence, 9U);
    octets.resize(taken->size);
    EXPECT_EQ(octets, encoded(plain));
}

TEST(ReturnStamp, IsNotFoundInWhatHasNone) {
    Octets none = encoded(described({}));
    const Octets before = none;
    EXPECT_FALSE(take_stamp(none));
    EXPECT_EQ(none, before);
    Octets damaged = encoded(described(stamped_headers({}, 9)));
    damaged.pop_back();
    EXPECT_FALSE(take_stamp(damaged));
    EXPECT_FALSE(take_stamp({}));
}

}  // namespace
}  // namespace haigha::protocol
