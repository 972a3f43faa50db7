// A strict reader of Prometheus' text exposition format: what a text must not have, it throws for.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace haigha::test {

using Labels = std::map<std::string, std::string>;

struct MetricFamily {
    std::string type;
    std::string help;
    // By the sample's name, which for a histogram has a suffix, and its labels.
    std::map<std::pair<std::string, Labels>, double> samples;
};

// One metric after the other: HELP, TYPE, and then its samples, each once and no other in between;
// counters end in _total; the buckets of a histogram rise to "+Inf", which is its count.
class PrometheusText {
  public:
    explicit PrometheusText(std::string_view text) {
        if (!text.empty() && text.back() != '\n') fail("does not end in a newline");
        while (!text.empty()) {
            const std::size_t end = text.find('\n');
            line_ = text.substr(0, end);
            text.remove_prefix(end + 1);
            read_line();
        }
        for (const auto& [name, family] : families)
            check(name, family);
    }

    std::map<std::string, MetricFamily> families;

    // Of the metric that the sample belongs to. Throws when there is none.
    double at(const std::string& sample, const Labels& labels = {}) const {
        for (const auto& [name, family] : families) {
            const auto found = family.samples.find({sample, labels});
            if (found != family.samples.end()) return found->second;
        }
        throw std::out_of_range("there is no " + sample);
    }

  private:
    [[noreturn]] void fail(const std::string& what) const {
        throw std::invalid_argument(what + ": " + std::string(line_));
    }
    static bool is_name(std::string_view text, bool of_label) {
        if (text.empty() || (text[0] >= '0' && text[0] <= '9')) return false;
        for (const char c : text) {
            const bool fits = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                              (c >= '0' && c <= '9') || c == '_' || (c == ':' && !of_label);
            if (!fits) return false;
        }
        return true;
    }
    std::string_view take(std::size_t size) {
        const std::string_view taken = rest_.substr(0, size);
        rest_.remove_prefix(std::min(size, rest_.size()));
        return taken;
    }
    void expect(std::string_view text) {
        if (rest_.substr(0, text.size()) != text) fail("no " + std::string(text));
        (void)take(text.size());
    }

    void read_line() {
        rest_ = line_;
        if (rest_.empty()) fail("an empty line");
        if (rest_[0] != '#') return read_sample();
        const bool is_help = rest_.substr(0, 7) == "# HELP ";
        expect(is_help ? "# HELP " : "# TYPE ");
        const std::string name(take(rest_.find(' ')));
        if (!is_name(name, false)) fail("no name of a metric");
        expect(" ");
        if (is_help) {
            if (families.count(name) != 0) fail("a metric that was there before");
            families[name].help = rest_;
        } else {
            if (current_ != name + "?") fail("TYPE without HELP before it");
            static const std::set<std::string_view> types = {"counter", "gauge", "histogram"};
            if (types.count(rest_) == 0) fail("no type");
            families[name].type = rest_;
        }
        current_ = is_help ? name + "?" : name;
    }
    void read_sample() {
        const std::string name(take(rest_.find_first_of("{ ")));
        if (!is_name(name, false)) fail("no name of a metric");
        if (current_.empty() || current_.back() == '?') fail("a value without its TYPE");
        MetricFamily& family = families[current_];
        const bool in_place = family.type == "histogram"
                                  ? name == current_ + "_bucket" || name == current_ + "_sum" ||
                                        name == current_ + "_count"
                                  : name == current_;
        if (!in_place) fail("a value of another metric");
        const Labels labels = read_labels();
        expect(" ");
        const std::string number(rest_);
        char* end = nullptr;
        const double value = std::strtod(number.c_str(), &end);
        if (number.empty() || *end != '\0' || number[0] == ' ') fail("no number");
        if (!family.samples.emplace(std::pair(name, labels), value).second) {
            fail("a value that was there before");
        }
    }
    Labels read_labels() {
        Labels labels;
        if (rest_.empty() || rest_[0] != '{') return labels;
        do {
            (void)take(1);
            const std::string name(take(rest_.find('=')));
            if (!is_name(name, true)) fail("no name of a label");
            expect("=\"");
            std::string value;
            while (!rest_.empty() && rest_[0] != '"') {
                char c = take(1)[0];
                if (c == '\\') {
                    if (rest_.empty()) fail("nothing behind a backslash");
                    c = take(1)[0];
                    if (c != 'n' && c != '\\' && c != '"') fail("an unknown escape");
                    if (c == 'n') c = '\n';
                }
                value += c;
            }
            expect("\"");
            if (!labels.emplace(name, value).second) fail("a label twice");
        } while (!rest_.empty() && rest_[0] == ',');
        expect("}");
        return labels;
    }

    void check(const std::string& name, const MetricFamily& family) {
        line_ = name;
        if (family.type.empty() || family.help.empty() || family.samples.empty())
            fail("unfinished");
        const bool total = name.size() > 6 && name.substr(name.size() - 6) == "_total";
        if (total != (family.type == "counter")) fail("counters, and no others, end in _total");
        if (family.type == "histogram") check_histogram(name, family);
    }
    void check_histogram(const std::string& name, const MetricFamily& family) {
        std::map<Labels, std::map<double, double>> buckets;
        for (const auto& [key, value] : family.samples) {
            if (key.first != name + "_bucket") continue;
            Labels labels = key.second;
            if (labels.count("le") == 0) fail("a bucket without le");
            const double limit =
                labels["le"] == "+Inf" ? INFINITY : std::strtod(labels["le"].c_str(), nullptr);
            labels.erase("le");
            buckets[labels][limit] = value;
        }
        for (const auto& [labels, limits] : buckets) {
            double before = 0;
            for (const auto& [limit, value] : limits) {
                if (value < before) fail("buckets that fall");
                before = value;
            }
            if (limits.rbegin()->first != INFINITY) fail("no bucket +Inf");
            if (at(name + "_count", labels) != before) fail("a count that is not +Inf's");
            (void)at(name + "_sum", labels);
        }
        if (family.samples.size() != buckets.size() * (buckets.begin()->second.size() + 2)) {
            fail("a sum or a count without buckets");
        }
    }

    std::string_view line_;
    std::string_view rest_;
    std::string current_;  // with a question mark until its type is known
};

}  // namespace haigha::test
