// A head that is prepared says, octet for octet, what one that is written at once says.
#include "protocol/publish_head.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <vector>

#include "wire/field_table.h"

namespace haigha::protocol {
namespace {

class PreparedHeadTest : public testing::Test {
  protected:
    PreparedHeadTest() {
        (void)headers_.add_string("key", "value");
        full_.present = 0xFFFC;
        full_.content_type = full_.app_id = full_.message_id = "text";
        full_.headers = {headers_.contents()};
        full_.timestamp = 12345;
        full_.priority = 3;
        for (const wire::Properties* properties : {&none_, &full_}) {
            for (const bool mandatory : {false, true}) {
                PublishRequest& request = requests_.emplace_back();
                request.exchange = "exchange";
                request.routing_key = "key";
                request.mandatory = mandatory;
                request.properties = properties;
            }
        }
    }
    static std::vector<std::byte> written(const auto& head, std::uint16_t channel,
                                          std::uint64_t size) {
        std::vector<std::byte> octets(head.size() + 1, std::byte{0x55});
        EXPECT_EQ(head.write(octets.data(), channel, size), octets.data() + head.size());
        EXPECT_EQ(octets.back(), std::byte{0x55});
        return octets;
    }

    wire::FieldTable headers_;
    wire::Properties none_;
    wire::Properties full_;
    std::vector<PublishRequest> requests_;
};

TEST_F(PreparedHeadTest, IsWrittenAsTheOther) {
    for (const PublishRequest& request : requests_) {
        const PublishHead head(request, *request.properties);
        const PreparedHead prepared(request);
        EXPECT_EQ(prepared.size(), head.size());
        EXPECT_EQ(prepared.header_frame_size(), head.header_frame_size());
        EXPECT_EQ(prepared.mandatory(), request.mandatory);
        for (const std::uint64_t size : {std::uint64_t{0}, std::uint64_t{1} << 33})
            EXPECT_EQ(written(prepared, 513, size), written(head, 513, size));
    }
}

TEST_F(PreparedHeadTest, TellsWhatItWasMadeOf) {
    for (const PublishRequest& request : requests_) {
        const PreparedHead prepared(request);
        wire::Properties properties;
        const PublishRequest again = prepared.request(&properties);
        EXPECT_EQ(written(PublishHead(again, *again.properties), 1, 5), written(prepared, 1, 5));
        EXPECT_EQ(again.exchange, "exchange");
        EXPECT_EQ(again.routing_key, "key");
    }
}

}  // namespace
}  // namespace haigha::protocol
