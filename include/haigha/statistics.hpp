// haigha::statistics and haigha::Metrics: haigha/statistics.h for C++20.
#pragma once

#include <initializer_list>
#include <memory>
#include <string_view>
#include <vector>

#include "haigha.hpp"
#include "statistics.h"

namespace haigha {
inline namespace v0_1 {

using Statistics = haigha_statistics;

// The numbers of now, of a connection in any state.
inline Result<Statistics> statistics(const Connection& connection) noexcept {
    Statistics now = HAIGHA_STATISTICS_INIT;
    const Result<void> read = detail::checked([&](haigha_error** error) {
        return haigha_connection_statistics(connection.get(), &now, error);
    });
    return {now, read.error()};
}

// Those of several connections, as one text.
class Metrics {
  public:
    struct Label {
        std::string_view name;
        std::string_view value;
    };

    Metrics() noexcept = default;  // nothing can be added
    static Result<Metrics> make() noexcept {
        haigha_metrics* made = nullptr;
        haigha_error* error = nullptr;
        const haigha_status status = haigha_metrics_new(&made, &error);
        if (status != HAIGHA_OK) return Error(status, error);
        return Metrics(made);
    }
    // The labels tell them from the others'.
    Result<void> add(const Statistics& statistics, std::initializer_list<Label> labels = {}) {
        std::vector<haigha_label> all;
        for (const Label& label : labels)
            all.push_back({str(label.name), str(label.value)});
        return detail::checked([&](haigha_error** error) {
            return haigha_metrics_add(metrics_.get(), &statistics, all.data(), all.size(), error);
        });
    }
    // In Prometheus' text format; until the next call, or the end of this.
    Result<std::string_view> prometheus() noexcept {
        haigha_str text{};
        const Result<void> written = detail::checked([&](haigha_error** error) {
            return haigha_metrics_prometheus(metrics_.get(), &text, error);
        });
        return {view(text), written.error()};
    }

  private:
    struct Free {
        void operator()(haigha_metrics* metrics) const noexcept { haigha_metrics_free(metrics); }
    };
    explicit Metrics(haigha_metrics* owned) noexcept : metrics_(owned) {}

    std::unique_ptr<haigha_metrics, Free> metrics_;
};

}  // namespace v0_1
}  // namespace haigha
