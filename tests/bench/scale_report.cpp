#include "scale_report.h"

#include <cstdio>

namespace bench {

void ScaleReport::print_heading() const {
    std::printf("%-8s  %-66s  %10s  %-8s  %6s  %s\n", "table", "what", "value", "unit", "ratio",
                "goal");
}

void ScaleReport::add(const ScaleRow& row) {
    char ratio[32] = "";
    if (row.ratio) std::snprintf(ratio, sizeof ratio, "%.3f", *row.ratio);
    std::printf("%-8s  %-66s  %10.4g  %-8s  %6s  %s\n", row.table.c_str(), row.what.c_str(),
                row.value, row.unit.c_str(), ratio, row.goal.c_str());
    std::fflush(stdout);
    char json[640];
    std::snprintf(json, sizeof json,
                  "%s\n  {\"table\": \"%s\", \"what\": \"%s\", \"value\": %.6g, \"unit\": \"%s\", "
                  "\"goal\": \"%s\", \"ratio\": %s}",
                  rows_.empty() ? "" : ",", row.table.c_str(), row.what.c_str(), row.value,
                  row.unit.c_str(), row.goal.c_str(), row.ratio ? ratio : "null");
    rows_ += json;
}

bool ScaleReport::write(const std::string& file) const {
    std::FILE* out = std::fopen(file.c_str(), "w");
    if (out == nullptr) return false;
    std::fprintf(out, "[%s\n]\n", rows_.c_str());
    return std::fclose(out) == 0;
}

}  // namespace bench
