// The text of statistics that nobody has counted: valid whatever the numbers and labels, and what
// would not be is refused.
#include <gtest/gtest.h>
#include <haigha/statistics.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "support/api_handles.h"
#include "support/prometheus_text.h"

namespace haigha::test {
namespace {

using MetricsHandle = std::unique_ptr<haigha_metrics, Drop<haigha_metrics_free>>;

class MetricsText : public testing::Test {
  protected:
    void SetUp() override {
        ASSERT_EQ(HAIGHA_OK, haigha_metrics_new(out(metrics_), error_)) << error_;
    }
    haigha_status add(const haigha_statistics& statistics,
                      const std::vector<haigha_label>& labels = {}) {
        return haigha_metrics_add(metrics_.get(), &statistics, labels.data(), labels.size(),
                                  error_);
    }
    void expect_refused(const std::vector<haigha_label>& labels, const char* why) {
        EXPECT_EQ(add(HAIGHA_STATISTICS_INIT, labels), HAIGHA_ERR_ARGUMENT) << why;
        EXPECT_NE(error_.message().find(why), std::string::npos) << error_;
    }
    std::string text() {
        haigha_str text{};
        EXPECT_EQ(HAIGHA_OK, haigha_metrics_prometheus(metrics_.get(), &text, error_)) << error_;
        return std::string(view(text));
    }
    static haigha_label label(std::string_view name, std::string_view value) {
        return {str(name), str(value)};
    }

    MetricsHandle metrics_;
    Err error_;
};

// Every member a number of its own.
haigha_statistics numbered() {
    haigha_statistics statistics = HAIGHA_STATISTICS_INIT;
    statistics.state = HAIGHA_STATE_OPEN;
    statistics.blocked = 1;
    std::uint64_t number = 1000;
    const std::size_t first = offsetof(haigha_statistics, channels);
    const std::size_t end = offsetof(haigha_statistics, confirm_latency);
    for (std::size_t at = first; at < end; at += sizeof number, ++number)
        std::memcpy(reinterpret_cast<unsigned char*>(&statistics) + at, &number, sizeof number);
    for (std::size_t i = 0; i < HAIGHA_HISTOGRAM_BUCKETS; ++i) {
        statistics.confirm_latency.buckets[i] = i;
        statistics.confirm_latency.count += i;
    }
    statistics.confirm_latency.sum_ns = 12'345'678'901;
    return statistics;
}

TEST_F(MetricsText, IsEmptyOfNothing) {
    EXPECT_EQ(text(), "");
}

TEST_F(MetricsText, HasEachNumberOnce) {
    const haigha_statistics statistics = numbered();
    ASSERT_EQ(add(statistics), HAIGHA_OK) << error_;
    const PrometheusText read(text());
    EXPECT_EQ(read.at("haigha_connection_state"), HAIGHA_STATE_OPEN);
    EXPECT_EQ(read.at("haigha_connection_blocked"), 1);
    // Of every member there is a sample with its number; those in milliseconds as seconds.
    std::vector<double> values;
    for (const auto& [name, family] : read.families) {
        if (family.type == "histogram") continue;
        for (const auto& [key, value] : family.samples)
            values.push_back(value);
    }
    std::sort(values.begin(), values.end());
    const std::size_t members =
        (offsetof(haigha_statistics, confirm_latency) - offsetof(haigha_statistics, channels)) / 8;
    EXPECT_EQ(values.size(), members + 2);
    EXPECT_EQ(std::unique(values.begin(), values.end()), values.end());
    EXPECT_EQ(read.at("haigha_oldest_unsettled_delivery_seconds"),
              static_cast<double>(statistics.oldest_unsettled_ms) / 1000);
    EXPECT_EQ(read.at("haigha_publish_outcomes_total", {{"outcome", "unknown"}}),
              static_cast<double>(statistics.unknown));
    EXPECT_EQ(read.at("haigha_settled_deliveries_total", {{"how", "reject"}}),
              static_cast<double>(statistics.rejected));
}

TEST_F(MetricsText, HasTheNamesOfOpenTelemetryWhereThereAreSome) {
    ASSERT_EQ(add(numbered()), HAIGHA_OK) << error_;
    const PrometheusText read(text());
    EXPECT_EQ(read.at("messaging_client_sent_messages_total",
                      {{"messaging_system", "rabbitmq"}, {"messaging_operation_name", "publish"}}),
              static_cast<double>(numbered().published));
    EXPECT_EQ(read.at("messaging_client_consumed_messages_total",
                      {{"messaging_system", "rabbitmq"}, {"messaging_operation_name", "deliver"}}),
              static_cast<double>(numbered().delivered));
    const Labels publish = {{"messaging_system", "rabbitmq"},
                            {"messaging_operation_name", "publish"},
                            {"messaging_operation_type", "send"}};
    EXPECT_EQ(read.at("messaging_client_operation_duration_seconds_sum", publish), 12.345678901);
    EXPECT_EQ(read.at("messaging_client_operation_duration_seconds_count", publish), 27.0 * 28 / 2);
    Labels bucket = publish;
    bucket["le"] = "0.000004";
    EXPECT_EQ(read.at("messaging_client_operation_duration_seconds_bucket", bucket), 0 + 1 + 2);
    bucket["le"] = "67.108864";
    EXPECT_EQ(read.at("messaging_client_operation_duration_seconds_bucket", bucket), 26 * 27 / 2);
}

TEST_F(MetricsText, KeepsTheLargestNumbers) {
    haigha_statistics statistics = HAIGHA_STATISTICS_INIT;
    statistics.bytes_sent = UINT64_MAX;
    statistics.round_trip.sum_ns = UINT64_MAX;
    ASSERT_EQ(add(statistics), HAIGHA_OK) << error_;
    const std::string text = this->text();
    EXPECT_NE(text.find("haigha_sent_bytes_total 18446744073709551615\n"), std::string::npos);
    EXPECT_NE(text.find("haigha_call_duration_seconds_sum 18446744073.709551615\n"),
              std::string::npos);
}

TEST_F(MetricsText, TellsConnectionsByTheirLabels) {
    haigha_statistics one = HAIGHA_STATISTICS_INIT;
    haigha_statistics two = HAIGHA_STATISTICS_INIT;
    one.published = 1;
    two.published = 2;
    ASSERT_EQ(add(one, {label("connection", "one"), label("host", "a")}), HAIGHA_OK) << error_;
    ASSERT_EQ(add(two, {label("connection", "two"), label("host", "a")}), HAIGHA_OK) << error_;
    EXPECT_EQ(add(one, {label("host", "a"), label("connection", "two")}), HAIGHA_ERR_ARGUMENT);
    EXPECT_NE(error_.message().find("added before"), std::string::npos) << error_;
    const PrometheusText read(text());
    Labels labels = {{"messaging_system", "rabbitmq"},
                     {"messaging_operation_name", "publish"},
                     {"connection", "two"},
                     {"host", "a"}};
    EXPECT_EQ(read.at("messaging_client_sent_messages_total", labels), 2);
    labels["connection"] = "one";
    EXPECT_EQ(read.at("messaging_client_sent_messages_total", labels), 1);
}

TEST_F(MetricsText, EscapesWhatALabelHolds) {
    const std::string value = "a\"b\\c\nd{}=,\xC3\xA4\xF0\x9F\x90\x87";
    ASSERT_EQ(add(HAIGHA_STATISTICS_INIT, {label("connection", value)}), HAIGHA_OK) << error_;
    EXPECT_EQ(PrometheusText(text()).at("haigha_channels", {{"connection", value}}), 0);
}

TEST_F(MetricsText, RefusesLabelsThatWouldMakeNoText) {
    for (const char* name : {"", "1", "a-b", "a b", "\xC3\xA4", "__name", "a:b"})
        expect_refused({label(name, "x")}, "is no name of a label");
    for (const char* name : {"le", "outcome", "how", "messaging_system", "messaging_operation_name",
                             "messaging_operation_type"})
        expect_refused({label(name, "x")}, "one of the metrics' own");
    for (const char* value :
         {"\x80", "\xC0\x80", "\xC3", "\xE0\x80\x80", "\xED\xA0\x80", "\xF0\x80\x80\x80",
          "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xE2\x82", "\xFF"})
        expect_refused({label("a", value)}, "is not UTF-8");
    expect_refused({label("a", "1"), label("b", "1"), label("a", "2")}, "is there twice");
    expect_refused({label(std::string(256, 'a'), "1")}, "256");
    expect_refused({label("a", std::string(4097, 'x'))}, "4097");
    expect_refused(std::vector<haigha_label>(65, label("a", "1")), "65");
    EXPECT_EQ(text(), "");
}

TEST_F(MetricsText, RefusesStatisticsOfAnotherKind) {
    haigha_statistics statistics = HAIGHA_STATISTICS_INIT;
    for (const std::size_t size : {std::size_t{0}, sizeof statistics - 8, std::size_t{1} << 20}) {
        statistics.size = size;
        EXPECT_EQ(add(statistics), HAIGHA_ERR_STRUCT_VERSION) << size;
    }
    EXPECT_EQ(haigha_metrics_add(metrics_.get(), nullptr, nullptr, 0, error_), HAIGHA_ERR_ARGUMENT);
    statistics.size = sizeof statistics;
    EXPECT_EQ(haigha_metrics_add(metrics_.get(), &statistics, nullptr, 1, error_),
              HAIGHA_ERR_ARGUMENT);
}

// The reader itself.
TEST(PrometheusTextTest, RefusesWhatIsNotOfTheFormat) {
    const std::string head = "# HELP a b\n# TYPE a gauge\n";
    EXPECT_EQ(PrometheusText(head + "a 1\n").at("a"), 1);
    for (const std::string& text : {
             std::string("a 1\n"),
             head,
             head + "a 1",
             head + "b 1\n",
             head + "a 1\na 2\n",
             head + "a{} 1\n",
             head + "a{x=\"1\" 1\n",
             head + "a{x=\"\\t\"} 1\n",
             head + "a{x=\"1\",x=\"2\"} 1\n",
             head + "a x\n",
             head + "a 1\n\n",
             head + "a 1\n" + head + "a 2\n",
             std::string("# TYPE a gauge\na 1\n"),
             std::string("# HELP a b\n# TYPE a counter\na 1\n"),
             std::string(
                 "# HELP h b\n# TYPE h histogram\nh_bucket{le=\"+Inf\"} 2\nh_sum 1\nh_count "
                 "1\n"),
             std::string("# HELP h b\n# TYPE h histogram\nh_bucket{le=\"1\"} 2\nh_sum 1\nh_count "
                         "2\n"),
             std::string(
                 "# HELP h b\n# TYPE h histogram\nh_bucket{le=\"1\"} 3\nh_bucket{le=\"+Inf\"} "
                 "2\nh_sum 1\nh_count 2\n"),
         })
        EXPECT_THROW(PrometheusText{text}, std::exception) << text;
}

}  // namespace
}  // namespace haigha::test
