// Log records: what they tell by name, how they read as a line, and that they do not flood.
#include <gtest/gtest.h>
#include <haigha/log.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "support/recovery_fixture.h"

namespace haigha::test {
namespace {

struct Record {
    std::string event;
    std::string message;
    std::map<std::string, std::string> fields;
    std::string line;
};

std::string line_of(const haigha_log_record& record, std::size_t capacity = 4096) {
    std::string line(capacity, '?');
    std::size_t size = 0;
    EXPECT_EQ(HAIGHA_OK, haigha_log_logfmt(&record, line.data(), line.size(), &size, nullptr));
    line.resize(std::min(size, capacity));
    return line;
}

class LogTest : public RecoveryTest {
  protected:
    void log(std::int32_t level) {
        const auto listen = [](const haigha_log_record* one, void* to) {
            Record record{
                std::string(view(one->event)), std::string(view(one->message)), {}, line_of(*one)};
            for (std::size_t i = 0; i < one->field_count; ++i) {
                const haigha_field& field = one->fields[i];
                record.fields[std::string(view(field.name))] = field.type == HAIGHA_FIELD_STRING
                                                                   ? std::string(view(field.bytes))
                                                                   : std::to_string(field.integer);
            }
            auto& self = *static_cast<LogTest*>(to);
            const std::lock_guard lock(self.mutex_);
            self.records_.push_back(std::move(record));
        };
        ASSERT_EQ(HAIGHA_OK,
                  haigha_loop_set_log(loop_.get(), level, listen, this, nullptr, error_));
    }
    std::vector<Record> records(const std::string& event) {
        const std::lock_guard lock(mutex_);
        std::vector<Record> found;
        std::copy_if(records_.begin(), records_.end(), std::back_inserter(found),
                     [&](const Record& record) { return record.event == event; });
        return found;
    }

    std::mutex mutex_;
    std::vector<Record> records_;
};

TEST_F(LogTest, TellsByNameWhatHappensToAConnection) {
    log(HAIGHA_LOG_INFO);
    EventLog events;
    const haigha_then then = events.then();
    ConnectionHandle connection = recovering(&then);
    const std::string host = "127.0.0.1:" + std::to_string(broker_->port());
    ASSERT_EQ(records("connection_opened").size(), 1U);
    Record record = records("connection_opened").front();
    EXPECT_EQ(record.fields["host"], host);
    EXPECT_EQ(record.fields["frame_max"], std::to_string(info(connection.get(), "frame_max")));
    EXPECT_EQ(record.fields["heartbeat"], std::to_string(info(connection.get(), "heartbeat")));
    lose();
    step(events, HAIGHA_RECOVERY_RECOVERED);
    ASSERT_EQ(records("connection_lost").size(), 1U);
    record = records("connection_lost").front();
    EXPECT_EQ(record.fields["status"], "HAIGHA_ERR_IO");
    EXPECT_EQ(record.fields["stage"], "ready");
    EXPECT_EQ(record.fields["host"], host);
    ASSERT_EQ(records("recovery_attempt").size(), 1U);
    record = records("recovery_attempt").front();
    EXPECT_EQ(record.fields["attempt"], "1");
    EXPECT_EQ(record.fields["next_host"], host);
    EXPECT_EQ(record.fields["status"], "HAIGHA_ERR_IO");
    EXPECT_EQ(record.fields.count("delay_ms"), 1U);
    EXPECT_EQ(records("recovered").size(), 1U);
    EXPECT_EQ(records("connection_opened").size(), 2U);
    EXPECT_EQ(HAIGHA_OK, haigha_connection_close_wait(connection.get(), -1, error_)) << error_;
    EXPECT_EQ(records("connection_closed").size(), 1U);
}

TEST_F(LogTest, TellsByNameWhyAChannelWasClosed) {
    log(HAIGHA_LOG_WARN);
    const ConnectionHandle connection = connect();
    const ChannelHandle channel = open_channel(connection.get());
    EXPECT_EQ(HAIGHA_ERR_CHANNEL_CLOSED_BY_BROKER, declare_passively(channel.get(), "missing"));
    // Whatever was said before that is told.
    EXPECT_EQ(HAIGHA_OK, haigha_connection_close_wait(connection.get(), -1, error_)) << error_;
    ASSERT_EQ(records("channel_closed").size(), 1U);
    Record record = records("channel_closed").front();
    EXPECT_EQ(record.fields["reply_code"], "404");
    EXPECT_EQ(record.fields["channel"], "1");
    EXPECT_EQ(record.fields["method"], "queue.declare");
    EXPECT_EQ(record.fields["status"], "HAIGHA_ERR_CHANNEL_CLOSED_BY_BROKER");
    EXPECT_NE(record.fields["reply_text"].find("missing"), std::string::npos);
    EXPECT_NE(
        record.line.find(" level=warn connection=1 subject=channel event=channel_closed msg="),
        std::string::npos)
        << record.line;
    EXPECT_NE(record.line.find(" reply_code=404 "), std::string::npos) << record.line;
}

TEST_F(LogTest, DoesNotFlood) {
    log(HAIGHA_LOG_INFO);
    ConnectionHandle connection = connect();
    constexpr std::size_t closed = 50;
    for (std::size_t i = 0; i < closed; ++i) {
        const ChannelHandle channel = open_channel(connection.get());
        EXPECT_EQ(HAIGHA_ERR_CHANNEL_CLOSED_BY_BROKER, declare_passively(channel.get(), "missing"));
    }
    EXPECT_EQ(HAIGHA_OK, haigha_connection_close_wait(connection.get(), -1, error_)) << error_;
    // A slow machine may take more than one period for it: none is lost in either case.
    std::size_t told = 0;
    for (const Record& record : records("channel_closed")) {
        const auto left_out = record.fields.find("left_out");
        told += 1 + (left_out != record.fields.end() ? std::stoul(left_out->second) : 0);
    }
    ASSERT_EQ(records("connection_closed").size(), 1U);
    Record last = records("connection_closed").front();
    if (last.fields.count("left_out") != 0) told += std::stoul(last.fields["left_out"]);
    EXPECT_EQ(told, closed);
    EXPECT_LT(records("channel_closed").size(), closed);
}

TEST_F(LogTest, NeverHasThePassword) {
    log(HAIGHA_LOG_TRACE);
    OptionsHandle chosen = options();
    ASSERT_EQ(HAIGHA_OK, haigha_options_set_string(chosen.get(), str("password"),
                                                   str("correct horse battery"), error_));
    const ConnectionHandle connection = new_connection(loop_.get(), chosen.get());
    (void)haigha_connection_open_wait(connection.get(), -1, error_);
    (void)haigha_connection_close_wait(connection.get(), -1, error_);
    const std::lock_guard lock(mutex_);
    EXPECT_FALSE(records_.empty());
    for (const Record& record : records_)
        EXPECT_EQ(record.line.find("correct horse battery"), std::string::npos) << record.line;
}

// ---- the line alone

haigha_log_record record_of(std::string_view message, const std::vector<haigha_field>& fields) {
    haigha_log_record record{};
    record.size = sizeof record;
    record.level = HAIGHA_LOG_WARN;
    record.time_ns = 1'795'771'862'123'456'789;
    record.message = str(message);
    record.fields = fields.data();
    record.field_count = fields.size();
    return record;
}
haigha_field text_field(std::string_view name, std::string_view value) {
    haigha_field field{};
    field.name = str(name);
    field.type = HAIGHA_FIELD_STRING;
    field.bytes = str(value);
    return field;
}

TEST(Logfmt, QuotesWhatHasToBe) {
    haigha_field number{};
    number.name = str("n");
    number.type = HAIGHA_FIELD_INT64;
    number.integer = -5;
    const std::vector<haigha_field> fields = {text_field("plain", "a:b/c-\xC3\xA4"),
                                              text_field("empty", ""),
                                              text_field("blank", "a b"),
                                              text_field("equals", "a=b"),
                                              text_field("quote", "a\"b\\c"),
                                              text_field("lines", "a\nb\r\tc\x01\x7f"),
                                              number};
    EXPECT_EQ(line_of(record_of("all is well", fields)),
              "time=2026-11-27T09:31:02.123456Z level=warn msg=\"all is well\" "
              "plain=a:b/c-\xC3\xA4 empty=\"\" blank=\"a b\" equals=\"a=b\" quote=\"a\\\"b\\\\c\" "
              "lines=\"a\\nb\\r\\tc\\u0001\\u007f\" n=-5");
    haigha_log_record whole = record_of("m", {});
    whole.connection_id = 7;
    whole.subject = str("recovery");
    whole.event = str("recovered");
    EXPECT_EQ(line_of(whole),
              "time=2026-11-27T09:31:02.123456Z level=warn connection=7 subject=recovery "
              "event=recovered msg=m");
}

TEST(Logfmt, CutsBetweenCharactersAndTellsTheLength) {
    const haigha_log_record record = record_of("\xC3\xA4\xC3\xA4", {});
    const std::string whole = line_of(record);
    std::size_t size = 0;
    EXPECT_EQ(HAIGHA_OK, haigha_log_logfmt(&record, nullptr, 0, &size, nullptr));
    EXPECT_EQ(size, whole.size());
    std::string cut(whole.size(), '?');
    EXPECT_EQ(HAIGHA_OK, haigha_log_logfmt(&record, cut.data(), whole.size() - 1, &size, nullptr));
    EXPECT_EQ(size, whole.size());
    EXPECT_EQ(cut, whole.substr(0, whole.size() - 2) + "??");
}

TEST(Logfmt, TakesTheRecordsOfTheFirstRelease) {
    haigha_log_record record = record_of("m", {});
    record.size = offsetof(haigha_log_record, event);
    EXPECT_EQ(line_of(record), "time=2026-11-27T09:31:02.123456Z level=warn msg=m");
    std::size_t size = 0;
    record.size = 8;
    EXPECT_EQ(HAIGHA_ERR_STRUCT_VERSION, haigha_log_logfmt(&record, nullptr, 0, &size, nullptr));
}

TEST(Logfmt, KeepsNamesInOnePiece) {
    EXPECT_EQ(line_of(record_of("m", {text_field("a b=\"c\"\n\xC3\xA4", "v")})),
              line_of(record_of("m", {})) + " a_b__c__\xC3\xA4=v");
}

// A record may be a program's own. Found by fuzz_objects.
TEST(Logfmt, NamesTheTextThatHasASizeAndNoData) {
    const auto refusal = [](const haigha_log_record& record) {
        Err error;
        std::size_t size = 7;
        EXPECT_EQ(HAIGHA_ERR_ARGUMENT, haigha_log_logfmt(&record, nullptr, 0, &size, error));
        EXPECT_EQ(size, 7U);
        return error.message();
    };
    for (const auto& [text, name] : {std::pair(&haigha_log_record::subject, "subject"),
                                     std::pair(&haigha_log_record::message, "message"),
                                     std::pair(&haigha_log_record::event, "event")}) {
        haigha_log_record record = record_of("m", {});
        record.*text = {nullptr, 3};
        EXPECT_EQ(refusal(record), std::string("record->") + name + " has a size of 3 and no data");
    }
    haigha_field field{};
    field.type = HAIGHA_FIELD_STRING;
    field.bytes = {nullptr, 3};
    haigha_log_record record = record_of("m", {});
    record.fields = &field;
    record.field_count = 1;
    EXPECT_EQ(refusal(record), "record->fields->bytes has a size of 3 and no data");
    field.type = HAIGHA_FIELD_INT64;  // its bytes are not looked at
    EXPECT_EQ(line_of(record), line_of(record_of("m", {})) + " =0");
    field.name = {nullptr, 3};
    EXPECT_EQ(refusal(record), "record->fields->name has a size of 3 and no data");
}

}  // namespace
}  // namespace haigha::test
