// Arguments of a live channel that are too long, missing, or structs of another version.
#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <cstring>
#include <string>
#include <vector>

#include "support/amqp_greeting.h"
#include "support/api_fixture.h"
#include "support/tcp_peer.h"

namespace haigha::test {
namespace {

// A peer that opens the connection and then answers nothing: what is accepted waits.
class ArgumentLimits : public testing::Test {
  protected:
    void SetUp() override {
        loop_ = start_loop();
        connection_ = new_connection(loop_.get(), peer_.options({{"prefetch", 0}}).get());
        ASSERT_EQ(HAIGHA_OK, haigha_connection_open_wait(connection_.get(), -1, error_)) << error_;
        ASSERT_EQ(HAIGHA_OK,
                  haigha_channel_open(connection_.get(), nullptr, nullptr, out(channel_), error_))
            << error_;
        ch_ = channel_.get();
    }
    void TearDown() override { close_loop(loop_.get()); }

    void expect_too_long(haigha_status status, const char* name) {
        EXPECT_EQ(status, HAIGHA_ERR_ARGUMENT) << name;
        EXPECT_NE(error_.message().find(name), std::string::npos) << error_;
        EXPECT_NE(error_.message().find("256"), std::string::npos) << error_;
    }

    // Gives `call` the struct with other sizes and tails. `first`: the size of its first release.
    template <class Struct, class Call>
    void expect_versions(const char* name, const Struct& today, Call call,
                         std::size_t first = sizeof(Struct)) {
        std::vector<unsigned char> memory(8192, 0);
        auto* const args = reinterpret_cast<Struct*>(memory.data());
        const auto with_size = [&](std::size_t size) {
            std::memcpy(static_cast<void*>(args), &today, sizeof today);
            args->size = size;
            return call(args);
        };
        for (const std::size_t size :
             {std::size_t{0}, std::size_t{8}, first - 1, std::size_t{5000}, ~std::size_t{0}}) {
            EXPECT_EQ(with_size(size), HAIGHA_ERR_STRUCT_VERSION) << name << ", size " << size;
            EXPECT_NE(error_.message().find("size"), std::string::npos) << error_;
        }
        EXPECT_EQ(with_size(first), HAIGHA_OK) << name << ": " << error_;
        EXPECT_EQ(with_size(sizeof today), HAIGHA_OK) << name << ": " << error_;
        // A later caller: nothing that we do not know is asked for.
        EXPECT_EQ(with_size(sizeof today + 24), HAIGHA_OK) << name << ": " << error_;
        EXPECT_EQ(with_size(4096), HAIGHA_OK) << name << ": " << error_;
        memory[sizeof today + 23] = 1;
        EXPECT_EQ(with_size(sizeof today + 24), HAIGHA_ERR_STRUCT_VERSION) << name;
        EXPECT_NE(error_.message().find("does not know"), std::string::npos) << error_;
        // What lies behind the size is not looked at.
        EXPECT_EQ(with_size(sizeof today + 23), HAIGHA_OK) << name << ": " << error_;
    }

    TcpPeer peer_{[](TcpPeer::Client& client) {
        greet(client);
        client.hold();
    }};
    LoopHandle loop_;
    ConnectionHandle connection_;
    ChannelHandle channel_;
    haigha_channel* ch_ = nullptr;
    Err error_;
    const std::string long_ = std::string(256, 'n');
};

// rule 115
TEST_F(ArgumentLimits, NamesOf256Bytes) {
    {
        haigha_exchange_declare_args args = HAIGHA_EXCHANGE_DECLARE_ARGS_INIT;
        args.exchange = str(long_);
        expect_too_long(haigha_exchange_declare(ch_, &args, nullptr, error_), "exchange");
        args.exchange = str("e");
        args.type = str(long_);
        expect_too_long(haigha_exchange_declare_wait(ch_, &args, 0, nullptr, error_), "type");
    }
    {
        haigha_exchange_delete_args args = HAIGHA_EXCHANGE_DELETE_ARGS_INIT;
        args.exchange = str(long_);
        expect_too_long(haigha_exchange_delete(ch_, &args, nullptr, error_), "exchange");
    }
    {
        haigha_exchange_bind_args args = HAIGHA_EXCHANGE_BIND_ARGS_INIT;
        args.destination = str(long_);
        expect_too_long(haigha_exchange_bind(ch_, &args, nullptr, error_), "destination");
        args = HAIGHA_EXCHANGE_BIND_ARGS_INIT;
        args.source = str(long_);
        expect_too_long(haigha_exchange_unbind(ch_, &args, nullptr, error_), "source");
        args = HAIGHA_EXCHANGE_BIND_ARGS_INIT;
        args.routing_key = str(long_);
        expect_too_long(haigha_exchange_bind(ch_, &args, nullptr, error_), "routing_key");
    }
    {
        haigha_queue_declare_args args = HAIGHA_QUEUE_DECLARE_ARGS_INIT;
        args.queue = str(long_);
        expect_too_long(haigha_queue_declare(ch_, &args, nullptr, error_), "queue");
    }
    {
        haigha_queue_bind_args args = HAIGHA_QUEUE_BIND_ARGS_INIT;
        args.queue = str(long_);
        expect_too_long(haigha_queue_bind(ch_, &args, nullptr, error_), "queue");
        args = HAIGHA_QUEUE_BIND_ARGS_INIT;
        args.exchange = str(long_);
        expect_too_long(haigha_queue_unbind(ch_, &args, nullptr, error_), "exchange");
        args = HAIGHA_QUEUE_BIND_ARGS_INIT;
        args.routing_key = str(long_);
        expect_too_long(haigha_queue_bind(ch_, &args, nullptr, error_), "routing_key");
    }
    {
        haigha_queue_delete_args args = HAIGHA_QUEUE_DELETE_ARGS_INIT;
        args.queue = str(long_);
        expect_too_long(haigha_queue_delete(ch_, &args, nullptr, error_), "queue");
        expect_too_long(haigha_queue_purge(ch_, str(long_), nullptr, error_), "queue");
    }
    {
        haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
        args.exchange = str(long_);
        expect_too_long(haigha_publish(ch_, &args, str("x"), nullptr, error_), "exchange");
        args = HAIGHA_PUBLISH_ARGS_INIT;
        args.routing_key = str(long_);
        expect_too_long(haigha_publish_wait(ch_, &args, str("x"), 0, nullptr, error_),
                        "routing_key");
    }
    {
        EventLog log;
        haigha_consume_args args = HAIGHA_CONSUME_ARGS_INIT;
        args.deliveries = log.then();
        args.queue = str(long_);
        expect_too_long(haigha_consume(ch_, &args, nullptr, error_), "queue");
        args.queue = str("q");
        args.consumer_tag = str(long_);
        expect_too_long(haigha_consume(ch_, &args, nullptr, error_), "consumer_tag");
        expect_too_long(haigha_cancel(ch_, str(long_), nullptr, error_), "consumer_tag");
        EXPECT_EQ(log.released(), 0U);
        haigha_get_args get = HAIGHA_GET_ARGS_INIT;
        get.queue = str(long_);
        expect_too_long(haigha_get(ch_, &get, nullptr, error_), "queue");
    }
    // 255 are allowed.
    const std::string longest(255, 'n');
    haigha_queue_declare_args args = HAIGHA_QUEUE_DECLARE_ARGS_INIT;
    args.queue = str(longest);
    EXPECT_EQ(HAIGHA_OK, haigha_queue_declare(ch_, &args, nullptr, error_)) << error_;
}

TEST_F(ArgumentLimits, PropertiesOf256Bytes) {
    struct Property {
        const char* name;
        std::uint32_t bit;
        haigha_str haigha_properties::*member;
    };
    const Property all[] = {
        {"content_type", HAIGHA_PROPERTY_CONTENT_TYPE, &haigha_properties::content_type},
        {"content_encoding", HAIGHA_PROPERTY_CONTENT_ENCODING,
         &haigha_properties::content_encoding},
        {"correlation_id", HAIGHA_PROPERTY_CORRELATION_ID, &haigha_properties::correlation_id},
        {"reply_to", HAIGHA_PROPERTY_REPLY_TO, &haigha_properties::reply_to},
        {"expiration", HAIGHA_PROPERTY_EXPIRATION, &haigha_properties::expiration},
        {"message_id", HAIGHA_PROPERTY_MESSAGE_ID, &haigha_properties::message_id},
        {"type", HAIGHA_PROPERTY_TYPE, &haigha_properties::type},
        {"user_id", HAIGHA_PROPERTY_USER_ID, &haigha_properties::user_id},
        {"app_id", HAIGHA_PROPERTY_APP_ID, &haigha_properties::app_id},
        {"cluster_id", HAIGHA_PROPERTY_CLUSTER_ID, &haigha_properties::cluster_id},
    };
    haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
    for (const Property& property : all) {
        haigha_properties properties = HAIGHA_PROPERTIES_INIT;
        properties.present = property.bit;
        properties.*property.member = str(long_);
        args.properties = &properties;
        expect_too_long(haigha_publish(ch_, &args, str("x"), nullptr, error_), property.name);
        properties.present = 0;  // then it is ignored
        EXPECT_EQ(HAIGHA_OK, haigha_publish(ch_, &args, str("x"), nullptr, error_)) << error_;
    }
    haigha_properties properties = HAIGHA_PROPERTIES_INIT;
    properties.present = 1;
    args.properties = &properties;
    EXPECT_EQ(HAIGHA_ERR_ARGUMENT, haigha_publish(ch_, &args, str("x"), nullptr, error_));
    EXPECT_NE(error_.message().find("present"), std::string::npos) << error_;
}

TEST_F(ArgumentLimits, OptionsAreReadBack) {
    OptionsHandle options;
    ASSERT_EQ(HAIGHA_OK, haigha_options_new(out(options), error_)) << error_;
    haigha_str text{};
    std::int64_t number = 0;
    ASSERT_EQ(HAIGHA_OK, haigha_options_get_string(options.get(), str("vhost"), &text, error_))
        << error_;
    EXPECT_EQ(view(text), "/");
    ASSERT_EQ(HAIGHA_OK,
              haigha_options_set_uri(options.get(), str("amqps://u:p%40@h:7/?heartbeat=3"), error_))
        << error_;
    ASSERT_EQ(HAIGHA_OK, haigha_options_get_string(options.get(), str("password"), &text, error_))
        << error_;
    EXPECT_EQ(view(text), "p@");
    ASSERT_EQ(HAIGHA_OK, haigha_options_get_int(options.get(), str("port"), &number, error_))
        << error_;
    EXPECT_EQ(number, 7);
    ASSERT_EQ(HAIGHA_OK, haigha_options_get_uri(options.get(), 1, &text, error_)) << error_;
    EXPECT_EQ(view(text), "amqps://u:p%40@h:7/?heartbeat=3");
    ASSERT_EQ(HAIGHA_OK, haigha_options_get_uri(options.get(), 0, &text, error_)) << error_;
    EXPECT_EQ(view(text), "amqps://u@h:7/?heartbeat=3");
    EXPECT_EQ(HAIGHA_ERR_ARGUMENT,
              haigha_options_get_int(options.get(), str("vhost"), &number, error_));
    EXPECT_EQ(error_.message(), "the option vhost is a string, not a number");
    EXPECT_EQ(HAIGHA_ERR_ARGUMENT,
              haigha_options_get_string(options.get(), str("port"), &text, error_));
    EXPECT_EQ(error_.message(), "the option port is a number, not a string");
    EXPECT_EQ(HAIGHA_ERR_ARGUMENT,
              haigha_options_get_int(options.get(), str("speed"), &number, error_));
    EXPECT_EQ(error_.message(), "there is no option \"speed\"");
}

TEST_F(ArgumentLimits, AnAnswerGoesToOnePlace) {
    InboxHandle inbox;
    ASSERT_EQ(HAIGHA_OK, haigha_inbox_new(0, out(inbox), error_)) << error_;
    EventLog log;
    haigha_then both = log.then();
    both.inbox = inbox.get();
    haigha_queue_declare_args declare = HAIGHA_QUEUE_DECLARE_ARGS_INIT;
    EXPECT_EQ(HAIGHA_ERR_ARGUMENT, haigha_queue_declare(ch_, &declare, &both, error_));
    EXPECT_EQ(error_.message(), "then has both fn and inbox");
    haigha_consume_args consume = HAIGHA_CONSUME_ARGS_INIT;
    consume.deliveries = both;
    EXPECT_EQ(HAIGHA_ERR_ARGUMENT, haigha_consume(ch_, &consume, nullptr, error_));
    EXPECT_EQ(error_.message(), "args->deliveries has both fn and inbox");
    haigha_channel_args channel = HAIGHA_CHANNEL_ARGS_INIT;
    channel.events = both;
    ChannelHandle opened;
    EXPECT_EQ(HAIGHA_ERR_ARGUMENT,
              haigha_channel_open(connection_.get(), &channel, nullptr, out(opened), error_));
    EXPECT_EQ(error_.message(), "args->events has both fn and inbox");
    EXPECT_EQ(HAIGHA_ERR_ARGUMENT, haigha_connection_set_events(connection_.get(), &both, error_));
    EXPECT_EQ(HAIGHA_ERR_ARGUMENT, haigha_connection_close(connection_.get(), &both, error_));
    EXPECT_EQ(HAIGHA_ERR_ARGUMENT, haigha_channel_close(ch_, &both, error_));
    EXPECT_EQ(HAIGHA_ERR_ARGUMENT, haigha_loop_close(loop_.get(), &both, error_));
    ConnectionHandle connection;
    EXPECT_EQ(HAIGHA_ERR_ARGUMENT,
              haigha_connection_new(loop_.get(), nullptr, &both, out(connection), error_));
    EXPECT_EQ(log.released(), 0U);
}

TEST_F(ArgumentLimits, MissingPieces) {
    const haigha_str no_data{nullptr, 5};
    haigha_queue_declare_args declare = HAIGHA_QUEUE_DECLARE_ARGS_INIT;
    declare.queue = no_data;
    EXPECT_EQ(HAIGHA_ERR_ARGUMENT, haigha_queue_declare(ch_, &declare, nullptr, error_));
    haigha_publish_args publish = HAIGHA_PUBLISH_ARGS_INIT;
    EXPECT_EQ(HAIGHA_ERR_ARGUMENT, haigha_publish(ch_, &publish, no_data, nullptr, error_));
    EXPECT_NE(error_.message().find("body"), std::string::npos) << error_;
    EXPECT_EQ(HAIGHA_ERR_ARGUMENT, haigha_publish(ch_, nullptr, str("x"), nullptr, error_));
    EXPECT_EQ(HAIGHA_ERR_ARGUMENT, haigha_queue_declare(ch_, nullptr, nullptr, error_));
    EXPECT_EQ(HAIGHA_ERR_ARGUMENT, haigha_consume(ch_, nullptr, nullptr, error_));
    haigha_consume_args consume = HAIGHA_CONSUME_ARGS_INIT;
    EXPECT_EQ(HAIGHA_ERR_ARGUMENT, haigha_consume(ch_, &consume, nullptr, error_));
    EXPECT_NE(error_.message().find("deliveries"), std::string::npos) << error_;
    EXPECT_EQ(HAIGHA_ERR_ARGUMENT, haigha_cancel(ch_, str(""), nullptr, error_));
    EXPECT_EQ(HAIGHA_ERR_ARGUMENT, haigha_ack(ch_, 0, 0, error_));
    EXPECT_EQ(HAIGHA_ERR_ARGUMENT, haigha_ack(ch_, 1, HAIGHA_REQUEUE, error_));
    EXPECT_EQ(HAIGHA_ERR_ARGUMENT, haigha_nack(ch_, 1, 4, error_));
    EXPECT_EQ(HAIGHA_ERR_ARGUMENT, haigha_reject(ch_, 1, HAIGHA_MULTIPLE, error_));
    EXPECT_EQ(HAIGHA_ERR_ARGUMENT, haigha_queue_declare_wait(ch_, &declare, -2, nullptr, error_));
    std::int64_t value = 0;
    EXPECT_EQ(HAIGHA_ERR_ARGUMENT,
              haigha_connection_info(connection_.get(), str("speed"), &value, error_));
    EXPECT_NE(error_.message().find("speed"), std::string::npos) << error_;
    TableHandle array;
    ASSERT_EQ(HAIGHA_OK, haigha_table_new_array(out(array), error_));
    declare = HAIGHA_QUEUE_DECLARE_ARGS_INIT;
    declare.arguments = array.get();
    EXPECT_EQ(HAIGHA_ERR_ARGUMENT, haigha_queue_declare(ch_, &declare, nullptr, error_));
}

// rule 119
TEST_F(ArgumentLimits, StructsOfOtherVersions) {
    EventLog log;
    haigha_consume_args consume = HAIGHA_CONSUME_ARGS_INIT;
    consume.deliveries = log.then();
    consume.deliveries.release = nullptr;  // of many consumers
    const haigha_channel_args channel = HAIGHA_CHANNEL_ARGS_INIT;
    const haigha_exchange_declare_args exchange_declare = HAIGHA_EXCHANGE_DECLARE_ARGS_INIT;
    const haigha_exchange_delete_args exchange_delete = HAIGHA_EXCHANGE_DELETE_ARGS_INIT;
    const haigha_exchange_bind_args exchange_bind = HAIGHA_EXCHANGE_BIND_ARGS_INIT;
    const haigha_queue_declare_args queue_declare = HAIGHA_QUEUE_DECLARE_ARGS_INIT;
    const haigha_queue_bind_args queue_bind = HAIGHA_QUEUE_BIND_ARGS_INIT;
    const haigha_queue_delete_args queue_delete = HAIGHA_QUEUE_DELETE_ARGS_INIT;
    const haigha_publish_args publish = HAIGHA_PUBLISH_ARGS_INIT;
    const haigha_properties properties = HAIGHA_PROPERTIES_INIT;
    const haigha_qos_args qos = HAIGHA_QOS_ARGS_INIT;
    const haigha_get_args get = HAIGHA_GET_ARGS_INIT;

    expect_versions(
        "channel", channel,
        [&](const auto* args) {
            ChannelHandle opened;
            return haigha_channel_open(connection_.get(), args, nullptr, out(opened), error_);
        },
        offsetof(haigha_channel_args, max_in_flight));
    expect_versions("stop", haigha_stop_args HAIGHA_STOP_ARGS_INIT, [&](const auto* args) {
        const ConnectionHandle other = new_connection(loop_.get(), nullptr);
        return haigha_connection_stop(other.get(), args, nullptr, error_);
    });
    expect_versions("exchange_declare", exchange_declare, [&](const auto* args) {
        return haigha_exchange_declare(ch_, args, nullptr, error_);
    });
    expect_versions("exchange_delete", exchange_delete, [&](const auto* args) {
        return haigha_exchange_delete(ch_, args, nullptr, error_);
    });
    expect_versions("exchange_bind", exchange_bind, [&](const auto* args) {
        return haigha_exchange_bind(ch_, args, nullptr, error_);
    });
    expect_versions("exchange_unbind", exchange_bind, [&](const auto* args) {
        return haigha_exchange_unbind(ch_, args, nullptr, error_);
    });
    expect_versions("queue_declare", queue_declare, [&](const auto* args) {
        return haigha_queue_declare(ch_, args, nullptr, error_);
    });
    expect_versions("queue_bind", queue_bind, [&](const auto* args) {
        return haigha_queue_bind(ch_, args, nullptr, error_);
    });
    expect_versions("queue_unbind", queue_bind, [&](const auto* args) {
        return haigha_queue_unbind(ch_, args, nullptr, error_);
    });
    expect_versions("queue_delete", queue_delete, [&](const auto* args) {
        return haigha_queue_delete(ch_, args, nullptr, error_);
    });
    expect_versions("publish", publish, [&](const auto* args) {
        return haigha_publish(ch_, args, str("x"), nullptr, error_);
    });
    expect_versions("properties", properties, [&](const auto* given) {
        haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
        args.properties = given;
        return haigha_publish(ch_, &args, str("x"), nullptr, error_);
    });
    expect_versions("qos", qos,
                    [&](const auto* args) { return haigha_qos(ch_, args, nullptr, error_); });
    expect_versions("consume", consume,
                    [&](const auto* args) { return haigha_consume(ch_, args, nullptr, error_); });
    expect_versions("get", get,
                    [&](const auto* args) { return haigha_get(ch_, args, nullptr, error_); });
}

TEST_F(ArgumentLimits, PoolsAndRpcClients) {
    const auto pool = [&](auto change) {
        PoolHandle made;
        haigha_pool_args args = HAIGHA_POOL_ARGS_INIT;
        change(args);
        const haigha_status status = haigha_pool_new(connection_.get(), &args, out(made), error_);
        EXPECT_EQ(status == HAIGHA_OK, made != nullptr);
        return status;
    };
    const auto expect_named = [&](haigha_status status, const char* name) {
        EXPECT_EQ(status, HAIGHA_ERR_ARGUMENT) << name;
        EXPECT_NE(error_.message().find(name), std::string::npos) << error_;
    };
    expect_named(pool([](auto& args) { args.mode = 2; }), "mode");
    expect_named(pool([](auto& args) { args.retry = 3; }), "retry");
    expect_named(pool([](auto& args) { args.max_channels = 65'536; }), "max_channels");
    expect_named(pool([](auto& args) { args.max_in_flight = 1'000'001; }), "max_in_flight");
    expect_named(pool([](auto& args) {
                     args.mode = HAIGHA_POOL_TX;
                     args.correlate_returns = 1;
                 }),
                 "correlate_returns");
    expect_named(pool([](auto& args) {
                     args.events.fn = [](const haigha_event*, void*) {};
                     args.events.inbox = reinterpret_cast<haigha_inbox*>(&args);
                 }),
                 "events");
    haigha_pool_args args = HAIGHA_POOL_ARGS_INIT;
    expect_versions("haigha_pool_args", args, [&](const haigha_pool_args* given) {
        PoolHandle made;
        return haigha_pool_new(connection_.get(), given, out(made), error_);
    });

    haigha_rpc_client_args few = HAIGHA_RPC_CLIENT_ARGS_INIT;
    RpcClientHandle client;
    few.max_calls = 1'000'001;
    expect_named(haigha_rpc_client_new(connection_.get(), &few, out(client), error_), "max_calls");
    few.max_calls = 1;
    expect_versions("haigha_rpc_client_args", few, [&](const haigha_rpc_client_args* given) {
        return haigha_rpc_client_new(connection_.get(), given, out(client), error_);
    });
    haigha_publish_args message = HAIGHA_PUBLISH_ARGS_INIT;
    message.routing_key = str(long_);
    PoolHandle made;
    ASSERT_EQ(HAIGHA_OK, haigha_pool_new(connection_.get(), nullptr, out(made), error_)) << error_;
    expect_too_long(haigha_pool_publish(made.get(), &message, str("x"), nullptr, error_),
                    "routing_key");
    expect_too_long(haigha_rpc_call(client.get(), &message, str("x"), -1, nullptr, error_),
                    "routing_key");
    std::int64_t value = 0;
    expect_named(haigha_pool_info(made.get(), str("colour"), &value, error_), "colour");
    expect_named(haigha_rpc_client_info(client.get(), str("colour"), &value, error_), "colour");
}

TEST_F(ArgumentLimits, TheOptionsDescribeThemselves) {
    std::size_t count = 0;
    haigha_option_info info{};
    info.size = sizeof info;
    while (haigha_options_describe(count, &info) == HAIGHA_OK) {
        EXPECT_FALSE(view(info.name).empty());
        EXPECT_FALSE(view(info.meaning).empty()) << view(info.name);
        OptionsHandle options;
        ASSERT_EQ(HAIGHA_OK, haigha_options_new(out(options), error_));
        if (info.type == HAIGHA_OPTION_INT) {
            EXPECT_EQ(HAIGHA_OK,
                      haigha_options_set_int(options.get(), info.name, info.default_int, error_))
                << error_;
            EXPECT_EQ(HAIGHA_ERR_ARGUMENT,
                      haigha_options_set_int(options.get(), info.name, info.maximum + 1, error_));
            EXPECT_EQ(HAIGHA_ERR_ARGUMENT,
                      haigha_options_set_int(options.get(), info.name, -1, error_));
            EXPECT_EQ(HAIGHA_ERR_ARGUMENT,
                      haigha_options_set_string(options.get(), info.name, str("1"), error_));
        } else {
            EXPECT_EQ(HAIGHA_ERR_ARGUMENT,
                      haigha_options_set_int(options.get(), info.name, 1, error_));
            const std::string long_value(static_cast<std::size_t>(info.maximum) + 1, 'x');
            EXPECT_EQ(HAIGHA_ERR_ARGUMENT,
                      haigha_options_set_string(options.get(), info.name, str(long_value), error_));
        }
        EXPECT_NE(error_.message().find(view(info.name)), std::string::npos) << error_;
        ++count;
    }
    EXPECT_GE(count, 15U);
    // An older caller sees as much as it knows; an impossible one nothing.
    info.size = 8;
    EXPECT_EQ(HAIGHA_ERR_STRUCT_VERSION, haigha_options_describe(0, &info));
    OptionsHandle options;
    ASSERT_EQ(HAIGHA_OK, haigha_options_new(out(options), error_));
    EXPECT_EQ(HAIGHA_ERR_ARGUMENT, haigha_options_set_int(options.get(), str("speed"), 1, error_));
    for (const char* uri : {"http://host", "amqp://user:s3cret@host:99999", "amqp://u:s3cret@h/%zz",
                            "amqp://u:s3cret@h?no_such_option=1", ""}) {
        EXPECT_EQ(HAIGHA_ERR_ARGUMENT, haigha_options_set_uri(options.get(), str(uri), error_))
            << uri;
        EXPECT_EQ(error_.message().find("s3cret"), std::string::npos) << error_;
    }
}

}  // namespace
}  // namespace haigha::test
