#include "transport/tls_sessions.h"

#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include <string>

namespace haigha::transport {
namespace {

TEST(TlsSessions, GivesEachOnce) {
    TlsSessions sessions;
    EXPECT_EQ(sessions.take("a"), nullptr);
    SSL_SESSION* const first = SSL_SESSION_new();
    SSL_SESSION* const second = SSL_SESSION_new();
    sessions.keep("a", TlsSessions::Session(SSL_SESSION_new()));
    sessions.keep("a", TlsSessions::Session(first));
    sessions.keep("b", TlsSessions::Session(second));
    EXPECT_EQ(sessions.take("a").get(), first);
    EXPECT_EQ(sessions.take("a"), nullptr);
    EXPECT_EQ(sessions.take("b").get(), second);
}

TEST(TlsSessions, ForgetsTheOldest) {
    TlsSessions sessions;
    for (std::size_t i = 0; i <= TlsSessions::capacity; ++i)
        sessions.keep(std::to_string(i), TlsSessions::Session(SSL_SESSION_new()));
    EXPECT_EQ(sessions.take("0"), nullptr);
    EXPECT_NE(sessions.take("1"), nullptr);
    EXPECT_NE(sessions.take(std::to_string(TlsSessions::capacity)), nullptr);
}

}  // namespace
}  // namespace haigha::transport
