#include "client/cli/plot.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace modelpatch::client {
namespace {

struct Glyphs {
  std::vector<const char*> series;
  const char* vertical;
  const char* tick_left;
  const char* corner;
  const char* horizontal;
  const char* tick_below;
  const char* marker;
  const char* alpha;
};

const Glyphs& GlyphsFor(bool unicode) {
  static const Glyphs kUnicode = {{"●", "○", "▲", "△", "■", "□"}, "│", "┤", "└", "─", "┬", "┊", "α"};
  static const Glyphs kAscii = {{"*", "o", "x", "+", "#", "@"}, "|", "+", "+", "-", "+", ":", "alpha"};
  return unicode ? kUnicode : kAscii;
}

bool IsDrawable(const PlotPoint& point) {
  return std::isfinite(point.x) && std::isfinite(point.y) && point.x >= 0 && point.x <= 1 && point.y >= 0 &&
         point.y <= 1;
}

// The value at `x` on the line through the points.
std::optional<double> ValueAt(const std::vector<PlotPoint>& points, double x) {
  if (points.empty() || x < points.front().x - 1e-9 || x > points.back().x + 1e-9) return std::nullopt;
  for (size_t i = 1; i < points.size(); ++i) {
    if (x > points[i].x + 1e-9) continue;
    const double span = points[i].x - points[i - 1].x;
    const double share = span > 0 ? std::clamp((x - points[i - 1].x) / span, 0.0, 1.0) : 0.0;
    return points[i - 1].y + share * (points[i].y - points[i - 1].y);
  }
  return points.back().y;
}

class Canvas {
 public:
  Canvas(int width, int height)
      : width_(width), cells_(static_cast<size_t>(width) * static_cast<size_t>(height), " ") {}
  void Set(int column, int row, const char* glyph) { cells_[Index(column, row)] = glyph; }
  std::string Row(int row) const {
    std::string line;
    for (int column = 0; column < width_; ++column) line += cells_[Index(column, row)];
    return line.erase(line.find_last_not_of(' ') + 1);
  }

 private:
  size_t Index(int column, int row) const {
    return static_cast<size_t>(row) * static_cast<size_t>(width_) + static_cast<size_t>(column);
  }

  const int width_;
  std::vector<std::string> cells_;
};

std::string HorizontalAxis(const Glyphs& glyphs, int width) {
  std::string axis;
  std::string labels;
  constexpr int kTicks = 4;
  int tick = 0;
  for (int column = 0; column < width; ++column) {
    if (tick <= kTicks && column == static_cast<int>(std::lround(static_cast<double>(tick * (width - 1)) / kTicks))) {
      axis += glyphs.tick_below;
      const std::string label = absl::StrFormat("%g", static_cast<double>(tick) / kTicks);
      const int start = std::max(0, column - static_cast<int>(label.size()) / 2);
      labels.resize(std::max(labels.size(), static_cast<size_t>(start)), ' ');
      labels += label;
      ++tick;
    } else {
      axis += glyphs.horizontal;
    }
  }
  return absl::StrCat("      ", glyphs.corner, axis, "\n       ", labels, "  ", glyphs.alpha, "\n");
}

}  // namespace

std::string RenderPlot(const std::vector<PlotSeries>& series, const PlotOptions& options) {
  const int width = std::clamp(options.width, 9, 400);
  const int height = std::clamp(options.height, 3, 200);
  const Glyphs& glyphs = GlyphsFor(options.unicode);

  std::vector<PlotSeries> drawable = series;
  double low = 1;
  double high = 0;
  for (PlotSeries& one : drawable) {
    std::erase_if(one.points, [](const PlotPoint& point) { return !IsDrawable(point); });
    for (const PlotPoint& point : one.points) {
      low = std::min(low, point.y);
      high = std::max(high, point.y);
    }
  }
  if (low > high) return "";
  low = std::floor(low * 10 + 1e-9) / 10;
  high = std::max(std::ceil(high * 10 - 1e-9) / 10, low + 0.1);

  const auto row_of = [&](double y) { return static_cast<int>(std::lround((high - y) / (high - low) * (height - 1))); };
  Canvas canvas(width, height);
  if (options.marker.has_value() && *options.marker >= 0 && *options.marker <= 1) {
    const int column = static_cast<int>(std::lround(*options.marker * (width - 1)));
    for (int row = 0; row < height; ++row) canvas.Set(column, row, glyphs.marker);
  }
  for (size_t s = drawable.size(); s-- > 0;) {
    for (int column = 0; column < width; ++column) {
      const auto y = ValueAt(drawable[s].points, static_cast<double>(column) / (width - 1));
      if (y.has_value()) canvas.Set(column, row_of(*y), glyphs.series[s % glyphs.series.size()]);
    }
  }

  std::string text;
  const int tick_every = std::max(1, (height - 1) / 4);
  for (int row = 0; row < height; ++row) {
    const bool tick = row % tick_every == 0 || row == height - 1;
    const double value = high - (high - low) * row / (height - 1);
    const std::string label = tick ? absl::StrFormat("%4.0f%% ", value * 100) : std::string(6, ' ');
    absl::StrAppend(&text, label, tick ? glyphs.tick_left : glyphs.vertical, canvas.Row(row), "\n");
  }
  text += HorizontalAxis(glyphs, width);
  std::string legend;
  for (size_t s = 0; s < drawable.size(); ++s) {
    absl::StrAppend(&legend, legend.empty() ? "" : "   ", glyphs.series[s % glyphs.series.size()], " ",
                    drawable[s].name);
  }
  if (options.marker.has_value() && !options.marker_name.empty()) {
    absl::StrAppend(&legend, "   ", glyphs.marker, " ", options.marker_name);
  }
  return absl::StrCat(text, "       ", legend, "\n");
}

}  // namespace modelpatch::client
