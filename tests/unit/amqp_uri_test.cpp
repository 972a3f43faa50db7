// Tests of apply_uri with the examples of RabbitMQ's URI specification, and with bad ones.
#include "client/amqp_uri.h"

#include <gtest/gtest.h>

#include <string>

namespace haigha::client {
namespace {

struct Vector {
    const char* uri;
    const char* user;
    const char* password;
    const char* host;
    std::int64_t port;
    const char* vhost;
};

// rule 41. What a URI leaves out stays as it was; empty is not absent.
TEST(AmqpUri, ReadsTheExamplesOfTheSpecification) {
    constexpr Vector vectors[] = {
        {"amqp://user:pass@host:10000/vhost", "user", "pass", "host", 10000, "vhost"},
        {"amqp://user%61:%61pass@ho%61st:10000/v%2fhost", "usera", "apass", "hoast", 10000,
         "v/host"},
        {"amqp://", "U", "P", "H", 1, "V"},
        {"amqp://:@/", "", "", "H", 1, ""},
        {"amqp://user@", "user", "P", "H", 1, "V"},
        {"amqp://user:pass@", "user", "pass", "H", 1, "V"},
        {"amqp://host", "U", "P", "host", 1, "V"},
        {"amqp://:10000", "U", "P", "H", 10000, "V"},
        {"amqp:///vhost", "U", "P", "H", 1, "vhost"},
        {"amqp://host/", "U", "P", "host", 1, ""},
        {"amqp://host/%2F", "U", "P", "host", 1, "/"},
        {"amqp://host/%2f", "U", "P", "host", 1, "/"},
        {"amqp://[::1]", "U", "P", "::1", 1, "V"},
        {"amqp://[fe80::1]:99/v", "U", "P", "fe80::1", 99, "v"},
        {"AMQP://host", "U", "P", "host", 1, "V"},
        {"amqp://u:p%40%23%3A%25%2F@host", "u", "p@#:%/", "host", 1, "V"},
        {"amqp://u:p:q@host", "u", "p:q", "host", 1, "V"},
    };
    for (const Vector& row : vectors) {
        Options options;
        options.user = "U";
        options.password = "P";
        options.host = "H";
        options.port = 1;
        options.vhost = "V";
        const ErrorRef error = apply_uri(options, row.uri);
        ASSERT_FALSE(error) << row.uri << ": " << error->message;
        EXPECT_EQ(options.user, row.user) << row.uri;
        EXPECT_EQ(options.password, row.password) << row.uri;
        EXPECT_EQ(options.host, row.host) << row.uri;
        EXPECT_EQ(options.port, row.port) << row.uri;
        EXPECT_EQ(options.vhost, row.vhost) << row.uri;
    }
}

TEST(AmqpUri, WhatIsAbsentKeepsItsDefault) {
    const Options defaults;
    for (const char* uri : {"amqp://h?heartbeat=7", "amqp://h", "amqp://h?"}) {
        Options options;
        ASSERT_FALSE(apply_uri(options, uri)) << uri;
        EXPECT_EQ(options.channel_max, defaults.channel_max) << uri;
        EXPECT_EQ(options.connection_timeout, defaults.connection_timeout) << uri;
        EXPECT_EQ(options.frame_max, defaults.frame_max) << uri;
        if (std::string_view(uri).find('7') == std::string_view::npos) {
            EXPECT_EQ(options.heartbeat, defaults.heartbeat) << uri;
        }
    }
}

TEST(AmqpUri, NamesAMechanismInEachParameter) {
    Options options;
    ASSERT_FALSE(apply_uri(options, "amqp://h?auth_mechanism=external&auth_mechanism=PLAIN"));
    EXPECT_EQ(options.auth_mechanism, "EXTERNAL PLAIN");
    ASSERT_FALSE(apply_uri(options, "amqp://h?auth_mechanism=amqplain"));
    EXPECT_EQ(options.auth_mechanism, "AMQPLAIN");
    ASSERT_FALSE(apply_uri(options, "amqp://h?heartbeat=1"));
    EXPECT_EQ(options.auth_mechanism, "AMQPLAIN");
    std::string many = "amqp://h?auth_mechanism=A";
    for (int i = 0; i < 200; ++i)
        many += "&auth_mechanism=A";
    EXPECT_TRUE(apply_uri(options, many));  // longer than the option takes
    EXPECT_EQ(options.auth_mechanism, "AMQPLAIN");
}

TEST(AmqpUri, APasswordHasAnyOctets) {
    Options options;
    ASSERT_FALSE(apply_uri(options, "amqp://u:p%C3%A9%80%FF%3F@h"));
    EXPECT_EQ(options.password, "p\xC3\xA9\x80\xFF?");
}

TEST(AmqpUri, SeveralHostsHaveTheirPortsWithThem) {
    Options options;
    options.port = 7;
    ASSERT_FALSE(apply_uri(options, "amqp://u:p@a,b:5673,[::1]:5674/v"));
    EXPECT_EQ(options.host, "a,b:5673,[::1]:5674");
    EXPECT_EQ(options.port, 7);
    EXPECT_EQ(options.vhost, "v");
}

TEST(AmqpUri, TheSchemeDecidesOnTls) {
    Options options;
    ASSERT_FALSE(apply_uri(options, "AMQPS://h"));
    EXPECT_EQ(options.tls, 1);
    EXPECT_EQ(options.port, 0);  // 5671 then
    ASSERT_FALSE(apply_uri(options,
                           "amqps://h/v?verify=verify_none&cacertfile=%2Fca.pem&"
                           "certfile=c&keyfile=k&password=secret&depth=3&"
                           "server_name_indication=mq&fail_if_no_peer_cert=true"));
    EXPECT_EQ(options.verify, "verify_none");
    EXPECT_EQ(options.cacertfile, "/ca.pem");
    EXPECT_EQ(options.certfile, "c");
    EXPECT_EQ(options.keyfile, "k");
    EXPECT_EQ(options.key_password, "secret");
    EXPECT_EQ(options.password, "guest");
    EXPECT_EQ(options.depth, 3);
    EXPECT_EQ(options.server_name_indication, "mq");
    EXPECT_EQ(options.fail_if_no_peer_cert, 1);
    ASSERT_FALSE(apply_uri(options, "amqp://h"));
    EXPECT_EQ(options.tls, 0);
}

TEST(AmqpUri, ReadsOptionsFromTheQuery) {
    Options options;
    ASSERT_FALSE(apply_uri(options, "amqp://h?heartbeat=5&connection_name=a%26b&channel_max=9"));
    EXPECT_EQ(options.heartbeat, 5);
    EXPECT_EQ(options.connection_name, "a&b");
    EXPECT_EQ(options.channel_max, 9);
}

std::string differences(const Options& a, const Options& b) {
    std::string names;
    for (const OptionRow& row : option_rows()) {
        const bool same =
            row.text != nullptr ? a.*row.text == b.*row.text : a.*row.number == b.*row.number;
        if (!same) names += std::string(row.name) + " ";
    }
    return names;
}

// rule 41: what is written is read again, whatever is in it
TEST(AmqpUri, GoesRound) {
    const std::string odd = std::string("a/b?c&d=e#f@g:h%i j+\xC3\xA9,[]") + '\0' + "z";
    for (const char* host : {"localhost", "mq.example", "::1", "fe80::1%eth0", "a,b:5673,[::1]:5",
                             "mq:5673", "[::1]:77", "[::1]"}) {
        for (const std::int64_t port : {0, 5672, 65535}) {
            Options options;
            options.host = host;
            options.port = port;
            options.user = odd;
            options.password = odd;
            options.vhost = odd;
            options.connection_name = odd;
            options.key_pem = "-----BEGIN\n+/=\n";
            options.key_password = "p q";
            options.heartbeat = 0;
            options.tls = 1;
            options.verify = "verify_none";
            const std::string uri = uri_of(options, true);
            Options read;
            const ErrorRef error = apply_uri(read, uri);
            ASSERT_FALSE(error) << uri << ": " << error->message;
            EXPECT_EQ(differences(read, options), "") << uri;
        }
    }
    EXPECT_EQ(uri_of(Options(), true), "amqp://guest:guest@localhost/%2F");
    Options empty;
    empty.vhost = empty.user = empty.password = "";
    EXPECT_EQ(uri_of(empty, true), "amqp://:@localhost/");
}

TEST(AmqpUri, IsShownWithoutSecrets) {
    Options options;
    options.password = options.key_pem = options.key_password = "s3cret";
    options.host = "mq";
    options.port = 99;
    options.heartbeat = 5;
    EXPECT_EQ(uri_of(options, false), "amqp://guest@mq:99/%2F?heartbeat=5");
}

// Refused, nothing changed, and never the password in the words.
TEST(AmqpUri, RefusesWhatItCannotRead) {
    for (const std::string uri : {"",
                                  "host",
                                  "http://u:s3cret@h",
                                  "amqp:/u:s3cret@h",
                                  "amqp://u:s3cret%@h",
                                  "amqp://u:s3cret%4@h",
                                  "amqp://u:s3cret%zz@h",
                                  "amqp://u:s3cret#@h",
                                  "amqp://u:s3cret@x@h",
                                  "amqp://u:s3cret@h/a/b",
                                  "amqp://u:s3cret@h:port",
                                  "amqp://u:s3cret@h:0",
                                  "amqp://u:s3cret@h:65536",
                                  "amqp://u:s3cret@h:-1",
                                  "amqp://u:s3cret@[::1",
                                  "amqp://u:s3cret@[::1]x",
                                  "amqp://u:s3cret@::1",
                                  "amqp://u:s3cret@[:5672]",
                                  "amqp://u:s3cret@[a:5673]",
                                  "amqp://u:s3cret@[[::]",
                                  "amqp://u:s3cret@h?heartbeat",
                                  "amqp://u:s3cret@h?heartbeat=x",
                                  "amqp://u:s3cret@h?no_such=1",
                                  "amqp://u:s3cret@h?heartbeat=70000",
                                  "amqp://u:s3cret@a,",
                                  "amqp://u:s3cret@,b",
                                  "amqp://u:s3cret@a,b:0",
                                  "amqp://u:s3cret@a,::1",
                                  "amqp://u:s3cret/x@h",
                                  "amqp://u:7/s3cret@h",
                                  "amqp://u:p?s3cret=x@h",
                                  "amqp://h/v?user=s3cret@h",
                                  "amqp://u@x:p?s3cret=x@h",
                                  "amqp://u@x:7/s3cret@h",
                                  "amqp://h:s3cret",
                                  "amqp://u:s3cret@h?frame_max=4096" /* rule 29 */}) {
        Options options;
        const ErrorRef error = apply_uri(options, uri);
        ASSERT_TRUE(error) << uri;
        EXPECT_EQ(error->message.find("s3cret"), std::string::npos) << error->message;
        EXPECT_EQ(options.user, "guest") << uri;
        EXPECT_EQ(options.password, "guest") << uri;
        EXPECT_EQ(options.host, "localhost") << uri;
    }
}

}  // namespace
}  // namespace haigha::client
