// Tests of the method codec: vectors by hand, and every method round, cut short and overlong.
#include "wire/method_codec.h"

#include <gtest/gtest.h>

#include <string>

#include "support/octets.h"
#include "wire/method_declarations.h"

namespace haigha::wire {
namespace {

using test::copy_of;
using test::hex;
using test::joined;
using test::Octets;
using test::octets;

template <class Method>
Octets encoded(const Method& method) {
    Octets out(method_size(method));
    EXPECT_EQ(encode_method(method, out.data()), out.data() + out.size()) << Method::name;
    return out;
}

// Checks that the method encodes to these octets and comes back the same.
template <class Method>
void expect_wire(const Method& method, std::string_view spelled) {
    const Octets wire = octets(spelled);
    EXPECT_EQ(hex(encoded(method)), hex(wire)) << Method::name;
    ASSERT_EQ(read_method_id(wire), Method::id) << Method::name;
    Method read;
    ASSERT_TRUE(decode_method(Bytes(wire).subspan(method_id_size), read)) << Method::name;
    EXPECT_EQ(hex(encoded(read)), hex(wire)) << Method::name;
}

template <class Visitor, class... Methods>
void each_method(MethodList<Methods...>, Visitor&& visit) {
    (visit(Methods{}), ...);
}

// Fills every field with a value of its own, so that swapped fields show.
struct Filler {
    Octets table = octets("01'k' 'I' 00000001");
    std::string text = "text-";
    unsigned count = 0;

    template <WireInteger T>
    void operator()(T& value) {
        value = static_cast<T>(0xA1A2A3A4A5A6A7A8U + ++count);
    }
    void operator()(bool& value) { value = (++count % 2) == 0; }
    void operator()(ShortString& value) { value.text = std::string_view(text).substr(++count % 5); }
    void operator()(LongString& value) { value.text = std::string_view(text).substr(++count % 5); }
    void operator()(TableBytes& value) { value.bytes = table; }
};

TEST(MethodCodec, VectorsOfTheHandshake) {
    const Octets server = octets("07'product' 'S' 00000006 'Rabbit'");
    expect_wire(connection::Start{.version_major = 0,
                                  .version_minor = 9,
                                  .server_properties = {server},
                                  .mechanisms = {"AMQPLAIN PLAIN"},
                                  .locales = {"en_US"}},
                "000a000a 00 09 00000013 07'product' 'S' 00000006 'Rabbit'"
                "0000000e 'AMQPLAIN PLAIN' 00000005 'en_US'");
    expect_wire(connection::StartOk{.mechanism = {"PLAIN"},
                                    .response = {std::string_view("\0guest\0guest", 12)},
                                    .locale = {"en_US"}},
                "000a000b 00000000 05'PLAIN' 0000000c 00'guest'00'guest' 05'en_US'");
    expect_wire(connection::Secure{.challenge = {"?"}}, "000a0014 00000001 '?'");
    expect_wire(connection::SecureOk{.response = {"!"}}, "000a0015 00000001 '!'");
    expect_wire(connection::Tune{.channel_max = 2047, .frame_max = 131072, .heartbeat = 60},
                "000a001e 07ff 00020000 003c");
    expect_wire(connection::TuneOk{.channel_max = 2047, .frame_max = 131072, .heartbeat = 60},
                "000a001f 07ff 00020000 003c");
    expect_wire(connection::Open{.virtual_host = {"/"}}, "000a0028 01'/' 00 00");
    expect_wire(connection::OpenOk{}, "000a0029 00");
    expect_wire(connection::Close{.reply_code = 320,
                                  .reply_text = {"CONNECTION_FORCED"},
                                  .class_id = 10,
                                  .method_id = 40},
                "000a0032 0140 11'CONNECTION_FORCED' 000a 0028");
    expect_wire(connection::CloseOk{}, "000a0033");
    expect_wire(connection::Blocked{.reason = {"low on memory"}}, "000a003c 0d'low on memory'");
    expect_wire(connection::Unblocked{}, "000a003d");
    expect_wire(connection::UpdateSecret{.new_secret = {"token"}, .reason = {"renewed"}},
                "000a0046 00000005 'token' 07'renewed'");
    expect_wire(connection::UpdateSecretOk{}, "000a0047");
}

TEST(MethodCodec, VectorsOfChannels) {
    expect_wire(channel::Open{}, "0014000a 00");
    expect_wire(channel::OpenOk{}, "0014000b 00000000");
    expect_wire(channel::Flow{.active = true}, "00140014 01");
    expect_wire(channel::FlowOk{.active = false}, "00140015 00");
    expect_wire(
        channel::Close{
            .reply_code = 404, .reply_text = {"NOT_FOUND"}, .class_id = 50, .method_id = 20},
        "00140028 0194 09'NOT_FOUND' 0032 0014");
    expect_wire(channel::CloseOk{}, "00140029");
    expect_wire(access::Request{.realm = {"/data"}, .active = true, .read = true},
                "001e000a 05'/data' 14");
    expect_wire(access::RequestOk{.ticket = 1}, "001e000b 0001");
}

TEST(MethodCodec, VectorsOfTopology) {
    const Octets arguments = octets("01'x' 'V'");
    expect_wire(exchange::Declare{.exchange = {"e"},
                                  .type = {"topic"},
                                  .durable = true,
                                  .internal = true,
                                  .arguments = {arguments}},
                "0028000a 0000 01'e' 05'topic' 0a 00000003 01'x''V'");
    expect_wire(exchange::Delete{.exchange = {"e"}, .if_unused = true}, "00280014 0000 01'e' 01");
    expect_wire(exchange::Bind{.destination = {"d"}, .source = {"s"}, .routing_key = {"k"}},
                "0028001e 0000 01'd' 01's' 01'k' 00 00000000");
    expect_wire(exchange::Unbind{.destination = {"d"}, .source = {"s"}, .no_wait = true},
                "00280028 0000 01'd' 01's' 00 01 00000000");
    expect_wire(exchange::UnbindOk{}, "00280033");
    expect_wire(queue::Declare{.queue = {"orders"}, .durable = true, .auto_delete = true},
                "0032000a 0000 06'orders' 0a 00000000");
    expect_wire(queue::DeclareOk{.queue = {"q"}, .message_count = 5, .consumer_count = 1},
                "0032000b 01'q' 00000005 00000001");
    expect_wire(queue::Bind{.queue = {"q"}, .exchange = {"e"}, .routing_key = {"k"}},
                "00320014 0000 01'q' 01'e' 01'k' 00 00000000");
    expect_wire(queue::Unbind{.queue = {"q"}, .exchange = {"e"}, .routing_key = {"k"}},
                "00320032 0000 01'q' 01'e' 01'k' 00000000");
    expect_wire(queue::Purge{.queue = {"q"}}, "0032001e 0000 01'q' 00");
    expect_wire(queue::PurgeOk{.message_count = 4294967295}, "0032001f ffffffff");
    expect_wire(queue::Delete{.queue = {"q"}, .if_empty = true, .no_wait = true},
                "00320028 0000 01'q' 06");
    expect_wire(queue::DeleteOk{.message_count = 1}, "00320029 00000001");
}

TEST(MethodCodec, VectorsOfMessages) {
    expect_wire(basic::Qos{.prefetch_count = 100, .global = true}, "003c000a 00000000 0064 01");
    expect_wire(basic::Consume{.queue = {"q"}, .consumer_tag = {"t"}, .no_ack = true},
                "003c0014 0000 01'q' 01't' 02 00000000");
    expect_wire(basic::ConsumeOk{.consumer_tag = {"t"}}, "003c0015 01't'");
    expect_wire(basic::Cancel{.consumer_tag = {"t"}, .no_wait = true}, "003c001e 01't' 01");
    expect_wire(basic::CancelOk{.consumer_tag = {"t"}}, "003c001f 01't'");
    expect_wire(basic::Publish{.exchange = {"e"}, .routing_key = {"key"}, .mandatory = true},
                "003c0028 0000 01'e' 03'key' 01");
    expect_wire(
        basic::Return{
            .reply_code = 312, .reply_text = {"NO_ROUTE"}, .exchange = {"e"}, .routing_key = {"k"}},
        "003c0032 0138 08'NO_ROUTE' 01'e' 01'k'");
    expect_wire(basic::Deliver{.consumer_tag = {"t"},
                               .delivery_tag = 0x0102030405060708,
                               .redelivered = true,
                               .exchange = {"e"},
                               .routing_key = {"k"}},
                "003c003c 01't' 0102030405060708 01 01'e' 01'k'");
    expect_wire(basic::Get{.queue = {"q"}, .no_ack = true}, "003c0046 0000 01'q' 01");
    expect_wire(basic::GetOk{.delivery_tag = 1, .routing_key = {"k"}, .message_count = 2},
                "003c0047 0000000000000001 00 00 01'k' 00000002");
    expect_wire(basic::GetEmpty{}, "003c0048 00");
    expect_wire(basic::Ack{.delivery_tag = UINT64_MAX, .multiple = true},
                "003c0050 ffffffffffffffff 01");
    expect_wire(basic::Reject{.delivery_tag = 1, .requeue = true}, "003c005a 0000000000000001 01");
    expect_wire(basic::RecoverAsync{.requeue = true}, "003c0064 01");
    expect_wire(basic::Recover{.requeue = true}, "003c006e 01");
    expect_wire(basic::RecoverOk{}, "003c006f");
    expect_wire(basic::Nack{.delivery_tag = 1, .requeue = true}, "003c0078 0000000000000001 02");
    expect_wire(confirm::Select{.no_wait = true}, "0055000a 01");
    expect_wire(confirm::SelectOk{}, "0055000b");
    expect_wire(tx::Select{}, "005a000a");
    expect_wire(tx::CommitOk{}, "005a0015");
    expect_wire(tx::Rollback{}, "005a001e");
}

TEST(MethodCodec, EveryMethodGoesRound) {
    each_method(AllMethods{}, []<class Method>(Method method) {
        Filler filler;
        each_field(method, filler);
        const Octets wire = encoded(method);
        Method read;
        ASSERT_TRUE(decode_method(Bytes(wire).subspan(method_id_size), read)) << Method::name;
        EXPECT_EQ(hex(encoded(read)), hex(wire)) << Method::name;
    });
}

// rule 104: no prefix of any method is accepted or read past its end, and nothing may follow it.
TEST(MethodCodec, Rule104EveryTruncationAndEveryExcessIsRefused) {
    each_method(AllMethods{}, []<class Method>(Method method) {
        Filler filler;
        each_field(method, filler);
        const Octets wire = encoded(method);
        const Bytes arguments = Bytes(wire).subspan(method_id_size);
        for (std::size_t size = 0; size < arguments.size(); ++size) {
            const Octets part = copy_of(arguments.first(size));
            Method read;
            EXPECT_FALSE(decode_method(Bytes(part), read)) << Method::name << " to " << size;
        }
        const Octets overlong = joined(arguments, octets("00"));
        Method read;
        EXPECT_FALSE(decode_method(Bytes(overlong), read)) << Method::name;
    });
}

// rule 105
TEST(MethodCodec, Rule105LengthsNearTheMaximumAreRefused) {
    for (std::uint32_t length = 0xFFFFFFF0U; length != 0; ++length) {
        Octets wire = octets("00000000 05'PLAIN' 00000000 05'en_US'");
        connection::StartOk method;
        ASSERT_TRUE(decode_method(Bytes(wire), method));
        store_big(wire.data(), length);
        EXPECT_FALSE(decode_method(Bytes(wire), method));
        store_big(wire.data(), std::uint32_t{0});
        store_big(wire.data() + 10, length);
        EXPECT_FALSE(decode_method(Bytes(wire), method));
    }
}

// rule 115
TEST(MethodCodec, Rule115ShortStringsKeepTheirLengths) {
    for (const std::size_t length : {127U, 128U, 255U}) {
        const std::string text(length, 'q');
        const Octets wire = encoded(queue::DeclareOk{.queue = {text}});
        queue::DeclareOk read;
        ASSERT_TRUE(decode_method(Bytes(wire).subspan(method_id_size), read));
        EXPECT_EQ(read.queue.text, text);
    }
}

// rule 115: the error names the field; bytes are counted, not characters.
TEST(MethodCodec, Rule115OversizedFieldIsNamed) {
    const std::string fits(255, 'x');
    const std::string oversized(256, 'x');
    std::string multibyte;
    for (int count = 0; count < 128; ++count)
        multibyte += "\u00e9";
    EXPECT_EQ(oversized_field(basic::Publish{.exchange = {fits}, .routing_key = {fits}}), "");
    EXPECT_EQ(oversized_field(basic::Publish{.routing_key = {oversized}}), "routing_key");
    EXPECT_EQ(oversized_field(basic::Publish{.exchange = {oversized}, .routing_key = {oversized}}),
              "exchange");
    EXPECT_EQ(oversized_field(queue::Declare{.queue = {multibyte}}), "queue");
    EXPECT_EQ(oversized_field(connection::SecureOk{.response = {oversized}}), "");
}

TEST(MethodCodec, IdsNeedFourOctets) {
    EXPECT_EQ(read_method_id(octets("003c0028 ff")), (MethodId{60, 40}));
    EXPECT_EQ(read_method_id(octets("ffffffff")), (MethodId{65535, 65535}));
    EXPECT_EQ(read_method_id(octets("003c00")), std::nullopt);
    EXPECT_EQ(read_method_id({}), std::nullopt);
    EXPECT_EQ((MethodId{60, 40}).key(), 0x003c0028U);
    EXPECT_LT((MethodId{50, 40}), (MethodId{60, 10}));
}

TEST(DescribeMethod, LeavesReservedFieldsOutAndHidesSecrets) {
    std::string out = "< ";
    describe_method(basic::Publish{.exchange = {"e"}, .routing_key = {"a\nb"}}, out);
    EXPECT_EQ(out,
              "< basic.publish exchange=\"e\" routing_key=\"a\\x0ab\" mandatory=0 immediate=0");
    each_method(AllMethods{}, []<class Method>(Method method) {
        Filler filler;
        each_field(method, filler);
        std::string text;
        describe_method(method, text);
        EXPECT_TRUE(text.starts_with(Method::name));
        EXPECT_EQ(text.find("reserved"), std::string::npos) << text;
        if constexpr (requires { Method::secret; }) {
            // A misspelled declaration would hide nothing.
            EXPECT_NE(text.find(std::string(Method::secret) + "=<hidden>"), std::string::npos);
        }
    });
}

}  // namespace
}  // namespace haigha::wire
