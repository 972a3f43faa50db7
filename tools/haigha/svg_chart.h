// Line charts as one SVG file that needs nothing else, and can be read on a light and on a dark
// page.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace tool {

// A place on an axis, from 0 to 1, and what is written there.
struct ChartTick {
    double at;
    std::string label;
};

struct ChartLine {
    std::string name;
    int colour;  // 0 to 2
    // From 0 to 1 both, from the bottom left.
    std::vector<std::pair<double, double>> points;
};

struct Chart {
    std::string title;
    std::string x_title;
    std::string y_title;
    std::vector<ChartTick> x_ticks;
    std::vector<ChartTick> y_ticks;
    std::vector<ChartLine> lines;
};

// The charts below each other, under a heading and a smaller line.
std::string svg_of(const std::string& heading, const std::string& below,
                   const std::vector<Chart>& charts);

}  // namespace tool
