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

// The vertical axis: from `high` downwards in `steps` steps.
struct Scale {
  double high = 1;
  double step = 0.2;
  int steps = 5;
  int rows_per_step = 1;

  int rows() const { return steps * rows_per_step + 1; }
};

// The finest of 5, 10 and 20 points a step that needs few of them; in at most `height` rows where that can be.
Scale ScaleFor(double low, double high, int height) {
  constexpr int kMaximumSteps = 6;
  Scale scale;
  for (const double step : {0.05, 0.1, 0.2}) {
    auto bottom = std::floor(low / step + 1e-9);
    auto top = std::ceil(high / step - 1e-9);
    if (top <= bottom) {
      // A flat curve on a round value: room above it, or below it at 100 %.
      if (high < 1 - 1e-9) {
        ++top;
      } else {
        --bottom;
      }
    }
    scale = {top * step, step, static_cast<int>(top - bottom), 1};
    if (scale.steps <= kMaximumSteps) break;
  }
  scale.rows_per_step = std::max(1, (height - 1) / scale.steps);
  return scale;
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
  const int width = std::clamp(options.width, 25, 400);
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
  const Scale scale = ScaleFor(low, high, height);
  const auto row_of = [&](double y) {
    return static_cast<int>(std::lround((scale.high - y) / scale.step * scale.rows_per_step));
  };
  const int rows = scale.rows();
  Canvas canvas(width, rows);
  if (options.marker.has_value() && *options.marker >= 0 && *options.marker <= 1) {
    const int column = static_cast<int>(std::lround(*options.marker * (width - 1)));
    for (int row = 0; row < rows; ++row) canvas.Set(column, row, glyphs.marker);
  }
  for (size_t s = drawable.size(); s-- > 0;) {
    for (int column = 0; column < width; ++column) {
      const auto y = ValueAt(drawable[s].points, static_cast<double>(column) / (width - 1));
      if (y.has_value()) canvas.Set(column, row_of(*y), glyphs.series[s % glyphs.series.size()]);
    }
  }

  std::string text;
  for (int row = 0; row < rows; ++row) {
    const bool tick = row % scale.rows_per_step == 0;
    const double value = scale.high - scale.step * row / scale.rows_per_step;
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
