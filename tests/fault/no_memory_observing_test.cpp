// What is measured, traced and logged, without a connection: each allocation fails in turn,
// NO_MEMORY is the answer, and nothing has changed.
#include <gtest/gtest.h>
#include <haigha/log.h>
#include <haigha/statistics.h>
#include <haigha/trace_context.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>

#include "support/api_handles.h"
#include "support/failing_allocator.h"
#include "support/prometheus_text.h"

namespace haigha::test {
namespace {

// call(), again with memory when it found none.
template <class Call>
void until_there_is_memory(const char* what, Call call) {
    haigha_status status = call();
    if (status == HAIGHA_ERR_NO_MEMORY) status = call();
    const AllocationFaults::Spared spared;
    EXPECT_EQ(HAIGHA_OK, status) << what;
}

void measure() {
    std::unique_ptr<haigha_metrics, Drop<haigha_metrics_free>> metrics;
    until_there_is_memory("metrics", [&] { return haigha_metrics_new(out(metrics), nullptr); });
    haigha_statistics statistics = HAIGHA_STATISTICS_INIT;
    statistics.published = 7;
    const std::array<haigha_label, 2> labels{
        haigha_label{haigha_text("connection"), haigha_text("one with a name of some length")},
        haigha_label{haigha_text("host"), haigha_text("a\"b\"c")}};
    until_there_is_memory("add", [&] {
        return haigha_metrics_add(metrics.get(), &statistics, labels.data(), labels.size(),
                                  nullptr);
    });
    haigha_str text{};
    until_there_is_memory("text",
                          [&] { return haigha_metrics_prometheus(metrics.get(), &text, nullptr); });
    const AllocationFaults::Spared spared;
    const PrometheusText read(view(text));
    EXPECT_EQ(read.at("messaging_client_sent_messages_total",
                      {{"connection", "one with a name of some length"},
                       {"host", "a\"b\"c"},
                       {"messaging_system", "rabbitmq"},
                       {"messaging_operation_name", "publish"}}),
              7);
}

void trace() {
    haigha_trace_context context{};
    context.trace_id[0] = context.parent_id[0] = 1;
    context.tracestate = haigha_text("a=1");
    TableHandle table;
    until_there_is_memory("table", [&] { return haigha_table_new(out(table), nullptr); });
    // Both headers, or neither: a second call would be refused.
    until_there_is_memory(
        "context", [&] { return haigha_table_add_trace_context(table.get(), &context, nullptr); });
    haigha_log_record record{};
    record.size = sizeof record;
    record.message = haigha_text("a message that is longer than a short string");
    std::size_t size = 0;
    until_there_is_memory("line",
                          [&] { return haigha_log_logfmt(&record, nullptr, 0, &size, nullptr); });
}

template <class Do>
void at_each_allocation(Do what) {
    std::uint64_t nth = 1;
    for (bool more = true; more; ++nth) {
        SCOPED_TRACE("allocation " + std::to_string(nth));
        AllocationFaults::arm(nth);
        what();
        AllocationFaults::disarm();
        more = AllocationFaults::struck();
        if (testing::Test::HasFailure()) {
            AllocationFaults::show_where();
            return;
        }
    }
    EXPECT_GT(nth, 5U);
}

TEST(NoMemoryForObserving, AtEachAllocationOfMetrics) {
    at_each_allocation(measure);
}

TEST(NoMemoryForObserving, AtEachAllocationOfTracesAndLines) {
    at_each_allocation(trace);
}

}  // namespace
}  // namespace haigha::test
