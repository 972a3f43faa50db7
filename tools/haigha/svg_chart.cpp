#include "svg_chart.h"

#include "terminal.h"

namespace tool {

namespace {

constexpr double width_px = 800;
constexpr double head_px = 64;
constexpr double chart_px = 300;  // with its titles
constexpr double left_px = 92;
constexpr double right_px = 24;
constexpr double plot_top_px = 34;
constexpr double plot_height_px = 206;
constexpr double plot_width_px = width_px - left_px - right_px;

// Lines are told apart by their dashes, too.
constexpr const char* style =
    "  text { font: 12px system-ui, sans-serif; fill: #3b424c }\n"
    "  .back { fill: #fff; stroke: #d0d7de }\n"
    "  .heading { font-size: 15px; font-weight: 600 }\n"
    "  .title { font-weight: 600 }\n"
    "  .grid { stroke: #d8dee4 }\n"
    "  .x { text-anchor: middle } .y { text-anchor: end }\n"
    "  .line { fill: none; stroke-width: 2; stroke-linejoin: round }\n"
    "  .c0 { stroke: #0b5cad } .c1 { stroke: #b35900 } .c2 { stroke: #1a7f4b }\n"
    "  .c1 { stroke-dasharray: 7 3 } .c2 { stroke-dasharray: 2 3 }\n"
    "  @media (prefers-color-scheme: dark) {\n"
    "    text { fill: #c3cbd4 }\n"
    "    .back { fill: #0d1117; stroke: #30363d }\n"
    "    .grid { stroke: #262c34 }\n"
    "    .c0 { stroke: #6cb6ff } .c1 { stroke: #f0a35e } .c2 { stroke: #56d394 }\n"
    "  }\n";

std::string px(double value) {
    return fixed(value, 1);
}

std::string escaped(const std::string& text) {
    std::string clean;
    for (const char c : text) {
        switch (c) {
            case '&':
                clean += "&amp;";
                break;
            case '<':
                clean += "&lt;";
                break;
            case '>':
                clean += "&gt;";
                break;
            default:
                // XML 1.0 has no place for them.
                clean += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
        }
    }
    return clean;
}

std::string text_at(double x, double y, const char* kind, const std::string& text,
                    const std::string& more = "") {
    return "<text class=\"" + std::string(kind) + "\" x=\"" + px(x) + "\" y=\"" + px(y) + "\"" +
           more + ">" + escaped(text) + "</text>\n";
}

std::string stroke(const char* kind, const std::string& path) {
    return "<path class=\"" + std::string(kind) + "\" d=\"" + path + "\"/>\n";
}

std::string axes_of(const Chart& chart, double top) {
    const double bottom = top + plot_height_px;
    std::string svg;
    for (const ChartTick& tick : chart.y_ticks) {
        const double y = bottom - tick.at * plot_height_px;
        svg += stroke("grid", "M" + px(left_px) + " " + px(y) + "h" + px(plot_width_px));
        svg += text_at(left_px - 8, y + 4, "y", tick.label);
    }
    for (const ChartTick& tick : chart.x_ticks) {
        const double x = left_px + tick.at * plot_width_px;
        svg += stroke("grid", "M" + px(x) + " " + px(top) + "v" + px(plot_height_px));
        svg += text_at(x, bottom + 17, "x", tick.label);
    }
    svg += text_at(left_px + plot_width_px / 2, bottom + 36, "x", chart.x_title);
    const double middle = top + plot_height_px / 2;
    svg +=
        text_at(18, middle, "x", chart.y_title, " transform=\"rotate(-90 18 " + px(middle) + ")\"");
    return svg;
}

std::string legend_of(const Chart& chart, double y) {
    std::string svg;
    double x = width_px - right_px;
    for (std::size_t i = chart.lines.size(); i > 0; --i) {
        const ChartLine& line = chart.lines[i - 1];
        // About as wide as the text is: nobody measures fonts here.
        x -= 7.0 * static_cast<double>(width(line.name)) + 8;
        svg += text_at(x, y, "legend", line.name);
        x -= 32;
        const std::string kind = "line c" + std::to_string(line.colour);
        svg += stroke(kind.c_str(), "M" + px(x) + " " + px(y - 4) + "h26");
        x -= 12;
    }
    return svg;
}

std::string lines_of(const Chart& chart, double top) {
    std::string svg;
    for (const ChartLine& line : chart.lines) {
        std::string path;
        for (const auto& [x, y] : line.points) {
            path += (path.empty() ? "M" : "L") + px(left_px + x * plot_width_px) + " " +
                    px(top + (1 - y) * plot_height_px);
        }
        const std::string kind = "line c" + std::to_string(line.colour);
        if (!path.empty()) svg += stroke(kind.c_str(), path);
    }
    return svg;
}

}  // namespace

std::string svg_of(const std::string& heading, const std::string& below,
                   const std::vector<Chart>& charts) {
    const double height = head_px + chart_px * static_cast<double>(charts.size());
    const std::string size = fixed(width_px, 0) + "\" height=\"" + fixed(height, 0);
    std::string svg = "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"" + size +
                      "\" viewBox=\"0 0 " + fixed(width_px, 0) + " " + fixed(height, 0) +
                      "\" role=\"img\">\n<title>" + escaped(heading) + "</title>\n<style>\n" +
                      style + "</style>\n";
    svg += "<rect class=\"back\" x=\"0.5\" y=\"0.5\" width=\"" + px(width_px - 1) + "\" height=\"" +
           px(height - 1) + "\" rx=\"6\"/>\n";
    svg += text_at(18, 28, "heading", heading);
    svg += text_at(18, 48, "below", below);
    double top = head_px;
    for (const Chart& chart : charts) {
        svg += text_at(left_px, top + 22, "title", chart.title);
        svg += legend_of(chart, top + 22);
        svg += axes_of(chart, top + plot_top_px);
        svg += lines_of(chart, top + plot_top_px);
        top += chart_px;
    }
    return svg + "</svg>\n";
}

}  // namespace tool
