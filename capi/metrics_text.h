// Prometheus' text exposition format, of what haigha_connection_statistics gives.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "boundary.h"
#include "haigha/statistics.h"

namespace haigha::capi {

// name="value",... in the order of the names, escaped; what is wrong with them is a fault.
std::string labels_text(Arguments& arguments, std::span<const haigha_label> labels);

// The statistics of several connections. Each metric stands once, with its values of all of them.
class MetricsText {
  public:
    // False when there are values with these labels.
    bool add(const haigha_statistics& statistics, std::string labels);
    // Until the next call.
    std::string_view write();

  private:
    struct Source {
        std::string labels;
        haigha_statistics statistics;
    };
    std::vector<Source> sources_;
    std::string text_;
};

}  // namespace haigha::capi
