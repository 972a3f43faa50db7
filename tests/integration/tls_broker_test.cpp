// TLS and authentication on a real RabbitMQ: a listener with certificates of the test's making.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "support/api_fixture.h"
#include "support/broker_release.h"
#include "support/certificates.h"
#include "support/dead_network.h"
#include "support/loopback.h"
#include "support/sanitizers.h"
#include "support/throwaway_broker.h"

namespace haigha::test {
namespace {

int free_port() {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int port = bind_to_loopback(fd);
    ::close(fd);
    return port;
}

struct TextOption {
    std::string_view name;
    std::string value;
};

class TlsBroker : public ApiTest {
  protected:
    // What the node and the tests share.
    struct Setting {
        Authority authority{"haigha test CA"};
        Identity client;
        std::string folder;
        int port = 0;
        std::unique_ptr<ThrowawayBroker> broker;

        std::string write(const std::string& name, const std::string& text) const {
            const std::string path = folder + "/" + name;
            std::FILE* const file = std::fopen(path.c_str(), "w");
            EXPECT_NE(file, nullptr) << path;
            if (file == nullptr) return path;
            std::fputs(text.c_str(), file);
            std::fclose(file);
            ::chmod(path.c_str(), 0644);  // the node may be another user
            return path;
        }
        ~Setting() {
            broker.reset();
            for (const char* const name : {"ca.pem", "server.pem", "server.key"})
                std::remove((folder + "/" + name).c_str());
            ::rmdir(folder.c_str());
        }
    };

    static void SetUpTestSuite() {
        if (!ThrowawayBroker::available()) return;
        setting_ = std::make_unique<Setting>();
        setting_->folder = testing::TempDir() + "haigha-tls-" + std::to_string(::getpid());
        ::mkdir(setting_->folder.c_str(), 0755);
        LeafOptions server;
        server.common_name = "localhost";
        server.names = {"DNS:localhost", "IP:127.0.0.1"};
        const Identity identity = setting_->authority.issue(server);
        LeafOptions client;
        client.common_name = "haigha-client";
        client.for_server = false;
        setting_->client = setting_->authority.issue(client);
        setting_->port = free_port();
        std::string options = "--plugin rabbitmq_auth_mechanism_ssl";
        for (const std::string& line : std::vector<std::string>{
                 "listeners.ssl.1 = 127.0.0.1:" + std::to_string(setting_->port),
                 "ssl_options.cacertfile = " + setting_->write("ca.pem", setting_->authority.pem()),
                 "ssl_options.certfile = " + setting_->write("server.pem", identity.cert_pem),
                 "ssl_options.keyfile = " + setting_->write("server.key", identity.key_pem),
                 "ssl_options.verify = verify_peer", "ssl_options.fail_if_no_peer_cert = false",
                 "ssl_options.versions.1 = tlsv1.3", "ssl_options.versions.2 = tlsv1.2",
                 "auth_mechanisms.1 = PLAIN", "auth_mechanisms.2 = AMQPLAIN",
                 "auth_mechanisms.3 = EXTERNAL", "auth_mechanisms.4 = RABBIT-CR-DEMO",
                 "ssl_cert_login_from = common_name"}) {
            options += " --conf '" + line + "'";
        }
        setting_->broker = std::make_unique<ThrowawayBroker>(options);
        setting_->broker->ctl("add_user haigha-client unused");
        setting_->broker->ctl("clear_password haigha-client");
        setting_->broker->ctl("set_permissions haigha-client '.*' '.*' '.*'");
    }
    static void TearDownTestSuite() { setting_.reset(); }

    void SetUp() override {
        if (!setting_) {
            GTEST_SKIP() << "HAIGHA_BROKER_TOOL does not name tools/broker: run this by meson test";
        }
        ASSERT_TRUE(setting_->broker->alive()) << "tools/broker did not start a node";
        uri_ = "amqps://guest:guest@localhost:" + std::to_string(setting_->port);
        loop_ = start_loop();
    }

    OptionsHandle with(const std::vector<TextOption>& texts) {
        OptionsHandle made = options();
        std::vector<TextOption> all = {{"cacert_pem", setting_->authority.pem()}};
        all.insert(all.end(), texts.begin(), texts.end());
        for (const TextOption& text : all) {
            EXPECT_EQ(HAIGHA_OK, haigha_options_set_string(made.get(), str(text.name),
                                                           str(text.value), error_))
                << error_;
        }
        return made;
    }
    std::vector<TextOption> as_client(const std::vector<TextOption>& texts) const {
        std::vector<TextOption> all = {{"cert_pem", setting_->client.cert_pem},
                                       {"key_pem", setting_->client.key_pem}};
        all.insert(all.end(), texts.begin(), texts.end());
        return all;
    }
    haigha_status open(const OptionsHandle& options, ConnectionHandle* opened = nullptr) {
        ConnectionHandle connection = new_connection(loop_.get(), options.get());
        const haigha_status status = haigha_connection_open_wait(connection.get(), -1, error_);
        if (opened != nullptr) *opened = std::move(connection);
        return status;
    }
    std::string peer_info(const ConnectionHandle& connection, std::string_view name) {
        TableHandle table;
        EXPECT_EQ(HAIGHA_OK, haigha_connection_peer_info(connection.get(), out(table), error_));
        haigha_cursor cursor;
        haigha_field field;
        (void)haigha_table_cursor(table.get(), &cursor);
        while (haigha_cursor_next(&cursor, &field) == 1) {
            if (view(field.name) == name) return std::string(view(field.bytes));
        }
        return {};
    }

    static std::unique_ptr<Setting> setting_;
};

std::unique_ptr<TlsBroker::Setting> TlsBroker::setting_;

TEST_F(TlsBroker, MessagesOfEverySizeGoThrough) {
    ConnectionHandle connection;
    ASSERT_EQ(HAIGHA_OK, open(with({}), &connection)) << error_;
    EXPECT_EQ(peer_info(connection, "tls_version"), "TLSv1.3");
    EXPECT_EQ(peer_info(connection, "tls_verified"), "chain and name");
    EXPECT_EQ(peer_info(connection, "auth_mechanism"), "PLAIN");
    EventLog outcomes;
    const haigha_then then = outcomes.then();
    const ChannelHandle channel = open_channel(connection.get(), &then, true);
    const std::string queue = declare_queue(channel.get());
    EventLog log;
    ASSERT_EQ(HAIGHA_OK, consume(channel.get(), queue, log.then(), true)) << error_;
    haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
    args.routing_key = str(queue);
    std::vector<std::string> bodies;
    for (const std::size_t size : {0U, 1U, 16'000U, 131'064U, 131'065U, 1'000'000U}) {
        std::string body(size, ' ');
        for (std::size_t i = 0; i < size; ++i)
            body[i] = static_cast<char>(i * 7 % 253);
        bodies.push_back(std::move(body));
    }
    for (int i = 0; i < 2000; ++i)
        bodies.push_back("message " + std::to_string(i));
    for (const std::string& body : bodies)
        ASSERT_EQ(HAIGHA_OK, haigha_publish(channel.get(), &args, str(body), nullptr, error_));
    ASSERT_TRUE(outcomes.wait_count(HAIGHA_EVENT_OUTCOME, bodies.size()));
    ASSERT_TRUE(log.wait_count(HAIGHA_EVENT_DELIVERY, bodies.size()));
    std::size_t at = 0;
    for (const Recorded& event : log.events()) {
        if (event.type != HAIGHA_EVENT_DELIVERY) continue;
        ASSERT_TRUE(event.body == bodies[at]) << at;
        ++at;
    }
    ASSERT_EQ(HAIGHA_OK, haigha_connection_close_wait(connection.get(), -1, error_)) << error_;
}

// RabbitMQ gives no tickets for sessions of TLS 1.3.
TEST_F(TlsBroker, ASessionIsResumed) {
    const OptionsHandle options = with({{"tls_max_version", "1.2"}});
    ConnectionHandle connection;
    for (const char* session : {"new", "resumed", "resumed"}) {
        ASSERT_EQ(HAIGHA_OK, open(options, &connection)) << error_;
        EXPECT_EQ(peer_info(connection, "tls_version"), "TLSv1.2");
        const bool resumes = BrokerRelease(connection.get()).resumes_tls12_sessions();
        EXPECT_EQ(peer_info(connection, "tls_session"), resumes ? session : "new");
        EXPECT_EQ(peer_info(connection, "tls_verified"), "chain and name");
        const ChannelHandle channel = open_channel(connection.get());
        (void)declare_queue(channel.get());
        ASSERT_EQ(HAIGHA_OK, haigha_connection_close_wait(connection.get(), -1, error_)) << error_;
    }
}

// rule 10: a peer that stopped reading is found, also under TLS
TEST_F(TlsBroker, ANetworkThatDiesIsNoticedWhileWritingIsStalled) {
    EventLog log;
    const haigha_then events = log.then();
    const OptionsHandle options = with({});
    ASSERT_EQ(HAIGHA_OK, haigha_options_set_int(options.get(), str("heartbeat"), 1, error_));
    const int fd = connected_socket(setting_->port);
    ASSERT_GE(fd, 0);
    ConnectionHandle connection = new_connection(loop_.get(), options.get(), &events);
    ASSERT_EQ(HAIGHA_OK, haigha_connection_open_fd_wait(connection.get(), fd, -1, error_))
        << error_;
    const ChannelHandle channel = open_channel(connection.get());
    ASSERT_TRUE(cut_off(fd));
    const std::string body(100'000, 'x');
    while (publish(channel.get(), "haigha-test-nowhere", body) == HAIGHA_OK) {
    }
    EXPECT_EQ(error_.status(), HAIGHA_ERR_WOULD_BLOCK) << error_;
    EXPECT_EQ(log.state(HAIGHA_STATE_CLOSED).status, HAIGHA_ERR_HEARTBEAT);
}

TEST_F(TlsBroker, WhoCannotBeVerifiedIsRefused) {
    EXPECT_EQ(HAIGHA_ERR_TLS, open(with({{"cacert_pem", Authority("another").pem()}})));
    EXPECT_NE(error_.message().find("no trusted CA"), std::string::npos) << error_;
    EXPECT_EQ(HAIGHA_ERR_TLS, open(with({{"server_name_indication", "example.invalid"}})));
    EXPECT_NE(error_.message().find("DNS:localhost"), std::string::npos) << error_;
}

TEST_F(TlsBroker, ACertificateLogsIn) {
    ConnectionHandle connection;
    ASSERT_EQ(HAIGHA_OK, open(with(as_client({{"auth_mechanism", "EXTERNAL PLAIN"}})), &connection))
        << error_;
    EXPECT_EQ(peer_info(connection, "auth_mechanism"), "EXTERNAL");
    // The broker checks a message's user against the one that it knows.
    const ChannelHandle channel = open_channel(connection.get(), nullptr, true);
    haigha_properties properties = HAIGHA_PROPERTIES_INIT;
    properties.present = HAIGHA_PROPERTY_USER_ID;
    properties.user_id = str("haigha-client");
    haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
    args.properties = &properties;
    EXPECT_EQ(HAIGHA_OK, haigha_publish_wait(channel.get(), &args, str("x"), -1, nullptr, error_))
        << error_;
}

TEST_F(TlsBroker, NoCertificateIsNoLogin) {
    EXPECT_EQ(HAIGHA_ERR_AUTH, open(with({{"auth_mechanism", "EXTERNAL"}})));
    EXPECT_EQ(error_.code(), 403);
    EXPECT_NE(error_.text().find("ACCESS_REFUSED"), std::string::npos) << error_;
}

TEST_F(TlsBroker, ACertificateOfAnotherAuthorityIsRefused) {
    LeafOptions leaf;
    leaf.common_name = "haigha-client";
    leaf.for_server = false;
    const Identity stranger = Authority("another").issue(leaf);
    const haigha_status status = open(with({{"cert_pem", stranger.cert_pem},
                                            {"key_pem", stranger.key_pem},
                                            {"auth_mechanism", "EXTERNAL"}}));
    // Its alert may be lost with the connection.
    EXPECT_TRUE(status == HAIGHA_ERR_TLS || status == HAIGHA_ERR_IO) << error_;
    EXPECT_NE(error_.message().find("client certificate"), std::string::npos) << error_;
}

TEST_F(TlsBroker, TheDemoOfAChallenge) {
    ConnectionHandle connection;
    ASSERT_EQ(HAIGHA_OK, open(with({{"auth_mechanism", "RABBIT-CR-DEMO"}}), &connection)) << error_;
    EXPECT_EQ(peer_info(connection, "auth_mechanism"), "RABBIT-CR-DEMO");
    EXPECT_EQ(HAIGHA_ERR_AUTH,
              open(with({{"auth_mechanism", "RABBIT-CR-DEMO"}, {"password", "wrong"}})));
}

// Rule 101.
TEST_F(TlsBroker, ASecretIsUpdated) {
    ConnectionHandle connection;
    ASSERT_EQ(HAIGHA_OK, open(with({}), &connection)) << error_;
    EXPECT_EQ(HAIGHA_OK, haigha_connection_update_secret_wait(connection.get(), str("guest"),
                                                              str("renewed"), -1, error_))
        << error_;
}

// Rule 124, and OpenSSL's own end of the process: its handler runs while the loop's thread is at
// work. Several times, as it is a race.
TEST_F(TlsBroker, ExitWithALiveConnectionAtWork) {
    if (address_sanitizer || thread_sanitizer)
        GTEST_SKIP() << "a sanitizer sees leaks in what is left to the system";
    const OptionsHandle wanted = with({});
    // Forked while no loop of this process is at work; the child makes its own.
    close_loop(loop_.get());
    for (int i = 0; i < 10; ++i) {
        EXPECT_EXIT(
            {
                (void)setting_.release();  // the node is the parent's
                haigha_loop* const loop = start_loop().release();
                haigha_connection* const connection = new_connection(loop, wanted.get()).release();
                Err error;
                if (haigha_connection_open_wait(connection, -1, error) != HAIGHA_OK) {
                    std::fprintf(stderr, "%s\n", error.message().c_str());
                    std::_Exit(8);
                }
                haigha_channel* const channel = open_channel(connection).release();
                const std::string queue = declare_queue(channel);
                EventLog log;
                consume(channel, queue, log.then(), true);
                const std::string body(10'000, 'x');
                for (int published = 0; published < 500; ++published)
                    publish(channel, queue, body);
                log.wait_count(HAIGHA_EVENT_DELIVERY, 20);
                std::exit(0);
            },
            testing::ExitedWithCode(0), "");
    }
    loop_ = start_loop();
}

}  // namespace
}  // namespace haigha::test
