// What a program does not want back is left out of recovery, with what goes with it.
#include <algorithm>
#include <string>
#include <vector>

#include "support/recovery_fixture.h"

namespace haigha::test {
namespace {

struct Asked {
    std::vector<std::string> about;
    std::string unwanted;
    bool released = false;

    static std::int32_t filter(const haigha_recovery_entity* entity, void* user_data) {
        static constexpr const char* kinds[] = {"?", "exchange", "queue", "binding", "consumer"};
        auto* const self = static_cast<Asked*>(user_data);
        std::string line = kinds[entity->kind];
        for (const haigha_str& part :
             {entity->name, entity->exchange, entity->routing_key, entity->consumer_tag}) {
            line += ' ';
            line += view(part);
        }
        self->about.push_back(line);
        return self->about.back().starts_with(self->unwanted) ? 0 : 1;
    }
};

class RecoveryFilter : public RecoveryTest {
  protected:
    // An exchange, two queues that are bound to it, and a consumer of each, recovered once.
    void recover_without(std::string unwanted) {
        asked_.unwanted = std::move(unwanted);
        const OptionsHandle chosen = options({recovery, soon, capped});
        ASSERT_EQ(HAIGHA_OK,
                  haigha_options_set_recovery_filter_fn(
                      chosen.get(), &Asked::filter, &asked_,
                      [](void* data) { static_cast<Asked*>(data)->released = true; }, error_))
            << error_;
        const haigha_then then = events_.then();
        connection_ = new_connection(loop_.get(), chosen.get(), &then);
        ASSERT_EQ(HAIGHA_OK, haigha_connection_open_wait(connection_.get(), -1, error_)) << error_;
        channel_ = open_channel(connection_.get());
        haigha_exchange_declare_args exchange = HAIGHA_EXCHANGE_DECLARE_ARGS_INIT;
        exchange.exchange = str("news");
        exchange.type = str("fanout");
        ASSERT_EQ(HAIGHA_OK,
                  haigha_exchange_declare_wait(channel_.get(), &exchange, -1, nullptr, error_));
        for (EventLog* log : {&first_, &second_}) {
            const std::string queue = log == &first_ ? "first" : "second";
            haigha_queue_declare_args args = declare_args(queue);
            args.exclusive = 1;
            ASSERT_EQ(HAIGHA_OK,
                      haigha_queue_declare_wait(channel_.get(), &args, -1, nullptr, error_));
            haigha_queue_bind_args bound = HAIGHA_QUEUE_BIND_ARGS_INIT;
            bound.queue = str(queue);
            bound.exchange = str("news");
            ASSERT_EQ(HAIGHA_OK,
                      haigha_queue_bind_wait(channel_.get(), &bound, -1, nullptr, error_));
            consume(channel_.get(), queue, log->then(), true);
        }
        lose();
        step(events_, HAIGHA_RECOVERY_RECOVERED);
        haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
        args.exchange = str("news");
        ASSERT_EQ(HAIGHA_OK, haigha_publish(channel_.get(), &args, str("x"), nullptr, error_));
    }
    std::size_t times_asked(std::string_view beginning) const {
        return static_cast<std::size_t>(
            std::count_if(asked_.about.begin(), asked_.about.end(),
                          [&](const std::string& one) { return one.starts_with(beginning); }));
    }

    Asked asked_;
    EventLog events_;
    EventLog first_;
    EventLog second_;
    ConnectionHandle connection_;
    ChannelHandle channel_;
};

TEST_F(RecoveryFilter, AQueueGoesWithItsBindingsAndConsumers) {
    recover_without("queue first");
    const Recorded ended = first_.wait_for(HAIGHA_EVENT_CONSUMER_CANCELLED);
    EXPECT_NE(ended.error.find("recovery filter"), std::string::npos) << ended.error;
    EXPECT_EQ(second_.wait_for(HAIGHA_EVENT_DELIVERY).body, "x");
    EXPECT_EQ(broker_->count("queue.declare"), 3U);
    EXPECT_EQ(broker_->count("queue.bind"), 3U);
    EXPECT_EQ(broker_->count("basic.consume"), 3U);
    EXPECT_EQ(times_asked("binding"), 1U);  // the other goes with its queue
    EXPECT_EQ(times_asked("exchange news"), 1U);
    EXPECT_EQ(steps(events_, HAIGHA_RECOVERY_ENTITY), 0U);
}

TEST_F(RecoveryFilter, AConsumerAlone) {
    const std::string tagged = "consumer second";
    recover_without(tagged);
    EXPECT_EQ(first_.wait_for(HAIGHA_EVENT_DELIVERY).body, "x");
    second_.wait_for(HAIGHA_EVENT_CONSUMER_CANCELLED);
    EXPECT_EQ(broker_->count("queue.declare"), 4U);
    EXPECT_EQ(broker_->count("basic.consume"), 3U);
    EXPECT_EQ(times_asked("binding first news"), 1U);
    ASSERT_EQ(HAIGHA_OK, haigha_connection_close_wait(connection_.get(), -1, error_)) << error_;
    channel_.reset();
    connection_.reset();
    close_loop(loop_.get());
    EXPECT_TRUE(asked_.released);
    loop_ = start_loop();
}

TEST_F(RecoveryFilter, WhatIsWantedComesBack) {
    recover_without("nothing of the kind");
    EXPECT_EQ(first_.wait_for(HAIGHA_EVENT_DELIVERY).body, "x");
    EXPECT_EQ(second_.wait_for(HAIGHA_EVENT_DELIVERY).body, "x");
    EXPECT_EQ(asked_.about.size(), 7U);
}

}  // namespace
}  // namespace haigha::test
