// What `haigha bench` draws: latencies in steps, counts over time, and the files that hold them.
#include <gtest/gtest.h>

#include <random>
#include <string>

#include "bench_plot.h"
#include "bench_timeline.h"
#include "latency_steps.h"
#include "svg_chart.h"

namespace tool {
namespace {

constexpr std::uint64_t us = 1000;
constexpr std::uint64_t ms = 1000 * us;

TEST(LatencySteps, CoverAllThatWasMeasured) {
    LatencyHistogram first;
    LatencyHistogram second;
    LatencyHistogram none;
    EXPECT_TRUE(latency_steps({}).empty());
    EXPECT_TRUE(latency_steps({&none}).empty());
    first.record(300 * us);
    first.record(700 * us);
    second.record(4 * ms);
    const std::vector<LatencyStep> steps = latency_steps({&first, &none, &second});
    ASSERT_EQ(4U, steps.size());
    EXPECT_EQ(200 * us, steps.front().from_ns);
    EXPECT_EQ(500 * us, steps.front().to_ns);
    EXPECT_EQ(5 * ms, steps.back().to_ns);
    for (std::size_t i = 1; i < steps.size(); ++i)
        EXPECT_EQ(steps[i - 1].to_ns, steps[i].from_ns);
}

TEST(LatencySteps, LeaveNoMessageOut) {
    std::mt19937_64 random(7);
    for (int round = 0; round < 200; ++round) {
        LatencyHistogram latencies;
        for (int i = 0; i < 50; ++i)
            latencies.record(random() >> (20 + random() % 44));
        std::uint64_t sum = 0;
        for (const LatencyStep& step : latency_steps({&latencies}))
            sum += latencies.count_to(step.to_ns) - latencies.count_to(step.from_ns);
        // But for those that took no time at all, of which there are none.
        EXPECT_EQ(latencies.count() - latencies.count_to(0), sum);
    }
}

TEST(LatencySteps, AreLabelledWithoutZerosThatSayNothing) {
    EXPECT_EQ("500 us", step_label(500 * us));
    EXPECT_EQ("1 ms", step_label(1 * ms));
    EXPECT_EQ("20 ms", step_label(20 * ms));
    EXPECT_EQ("0.2 us", step_label(200));
    EXPECT_EQ("100 s", step_label(100'000 * ms));
}

TEST(LatencyPlot, HasABarForEachStep) {
    LatencyHistogram first;
    LatencyHistogram none;
    for (int i = 0; i < 3; ++i)
        first.record(1500 * us);
    first.record(300 * us);
    EXPECT_TRUE(latency_plot({{"nothing", &none}}).empty());
    const std::vector<std::string> lines = latency_plot({{"first", &first}, {"nothing", &none}});
    ASSERT_EQ(4U, lines.size());
    EXPECT_EQ("up to         first", lines[0]);
    EXPECT_EQ("500 us        #######               25.0 %", lines[1]);
    EXPECT_EQ("1 ms", lines[2]);
    EXPECT_EQ("2 ms          ####################  75.0 %", lines[3]);
}

TEST(BenchTimeline, KeepsTheWholeOfARunOfAnyLength) {
    BenchTimeline timeline;
    std::uint64_t count = 0;
    double seconds = 0;
    for (; seconds < 3600; seconds += 0.05)
        timeline.note({seconds, ++count, 0, 0});
    timeline.finish({seconds, count, 0, 0});
    const auto& samples = timeline.samples();
    EXPECT_LE(samples.size(), 400U);
    EXPECT_GE(samples.size(), 190U);
    EXPECT_EQ(0, samples.front().seconds);
    EXPECT_EQ(count, samples.back().published);
    for (std::size_t i = 1; i < samples.size(); ++i) {
        EXPECT_LT(samples[i - 1].seconds, samples[i].seconds);
        EXPECT_LT(samples[i - 1].published, samples[i].published);
    }
}

TEST(BenchTimeline, HasNoStepOfAlmostNoTime) {
    BenchTimeline timeline;
    timeline.note({0.1, 1, 0, 0});
    timeline.finish({0.101, 2, 0, 0});
    ASSERT_EQ(2U, timeline.samples().size());
    EXPECT_EQ(2U, timeline.samples().back().published);
    // The beginning stays.
    BenchTimeline shortest;
    shortest.finish({0.001, 5, 0, 0});
    EXPECT_EQ(2U, shortest.samples().size());
}

TEST(SvgChart, EscapesWhatABrokerSays) {
    const std::string svg = svg_of("<a> & b\n", "c", {});
    EXPECT_NE(std::string::npos, svg.find("<title>&lt;a&gt; &amp; b </title>"));
    EXPECT_NE(std::string::npos, svg.find("prefers-color-scheme: dark"));
}

TEST(SvgChart, DrawsALineWhereItsPointsAre) {
    const Chart chart{"title",       "x",          "y",
                      {{0, "left"}}, {{1, "top"}}, {{"line", 2, {{0, 0}, {1, 1}}}}};
    const std::string svg = svg_of("heading", "", {chart});
    EXPECT_NE(std::string::npos,
              svg.find("<path class=\"line c2\" d=\"M92.0 304.0L776.0 98.0\"/>"));
    for (const char* const text : {">title<", ">x<", ">y<", ">left<", ">top<", ">line<"})
        EXPECT_NE(std::string::npos, svg.find(text)) << text;
}

}  // namespace
}  // namespace tool
