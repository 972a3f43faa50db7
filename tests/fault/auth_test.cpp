// Authentication through the public header: credentials that are asked for, mechanisms of the
// caller's own, renewal.
#include <gtest/gtest.h>
#include <haigha/haigha.h>

#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "support/stub_fixture.h"

namespace haigha::test {
namespace {

class Auth : public StubTest {
  protected:
    struct Question {
        std::uint64_t number = 0;
        int what = 0;
        std::string mechanism;
        std::string challenge;
    };
    using Answer = std::function<void(haigha_connection*, const Question&)>;

    void offer(const std::string& mechanisms, const std::string& password = "guest") {
        StubOptions options;
        options.mechanisms = mechanisms;
        options.password = password;
        start(std::move(options));
    }
    // A connection that is not open yet and asks `answer`.
    ConnectionHandle asking(std::string_view mechanisms, Answer answer) {
        OptionsHandle wanted = options();
        EXPECT_EQ(HAIGHA_OK, haigha_options_set_string(wanted.get(), str("auth_mechanism"),
                                                       str(mechanisms), error_));
        ConnectionHandle connection = new_connection(loop_.get(), wanted.get());
        auto* const context = new Context{this, std::move(answer)};
        const haigha_then then{
            [](const haigha_event* event, void* data) {
                EXPECT_EQ(event->type, static_cast<std::uint32_t>(HAIGHA_EVENT_AUTH));
                auto* to = static_cast<Context*>(data);
                const Question question{event->number, event->state,
                                        std::string(view(haigha_reply_mechanism(event->reply))),
                                        std::string(view(haigha_reply_challenge(event->reply)))};
                {
                    const std::lock_guard lock(to->test->mutex_);
                    to->test->questions_.push_back(question);
                }
                to->answer(event->connection, question);
            },
            context, [](void* data) { delete static_cast<Context*>(data); }, nullptr, 0};
        EXPECT_EQ(HAIGHA_OK, haigha_connection_set_auth(connection.get(), &then, error_)) << error_;
        return connection;
    }
    haigha_status open(const ConnectionHandle& connection) {
        return haigha_connection_open_wait(connection.get(), -1, error_);
    }
    std::vector<Question> questions() {
        const std::lock_guard lock(mutex_);
        return questions_;
    }

  private:
    struct Context {
        Auth* test;
        Answer answer;
    };
    std::mutex mutex_;
    std::vector<Question> questions_;
};

void give(haigha_connection* connection, std::uint64_t number, std::string_view user,
          std::string_view password, std::int64_t lifetime_ms = 0) {
    Err error;
    EXPECT_EQ(HAIGHA_OK, haigha_connection_answer_credentials(connection, number, str(user),
                                                              str(password), lifetime_ms, error))
        << error;
}

TEST_F(Auth, EveryMechanismThatIsKnown) {
    for (const std::string_view mechanism : {"PLAIN", "AMQPLAIN", "EXTERNAL", "RABBIT-CR-DEMO"}) {
        offer(std::string(mechanism));
        OptionsHandle wanted = options();
        ASSERT_EQ(HAIGHA_OK, haigha_options_set_string(wanted.get(), str("auth_mechanism"),
                                                       str(mechanism), error_));
        const ConnectionHandle connection = new_connection(loop_.get(), wanted.get());
        EXPECT_EQ(HAIGHA_OK, open(connection)) << mechanism << ": " << error_;
    }
    offer("RABBIT-CR-DEMO", "another");
    OptionsHandle wanted = options();
    ASSERT_EQ(HAIGHA_OK, haigha_options_set_string(wanted.get(), str("auth_mechanism"),
                                                   str("RABBIT-CR-DEMO"), error_));
    EXPECT_EQ(HAIGHA_ERR_AUTH, open(new_connection(loop_.get(), wanted.get())));
}

// Rule 101.
TEST_F(Auth, CredentialsAreAskedForAtEachOpening) {
    offer("PLAIN", "fresh");
    for (int i = 1; i <= 2; ++i) {
        const ConnectionHandle connection =
            asking("PLAIN", [](haigha_connection* to, const Question& question) {
                EXPECT_EQ(question.what, HAIGHA_AUTH_CREDENTIALS);
                EXPECT_EQ(question.mechanism, "PLAIN");
                give(to, question.number, "guest", "fresh");
                Err error;
                EXPECT_EQ(HAIGHA_ERR_STALE, haigha_connection_answer_credentials(
                                                to, question.number, str("x"), str("x"), 0, error));
            });
        EXPECT_EQ(HAIGHA_OK, open(connection)) << error_;
        EXPECT_EQ(questions().size(), static_cast<std::size_t>(i));
        const haigha_then then{nullptr, nullptr, nullptr, nullptr, 0};
        EXPECT_EQ(HAIGHA_ERR_ARGUMENT, haigha_connection_set_auth(connection.get(), &then, error_));
        EventLog log;
        const haigha_then late = log.then();
        EXPECT_EQ(HAIGHA_ERR_CLOSED, haigha_connection_set_auth(connection.get(), &late, error_));
    }
}

TEST_F(Auth, AnAnswerMayComeLaterAndFromAnotherThread) {
    offer("PLAIN", "fresh");
    EventLog asked;
    const haigha_then then = asked.then();
    const ConnectionHandle connection = new_connection(loop_.get(), options().get());
    ASSERT_EQ(HAIGHA_OK, haigha_connection_set_auth(connection.get(), &then, error_)) << error_;
    EventLog log;
    const haigha_then done = log.then();
    ASSERT_EQ(HAIGHA_OK, haigha_connection_open(connection.get(), &done, error_)) << error_;
    ASSERT_TRUE(asked.wait_count(HAIGHA_EVENT_AUTH, 1));
    EXPECT_EQ(log.size(), 0U);
    give(connection.get(), asked.events()[0].number, "guest", "fresh");
    EXPECT_FALSE(log.reply().failed);
}

TEST_F(Auth, AMechanismOfTheCallersOwn) {
    offer("PLAIN X-ECHO");
    const ConnectionHandle connection =
        asking("X-ECHO PLAIN", [](haigha_connection* to, const Question& question) {
            EXPECT_EQ(question.what, HAIGHA_AUTH_RESPONSE);
            Err error;
            EXPECT_EQ(HAIGHA_ERR_ARGUMENT, haigha_connection_answer_credentials(
                                               to, question.number, str("a"), str("b"), 0, error));
            const std::string response = question.challenge.empty() ? "begin" : question.challenge;
            EXPECT_EQ(HAIGHA_OK,
                      haigha_connection_answer_response(to, question.number, str(response), error))
                << error;
        });
    EXPECT_EQ(HAIGHA_OK, open(connection)) << error_;
    const std::vector<Question> asked = questions();
    ASSERT_EQ(asked.size(), 3U);
    EXPECT_EQ(asked[0].challenge, "");
    EXPECT_EQ(asked[1].challenge, std::string("one\0two", 7));
    EXPECT_EQ(asked[2].challenge, "and another");
}

TEST_F(Auth, WhoHasNoCredentialsSaysSo) {
    const ConnectionHandle connection =
        asking("PLAIN", [](haigha_connection* to, const Question& question) {
            Err error;
            EXPECT_EQ(HAIGHA_OK, haigha_connection_refuse_auth(to, question.number,
                                                               str("the vault is sealed"), error))
                << error;
        });
    EXPECT_EQ(HAIGHA_ERR_AUTH, open(connection));
    EXPECT_NE(error_.message().find("the vault is sealed"), std::string::npos) << error_;
    EXPECT_EQ(error_.stage(), "handshake");
    EXPECT_EQ(HAIGHA_ERR_STALE,
              haigha_connection_answer_response(connection.get(), 1, str("x"), error_));
}

TEST_F(Auth, AQuestionThatNobodyAnswersEndsInTheDeadline) {
    OptionsHandle wanted = options({{"connection_timeout", 200}});
    const ConnectionHandle connection = new_connection(loop_.get(), wanted.get());
    EventLog log;
    const haigha_then then = log.then();
    ASSERT_EQ(HAIGHA_OK, haigha_connection_set_auth(connection.get(), &then, error_)) << error_;
    EXPECT_EQ(HAIGHA_ERR_TIMEOUT, open(connection));
    EXPECT_NE(error_.message().find("the auth event was not answered"), std::string::npos)
        << error_;
}

TEST_F(Auth, CredentialsAreRenewedBeforeTheyExpire) {
    offer("PLAIN", "first");
    const ConnectionHandle connection =
        asking("PLAIN", [](haigha_connection* to, const Question& question) {
            const bool first = question.what == HAIGHA_AUTH_CREDENTIALS;
            // Only the first is short-lived.
            give(to, question.number, "guest", first ? "first" : "second", first ? 100 : 3'600'000);
        });
    ASSERT_EQ(HAIGHA_OK, open(connection)) << error_;
    ASSERT_TRUE(saw("connection.update-secret"));
    // What has been answered after it was preceded by it.
    ASSERT_EQ(HAIGHA_OK, haigha_connection_close_wait(connection.get(), -1, error_)) << error_;
    EXPECT_EQ(broker_->secrets(), std::vector<std::string>({"second"}));
    ASSERT_EQ(questions().size(), 2U);
    EXPECT_EQ(questions()[1].what, HAIGHA_AUTH_RENEWAL);
}

TEST_F(Auth, ASecretIsUpdatedByHand) {
    const ConnectionHandle connection = connect();
    EXPECT_EQ(HAIGHA_OK, haigha_connection_update_secret_wait(connection.get(), str("token"),
                                                              str("because"), -1, error_))
        << error_;
    EXPECT_EQ(broker_->secrets(), std::vector<std::string>({"token"}));
    EventLog log;
    const haigha_then then = log.then();
    EXPECT_EQ(HAIGHA_OK, haigha_connection_update_secret(connection.get(), str("next"), str(""),
                                                         &then, error_))
        << error_;
    EXPECT_FALSE(log.reply().failed);
    script("on connection.update-secret no-reply");
    EXPECT_EQ(HAIGHA_ERR_TIMEOUT, haigha_connection_update_secret_wait(
                                      connection.get(), str("late"), str(""), 50, error_));
    ASSERT_EQ(HAIGHA_OK, haigha_connection_close_wait(connection.get(), -1, error_));
    EXPECT_EQ(HAIGHA_ERR_CLOSED, haigha_connection_update_secret_wait(connection.get(), str("gone"),
                                                                      str(""), 50, error_));
}

}  // namespace
}  // namespace haigha::test
