// TLS through the public header: what is verified, what is refused and what is said about it. A TLS
// front with certificates of the test's making stands before a stub broker.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <haigha/haigha.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include "support/stub_fixture.h"
#include "support/tcp_peer.h"
#include "support/tls_front.h"

namespace haigha::test {
namespace {

struct TextOption {
    std::string_view name;
    std::string value;
};

const Authority& authority() {
    static const Authority made("haigha test CA");
    return made;
}

Identity server_for(std::vector<std::string> names) {
    LeafOptions leaf;
    leaf.common_name = "localhost";
    leaf.names = std::move(names);
    return authority().issue(leaf);
}

Identity client_named(const std::string& name) {
    LeafOptions leaf;
    leaf.common_name = name;
    leaf.for_server = false;
    return authority().issue(leaf);
}

class Tls : public StubTest {
  protected:
    void front(TlsFrontOptions options) {
        front_ = std::make_unique<TlsFront>(std::move(options), broker_->port());
    }
    void front(Identity identity) {
        TlsFrontOptions options;
        options.identity = std::move(identity);
        front(std::move(options));
    }
    void TearDown() override {
        StubTest::TearDown();
        front_.reset();
    }

    static void set(haigha_options* options, const std::vector<TextOption>& texts) {
        Err error;
        for (const TextOption& text : texts) {
            EXPECT_EQ(HAIGHA_OK,
                      haigha_options_set_string(options, str(text.name), str(text.value), error))
                << error;
        }
    }
    OptionsHandle tls_options(const std::vector<TextOption>& texts = {},
                              const std::string& host = "localhost") const {
        OptionsHandle options =
            options_from("amqps://guest:guest@" + host + ":" + std::to_string(front_->port()));
        set(options.get(), {{"cacert_pem", authority().pem()}});
        set(options.get(), texts);
        return options;
    }
    haigha_status open(const OptionsHandle& options, ConnectionHandle* opened = nullptr) {
        ConnectionHandle connection = new_connection(loop_.get(), options.get());
        const haigha_status status = haigha_connection_open_wait(connection.get(), -1, error_);
        if (opened != nullptr) *opened = std::move(connection);
        return status;
    }
    // Refused, at the stage of TLS, in words that hold each of `parts`.
    void expect_refused(const OptionsHandle& options, const std::vector<std::string>& parts) {
        EXPECT_EQ(HAIGHA_ERR_TLS, open(options)) << error_;
        EXPECT_EQ(error_.stage(), "tls") << error_;
        for (const std::string& part : parts)
            EXPECT_NE(error_.message().find(part), std::string::npos) << part << " in: " << error_;
    }
    std::map<std::string, std::string> peer_info(const haigha_connection* connection) {
        TableHandle table;
        EXPECT_EQ(HAIGHA_OK, haigha_connection_peer_info(connection, out(table), error_)) << error_;
        std::map<std::string, std::string> info;
        haigha_cursor cursor;
        haigha_field field;
        EXPECT_EQ(HAIGHA_OK, haigha_table_cursor(table.get(), &cursor));
        while (haigha_cursor_next(&cursor, &field) == 1)
            info[std::string(view(field.name))] = view(field.bytes);
        return info;
    }
    static std::vector<Recorded> deliveries(const EventLog& log) {
        std::vector<Recorded> all = log.events();
        std::erase_if(all, [](const Recorded& one) { return one.type != HAIGHA_EVENT_DELIVERY; });
        return all;
    }
    // A round of everything, large enough for several records each way.
    void exchange(haigha_connection* connection) {
        const ChannelHandle channel = open_channel(connection);
        ASSERT_EQ(HAIGHA_OK, declare(channel.get(), "q")) << error_;
        EventLog log;
        consume(channel.get(), "q", log.then(), true);
        std::string body(300'000, ' ');
        for (std::size_t i = 0; i < body.size(); ++i)
            body[i] = static_cast<char>('a' + i % 23);
        ASSERT_EQ(HAIGHA_OK, publish(channel.get(), "q", body));
        for (int i = 0; i < 200; ++i)
            ASSERT_EQ(HAIGHA_OK, publish(channel.get(), "q", "small " + std::to_string(i)));
        ASSERT_TRUE(log.wait_count(HAIGHA_EVENT_DELIVERY, 201));
        const std::vector<Recorded> got = deliveries(log);
        EXPECT_EQ(got[0].body, body);
        for (std::size_t i = 0; i < 200; ++i)
            EXPECT_EQ(got[i + 1].body, "small " + std::to_string(i));
    }

    std::unique_ptr<TlsFront> front_;
};

// ---- what is accepted

// Rules 87, 89, 91.
TEST_F(Tls, AValidCertificateForTheNameIsAccepted) {
    front(server_for({"DNS:localhost"}));
    ConnectionHandle connection;
    ASSERT_EQ(HAIGHA_OK, open(tls_options(), &connection)) << error_;
    for (const char* const stage :
         {"resolve_us", "connect_us", "tls_us", "handshake_us", "open_us"})
        EXPECT_GE(haigha::test::info(connection.get(), stage), 0) << stage;
    const auto info = peer_info(connection.get());
    EXPECT_EQ(info.at("security"), "tls");
    EXPECT_EQ(info.at("tls_version"), "TLSv1.3");
    EXPECT_EQ(info.at("tls_verified"), "chain and name");
    EXPECT_EQ(info.at("tls_server_name"), "localhost");
    EXPECT_EQ(info.at("tls_peer_names"), "DNS:localhost");
    EXPECT_EQ(info.at("peer_address"), "127.0.0.1:" + std::to_string(front_->port()));
    EXPECT_EQ(front_->clients(), std::vector<std::string>({"localhost -"}));
    exchange(connection.get());
    EXPECT_EQ(HAIGHA_OK, haigha_connection_close_wait(connection.get(), -1, error_)) << error_;
}

TEST_F(Tls, AWildcardStandsForOneLabel) {
    front(server_for({"DNS:*.example.test"}));
    EXPECT_EQ(HAIGHA_OK, open(tls_options({{"server_name_indication", "mq.example.test"}})))
        << error_;
    expect_refused(tls_options({{"server_name_indication", "a.mq.example.test"}}),
                   {"DNS:*.example.test"});
}

// Rule 89: an address is no SNI, and is looked for among the addresses.
TEST_F(Tls, AnAddressIsCheckedAgainstAddresses) {
    front(server_for({"DNS:localhost", "IP:127.0.0.1"}));
    EXPECT_EQ(HAIGHA_OK, open(tls_options({}, "127.0.0.1"))) << error_;
    EXPECT_EQ(front_->clients(), std::vector<std::string>({"- -"}));
    front(server_for({"DNS:localhost", "DNS:127.0.0.1"}));
    expect_refused(tls_options({}, "127.0.0.1"), {"127.0.0.1", "server_name_indication"});
}

TEST_F(Tls, AnAddressOfSixteenOctets) {
    TlsFrontOptions options;
    options.identity = server_for({"IP:::1"});
    options.loopback6 = true;
    try {
        front(std::move(options));
    } catch (const std::runtime_error&) {
        GTEST_SKIP() << "there is no ::1 here";
    }
    EXPECT_EQ(HAIGHA_OK, open(tls_options({}, "[::1]"))) << error_;
}

TEST_F(Tls, TheSystemsAuthoritiesAreTrustedByDefault) {
    front(server_for({"DNS:localhost"}));
    const std::string file = testing::TempDir() + "haigha-ca-" + std::to_string(::getpid());
    std::FILE* const out_file = std::fopen(file.c_str(), "w");
    ASSERT_NE(out_file, nullptr);
    std::fputs(authority().pem().c_str(), out_file);
    std::fclose(out_file);
    EXPECT_EQ(HAIGHA_OK, open(tls_options({{"cacert_pem", ""}, {"cacertfile", file}}))) << error_;
    expect_refused(tls_options({{"cacert_pem", ""}}), {"no trusted CA", "cacertfile"});
    // How OpenSSL lets a system say which authorities it trusts.
    ::setenv("SSL_CERT_FILE", file.c_str(), 1);
    EXPECT_EQ(HAIGHA_OK, open(tls_options({{"cacert_pem", ""}}))) << error_;
    ::unsetenv("SSL_CERT_FILE");
    std::remove(file.c_str());
}

TEST_F(Tls, VersionsAndCiphersAreChosen) {
    TlsFrontOptions old;
    old.identity = server_for({"DNS:localhost"});
    old.max_version = TLS1_2_VERSION;
    front(old);
    ConnectionHandle connection;
    ASSERT_EQ(HAIGHA_OK,
              open(tls_options({{"tls_ciphers", "ECDHE-ECDSA-AES128-GCM-SHA256"}}), &connection))
        << error_;
    EXPECT_EQ(peer_info(connection.get()).at("tls_version"), "TLSv1.2");
    EXPECT_EQ(peer_info(connection.get()).at("tls_cipher"), "ECDHE-ECDSA-AES128-GCM-SHA256");
    exchange(connection.get());
    expect_refused(tls_options({{"tls_min_version", "1.3"}}), {"version"});
    EXPECT_EQ(HAIGHA_ERR_ARGUMENT,
              open(tls_options({{"tls_min_version", "1.3"}, {"tls_max_version", "1.2"}})));
    TlsFrontOptions ancient = old;
    ancient.min_version = TLS1_1_VERSION;
    ancient.max_version = TLS1_1_VERSION;
    front(ancient);
    expect_refused(tls_options(), {"TLS"});
}

// ---- what is refused

// Rules 87, 88, 98: each in words of its own.
TEST_F(Tls, ACertificateThatIsNotValidIsRefused) {
    front(server_for({"DNS:example.invalid"}));
    expect_refused(tls_options(), {"DNS:example.invalid", "not for \"localhost\""});
    // The common name is no name of a server.
    front(server_for({}));
    expect_refused(tls_options(), {"no name"});
    LeafOptions expired;
    expired.names = {"DNS:localhost"};
    expired.begins_s = -864'000;
    expired.ends_s = -86'400;
    front(authority().issue(expired));
    expect_refused(tls_options(), {"expired", "its validity ended on 20"});
    LeafOptions future;
    future.names = {"DNS:localhost"};
    future.begins_s = 86'400;
    future.ends_s = 864'000;
    front(authority().issue(future));
    expect_refused(tls_options(), {"not yet valid", "its validity begins on 20"});
    LeafOptions leaf;
    leaf.names = {"DNS:localhost"};
    front(Authority::self_signed(leaf));
    expect_refused(tls_options(), {"no trusted CA"});
    front(Authority("another CA").issue(leaf));
    expect_refused(tls_options(), {"no trusted CA", "cacertfile"});
    leaf.for_server = false;
    front(authority().issue(leaf));
    expect_refused(tls_options(), {"purpose"});
    EXPECT_EQ(broker_->count("connect"), 0U);
}

// Rule 88: two checks, two switches.
TEST_F(Tls, EachCheckIsTurnedOffByItsOwnOption) {
    LeafOptions wrong;
    wrong.names = {"DNS:example.invalid"};
    const Identity stranger = Authority("another CA").issue(wrong);
    const auto without_host = [&] {
        OptionsHandle options = tls_options();
        EXPECT_EQ(HAIGHA_OK, haigha_options_set_int(options.get(), str("verify_host"), 0, error_));
        return options;
    };
    front(server_for({"DNS:example.invalid"}));
    ConnectionHandle connection;
    ASSERT_EQ(HAIGHA_OK, open(without_host(), &connection)) << error_;
    EXPECT_EQ(peer_info(connection.get()).at("tls_verified"), "chain");
    front(stranger);
    expect_refused(without_host(), {"no trusted CA"});
    ASSERT_EQ(HAIGHA_OK, open(tls_options({{"verify", "verify_none"}}), &connection)) << error_;
    EXPECT_EQ(peer_info(connection.get()).at("tls_verified"), "nothing");
    OptionsHandle options = tls_options();
    EXPECT_EQ(HAIGHA_ERR_ARGUMENT,
              haigha_options_set_string(options.get(), str("verify"), str("none"), error_));
    EXPECT_NE(error_.message().find("verify_peer verify_none"), std::string::npos) << error_;
}

// Rule 92: before anything is connected, with OpenSSL's reason.
TEST_F(Tls, UselessSettingsAreRefusedBeforeConnecting) {
    front(server_for({"DNS:localhost"}));
    const Identity one = client_named("one");
    const Identity other = client_named("other");
    const std::string locked = Authority::encrypted_key(one.key_pem, "secret");
    struct Case {
        std::vector<TextOption> texts;
        haigha_status status;
        std::string part;
    };
    const std::vector<Case> cases = {
        {{{"cert_pem", one.cert_pem}, {"key_pem", other.key_pem}},
         HAIGHA_ERR_TLS,
         "does not belong to the certificate"},
        {{{"cert_pem", one.cert_pem}, {"key_pem", locked}},
         HAIGHA_ERR_TLS,
         "is encrypted, and the option key_password is not set"},
        {{{"cert_pem", one.cert_pem}, {"key_pem", locked}, {"key_password", "wrong"}},
         HAIGHA_ERR_TLS,
         "is key_password the right one?"},
        {{{"cert_pem", one.cert_pem}}, HAIGHA_ERR_TLS, "cannot read the private key"},
        {{{"key_pem", one.key_pem}}, HAIGHA_ERR_ARGUMENT, "without a certificate"},
        {{{"certfile", "/does/not/exist"}}, HAIGHA_ERR_TLS, "the file /does/not/exist"},
        {{{"cert_pem", "rubbish"}}, HAIGHA_ERR_TLS, "the option cert_pem"},
        {{{"cacert_pem", "rubbish"}}, HAIGHA_ERR_TLS, "the option cacert_pem"},
        {{{"cacert_pem", ""}, {"cacertfile", "/dev/null"}}, HAIGHA_ERR_TLS, "the file /dev/null"},
        {{{"tls_ciphers", "NO-SUCH"}}, HAIGHA_ERR_ARGUMENT, "tls_ciphers"},
        {{{"tls_ciphersuites", "NO-SUCH"}}, HAIGHA_ERR_ARGUMENT, "tls_ciphersuites"},
        {{{"tls_groups", "NO-SUCH"}}, HAIGHA_ERR_ARGUMENT, "tls_groups"},
    };
    for (const Case& one_case : cases) {
        EXPECT_EQ(one_case.status, open(tls_options(one_case.texts))) << error_;
        EXPECT_NE(error_.message().find(one_case.part), std::string::npos)
            << one_case.part << " in: " << error_;
        EXPECT_EQ(error_.message().find("secret"), std::string::npos) << error_;
    }
    EXPECT_EQ(front_->accepted(), 0U);
    EXPECT_EQ(HAIGHA_OK,
              open(tls_options(
                  {{"cert_pem", one.cert_pem}, {"key_pem", locked}, {"key_password", "secret"}})))
        << error_;
}

struct PasswordGiver {
    std::string password;
    std::int32_t answer = 0;  // what is returned when it is not 0
    int asked = 0;
    int released = 0;
    static std::int32_t give(char* buffer, std::size_t capacity, void* user_data) {
        auto* const self = static_cast<PasswordGiver*>(user_data);
        ++self->asked;
        EXPECT_EQ(capacity, static_cast<std::size_t>(HAIGHA_KEY_PASSWORD_MAX));
        if (self->answer != 0) return self->answer;
        return static_cast<std::int32_t>(self->password.copy(buffer, capacity));
    }
    static void release(void* user_data) { ++static_cast<PasswordGiver*>(user_data)->released; }
};

TEST_F(Tls, TheKeysPasswordIsAskedFor) {
    front(server_for({"DNS:localhost"}));
    const Identity me = client_named("me");
    const std::string locked = Authority::encrypted_key(me.key_pem, "secret");
    PasswordGiver giver;
    {
        OptionsHandle options = tls_options({{"cert_pem", me.cert_pem}, {"key_pem", locked}});
        const auto set = [&] {
            return haigha_options_set_key_password_fn(options.get(), &PasswordGiver::give, &giver,
                                                      &PasswordGiver::release, error_);
        };
        ASSERT_EQ(HAIGHA_OK, set()) << error_;
        giver.password = "wrong";
        EXPECT_EQ(HAIGHA_ERR_TLS, open(options));
        EXPECT_NE(error_.message().find("is key_password the right one?"), std::string::npos)
            << error_;
        for (const std::int32_t answer : {-1, HAIGHA_KEY_PASSWORD_MAX + 1}) {
            giver.answer = answer;
            EXPECT_EQ(HAIGHA_ERR_TLS, open(options));
            EXPECT_NE(error_.message().find("the program gave no password"), std::string::npos)
                << error_;
        }
        giver.answer = 0;
        giver.password = "secret";
        EXPECT_EQ(giver.asked, 3);
        EXPECT_EQ(HAIGHA_OK, open(options)) << error_;
        EXPECT_EQ(giver.asked, 4);
        EXPECT_EQ(giver.released, 0);
        // Another one takes its place; connections that were made before keep the first.
        ASSERT_EQ(HAIGHA_OK, set()) << error_;
    }
    close_loop(loop_.get());
    loop_.reset();
    EXPECT_EQ(giver.released, 2);
}

// Rule 96: on the caller's thread, which is where files are read.
TEST_F(Tls, TheErrorQueueIsLeftEmpty) {
    front(server_for({"DNS:localhost"}));
    EXPECT_EQ(HAIGHA_ERR_TLS, open(tls_options({{"cert_pem", "rubbish"}})));
    EXPECT_EQ(ERR_peek_error(), 0U);
    EXPECT_EQ(HAIGHA_OK, open(tls_options())) << error_;
    EXPECT_EQ(ERR_peek_error(), 0U);
    // What the program itself has left there does no harm.
    ERR_raise(ERR_LIB_SSL, SSL_R_BAD_LENGTH);
    EXPECT_EQ(HAIGHA_OK, open(tls_options())) << error_;
}

TEST_F(Tls, ThePeerIsNoTlsServer) {
    TcpPeer plain([](TcpPeer::Client& client) {
        client.read(100);
        client.send(std::string_view("AMQP\0\0\x09\x01", 8));
        client.hold();
    });
    const OptionsHandle options = options_from("amqps://localhost:" + std::to_string(plain.port()));
    expect_refused(options, {"does not speak TLS"});
    TcpPeer closing([](TcpPeer::Client& client) { client.read(1); });
    const OptionsHandle gone = options_from("amqps://localhost:" + std::to_string(closing.port()));
    expect_refused(gone, {"closed the connection during the TLS handshake"});
}

TEST_F(Tls, AStalledHandshakeEndsInItsDeadline) {
    TcpPeer silent([](TcpPeer::Client& client) { client.hold(); });
    const OptionsHandle options = options_from("amqps://localhost:" + std::to_string(silent.port()),
                                               {{"connection_timeout", 300}});
    ConnectionHandle connection;
    EXPECT_EQ(HAIGHA_ERR_TIMEOUT, open(options, &connection));
    EXPECT_EQ(error_.stage(), "tls") << error_;
    EXPECT_NE(error_.message().find("TLS handshake"), std::string::npos) << error_;
    // What came before it has its time.
    EXPECT_GE(info(connection.get(), "resolve_us"), 0);
    EXPECT_GE(info(connection.get(), "connect_us"), 0);
    for (const char* const stage : {"tls_us", "handshake_us", "open_us"})
        EXPECT_EQ(info(connection.get(), stage), -1) << stage;
}

// ---- client certificates

TEST_F(Tls, AClientCertificateIsSent) {
    TlsFrontOptions options;
    options.identity = server_for({"DNS:localhost"});
    options.client_ca_pem = authority().pem();
    front(options);
    const Identity me = client_named("me");
    EXPECT_EQ(HAIGHA_OK, open(tls_options({{"cert_pem", me.cert_pem}, {"key_pem", me.key_pem}})))
        << error_;
    EXPECT_EQ(front_->clients(), std::vector<std::string>({"localhost me"}));
    // With TLS 1.3 the handshake is over on this side when the broker refuses.
    expect_refused(tls_options(), {"client certificate"});
    const Identity stranger = Authority("another CA").issue({});
    expect_refused(tls_options({{"cert_pem", stranger.cert_pem}, {"key_pem", stranger.key_pem}}),
                   {"client certificate"});
    options.max_version = TLS1_2_VERSION;
    front(options);
    expect_refused(tls_options(), {"client certificate"});
}

// However the one before ended; only with the settings that it was verified with.
TEST_F(Tls, ASessionIsResumedByWhoConnectsAgain) {
    const Identity me = client_named("me");
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        TlsFrontOptions options;
        options.identity = server_for({"DNS:localhost"});
        options.client_ca_pem = authority().pem();
        options.max_version = version;
        front(options);
        const auto as_me = [&] {
            return tls_options({{"cert_pem", me.cert_pem}, {"key_pem", me.key_pem}});
        };
        ConnectionHandle connection;
        ASSERT_EQ(HAIGHA_OK, open(as_me(), &connection)) << error_;
        const std::map<std::string, std::string> first = peer_info(connection.get());
        EXPECT_EQ(first.at("tls_session"), "new");
        exchange(connection.get());
        ASSERT_EQ(HAIGHA_OK, haigha_connection_close_wait(connection.get(), -1, error_)) << error_;

        ASSERT_EQ(HAIGHA_OK, open(as_me(), &connection)) << error_;
        std::map<std::string, std::string> second = peer_info(connection.get());
        EXPECT_EQ(second.at("tls_session"), "resumed");
        for (const char* same : {"tls_version", "tls_verified", "tls_peer_subject",
                                 "tls_peer_names", "tls_server_name"}) {
            EXPECT_EQ(second.at(same), first.at(same)) << same;
        }
        EXPECT_TRUE(front_->clients().back().ends_with(" me"));
        exchange(connection.get());
        {
            const ChannelHandle channel = open_channel(connection.get());
            script("on queue.declare#1 reset");
            EXPECT_EQ(HAIGHA_ERR_IO, declare(channel.get(), "q")) << error_;
            script("clear");
        }
        ASSERT_EQ(HAIGHA_OK, open(as_me(), &connection)) << error_;
        EXPECT_EQ(peer_info(connection.get()).at("tls_session"), "resumed");
        connection.reset();  // in silence

        OptionsHandle other = as_me();
        EXPECT_EQ(HAIGHA_OK, haigha_options_set_int(other.get(), str("depth"), 5, error_));
        ASSERT_EQ(HAIGHA_OK, open(other, &connection)) << error_;
        EXPECT_EQ(peer_info(connection.get()).at("tls_session"), "new");
        ASSERT_EQ(HAIGHA_OK, open(as_me(), &connection)) << error_;
        EXPECT_EQ(peer_info(connection.get()).at("tls_session"), "resumed");
        connection.reset();
        // A loop of its own remembers nothing.
        const LoopHandle another = start_loop();
        connection = new_connection(another.get(), as_me().get());
        ASSERT_EQ(HAIGHA_OK, haigha_connection_open_wait(connection.get(), -1, error_)) << error_;
        EXPECT_EQ(peer_info(connection.get()).at("tls_session"), "new");
    }
}

TEST_F(Tls, TheProgramSetsWhatNoOptionSets) {
    struct Program {
        int calls = 0;
        int released = 0;
        int answer = 0;
    } program;
    const auto set_up = [](void* ssl_ctx, void* user_data) -> std::int32_t {
        auto* const self = static_cast<Program*>(user_data);
        ++self->calls;
        // Without a list of this authority's, nothing is known not to be revoked.
        X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(static_cast<SSL_CTX*>(ssl_ctx)),
                                    X509_V_FLAG_CRL_CHECK);
        return self->answer;
    };
    const auto release = [](void* user_data) { ++static_cast<Program*>(user_data)->released; };
    front(server_for({"DNS:localhost"}));
    {
        const OptionsHandle options = tls_options();
        ASSERT_EQ(HAIGHA_OK,
                  haigha_options_set_tls_fn(options.get(), set_up, &program, release, error_))
            << error_;
        expect_refused(options, {"unable to get certificate CRL"});
        EXPECT_EQ(program.calls, 1);
        program.answer = -1;
        EXPECT_EQ(HAIGHA_ERR_TLS, open(options)) << error_;
        EXPECT_NE(error_.message().find("the program's function"), std::string::npos) << error_;
        EXPECT_EQ(program.calls, 2);
        ASSERT_EQ(HAIGHA_OK,
                  haigha_options_set_tls_fn(options.get(), nullptr, nullptr, nullptr, error_));
        EXPECT_EQ(HAIGHA_OK, open(options)) << error_;
        EXPECT_EQ(program.calls, 2);
        // Who turns the verification off is told so.
        const auto turn_off = [](void* ssl_ctx, void*) -> std::int32_t {
            SSL_CTX_set_verify(static_cast<SSL_CTX*>(ssl_ctx), SSL_VERIFY_NONE, nullptr);
            return 0;
        };
        ASSERT_EQ(HAIGHA_OK,
                  haigha_options_set_tls_fn(options.get(), turn_off, nullptr, nullptr, error_));
        ConnectionHandle connection;
        ASSERT_EQ(HAIGHA_OK, open(options, &connection)) << error_;
        EXPECT_EQ(peer_info(connection.get()).at("tls_verified"), "nothing");
    }
    close_loop(loop_.get());
    EXPECT_EQ(program.released, 1);
}

TEST_F(Tls, ABrokerWithoutTicketsIsNoProblem) {
    TlsFrontOptions options;
    options.identity = server_for({"DNS:localhost"});
    options.tickets = false;
    front(options);
    for (int i = 0; i < 3; ++i) {
        ConnectionHandle connection;
        ASSERT_EQ(HAIGHA_OK, open(tls_options(), &connection)) << error_;
        EXPECT_EQ(peer_info(connection.get()).at("tls_session"), "new");
        exchange(connection.get());
    }
}

// The refusal itself may be lost on its way: it is guessed.
TEST_F(Tls, AnEndRightAfterTheHandshakeIsExplained) {
    TcpPeer nobody([](TcpPeer::Client& client) { client.read(1); });
    TlsFrontOptions options;
    options.identity = server_for({"DNS:localhost"});
    front_ = std::make_unique<TlsFront>(options, nobody.port());
    EXPECT_EQ(HAIGHA_ERR_IO, open(tls_options())) << error_;
    EXPECT_NE(error_.message().find("client certificate"), std::string::npos) << error_;
}

// ---- the stream

// Rules 94, 95: whatever the records and however little the socket takes.
TEST_F(Tls, BytesGoThroughWhateverTheRecords) {
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        for (const std::size_t record : {1U, 7U, 1000U, 16384U}) {
            SCOPED_TRACE(std::to_string(version) + ", records of " + std::to_string(record));
            TlsFrontOptions options;
            options.identity = server_for({"DNS:localhost"});
            options.min_version = options.max_version = version;
            options.record_size = record;
            options.socket_buffer = 65536;
            options.key_update_every = version == TLS1_3_VERSION && record >= 1000 ? 3 : 0;
            front(options);
            ConnectionHandle connection;
            ASSERT_EQ(HAIGHA_OK, open(tls_options(), &connection)) << error_;
            const ChannelHandle channel = open_channel(connection.get());
            const std::string queue = "q-" + std::to_string(version) + "-" + std::to_string(record);
            ASSERT_EQ(HAIGHA_OK, declare(channel.get(), queue)) << error_;
            EventLog log;
            consume(channel.get(), queue, log.then(), true);
            std::string body(record < 1000 ? 5'000 : 500'000, ' ');
            for (std::size_t i = 0; i < body.size(); ++i)
                body[i] = static_cast<char>(i * 31 % 251);
            for (int i = 0; i < 5; ++i)
                ASSERT_EQ(HAIGHA_OK, publish(channel.get(), queue, body));
            ASSERT_TRUE(log.wait_count(HAIGHA_EVENT_DELIVERY, 5));
            for (const Recorded& got : deliveries(log))
                ASSERT_TRUE(got.body == body);
            ASSERT_EQ(HAIGHA_OK, haigha_connection_close_wait(connection.get(), -1, error_))
                << error_;
        }
    }
}

// Rule 93: under TLS as without; the process's disposition is the program's own.
TEST_F(Tls, APeerThatResetsIsNoSignal) {
    struct sigaction before {};
    ::sigaction(SIGPIPE, nullptr, &before);
    ASSERT_EQ(before.sa_handler, SIG_DFL);
    front(server_for({"DNS:localhost"}));
    ConnectionHandle connection;
    ASSERT_EQ(HAIGHA_OK, open(tls_options(), &connection)) << error_;
    const ChannelHandle channel = open_channel(connection.get());
    script("reset");
    front_.reset();
    haigha_status status = HAIGHA_OK;
    while (status == HAIGHA_OK || status == HAIGHA_ERR_WOULD_BLOCK)
        status = publish(channel.get(), "q", std::string(1000, 'x'));
    EXPECT_EQ(status, HAIGHA_ERR_CLOSED);
    struct sigaction after {};
    ::sigaction(SIGPIPE, nullptr, &after);
    EXPECT_EQ(after.sa_handler, SIG_DFL);
}

// Rule 97: nothing is left of what failed.
TEST_F(Tls, FailuresLeaveNothingBehind) {
    front(Authority("another CA").issue({}));
    const auto descriptors = [] {
        int count = 0;
        for (int fd = 0; fd < 1024; ++fd)
            count += ::fcntl(fd, F_GETFD) >= 0 ? 1 : 0;
        return count;
    };
    // The front's own are closed a little later than ours.
    for (int i = 0; i < 5; ++i)
        expect_refused(tls_options(), {"no trusted CA"});
    const int before = descriptors();
    for (int i = 0; i < 200; ++i)
        expect_refused(tls_options(), {"no trusted CA"});
    EXPECT_LE(descriptors(), before + 8);
}

}  // namespace
}  // namespace haigha::test
