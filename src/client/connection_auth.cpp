// The part of Connection that asks for credentials, and takes the answers.
#include <algorithm>
#include <utility>

#include "client/channel.h"
#include "client/connection.h"

namespace haigha::client {

using transport::Loop;

bool Connection::set_auth(Then auth) {
    {
        const std::lock_guard lock(mutex_);
        if (state() == State::fresh) {
            asks_ = true;
            machine_->ask_for_credentials();
            std::swap(auth_, auth);  // the loop's thread has not begun
            return true;
        }
    }
    auth.disarm();
    return false;
}

std::string Connection::mechanism() const {
    const std::lock_guard lock(mutex_);
    return machine_->mechanism();
}

void Connection::ask(AuthQuestion question, std::string_view mechanism,
                     std::string_view challenge) {
    Event told = event_for(EventType::auth, nullptr);
    {
        const std::lock_guard lock(mutex_);
        told.number = ++questions_;
        question_ = question;
        question_open_ = true;
    }
    const Ref<Reply> reply = Ref<Reply>::adopt(new Reply);
    reply->mechanism = mechanism;
    reply->challenge = challenge;
    told.reply = reply.get();
    told.state = static_cast<std::int32_t>(question);
    tell(auth_, told);
}

ErrorRef Connection::take_question(std::uint64_t question, bool credentials) {
    if (!question_open_ || question != questions_) {
        return make_error(Status::stale, "the auth event " + std::to_string(question) +
                                             " was answered, or its connection has ended");
    }
    if (credentials == (question_ == AuthQuestion::response)) {
        return make_error(Status::argument,
                          credentials ? "the auth event asks for a response, not for credentials"
                                      : "the auth event asks for credentials, not for a response");
    }
    question_open_ = false;
    return nullptr;
}

ErrorRef Connection::answer_credentials(std::uint64_t question,
                                        const protocol::Credentials& credentials,
                                        std::int64_t lifetime_ms) {
    bool renewal = false;
    {
        const std::lock_guard lock(mutex_);
        if (ErrorRef refused = take_question(question, true)) return refused;
        renewal = question_ == AuthQuestion::renewal;
        if (lifetime_ms > 0) {
            // With time left for whoever has to fetch the next ones.
            renew_at_ = loop_time() + milliseconds(lifetime_ms - lifetime_ms / 5);
        }
        if (!renewal) machine_->answer_credentials(credentials);
        (void)note_work(renew_at_);
    }
    if (renewal) {
        return update_secret(credentials.password, "the credentials were about to expire",
                             Completion(), -1);
    }
    tell_loop();
    return nullptr;
}

ErrorRef Connection::answer_response(std::uint64_t question, std::string_view response) {
    {
        const std::lock_guard lock(mutex_);
        if (ErrorRef refused = take_question(question, false)) return refused;
        machine_->answer_response(response);
        (void)note_work();
    }
    tell_loop();
    return nullptr;
}

ErrorRef Connection::refuse_to_authenticate(std::uint64_t question, std::string why) {
    bool renewal = false;
    {
        const std::lock_guard lock(mutex_);
        if (!question_open_ || question != questions_) return take_question(question, true);
        question_open_ = false;
        renewal = question_ == AuthQuestion::renewal;
    }
    // From a turn of the loop, as whatever ends a connection.
    const bool posted =
        loop_->transport().post([self = Ref<Connection>(this), renewal, text = std::move(why)] {
            if (renewal) {
                self->loop_->log(LogLevel::warn, self->id_, "connection",
                                 "the credentials were not renewed: " + text);
                return;
            }
            self->fail(
                self->failure(Status::auth, "there are no credentials: " + text, Stage::handshake));
        });
    return posted ? nullptr : make_error(Status::closed, "the loop was closed");
}

}  // namespace haigha::client
