// Curves over α, drawn with characters. Pure functions.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace modelpatch::client {

struct PlotPoint {
  // α, in [0, 1].
  double x = 0;
  // An accuracy, in [0, 1].
  double y = 0;
};

struct PlotSeries {
  std::string name;
  // In ascending order of x.
  std::vector<PlotPoint> points;
};

struct PlotOptions {
  // Of the area between the axes, in characters; the height is a bound, so that the axis can have round numbers.
  int width = 61;
  int height = 16;
  // Box-drawing characters; otherwise ASCII.
  bool unicode = true;
  // Drawn as a vertical line, such as the chosen α.
  std::optional<double> marker;
  std::string marker_name;
};

// Lines with a newline at each end: the plot with its axes (per cent over α) and a legend. The vertical axis spans the
// values, rounded outwards to 5, 10 or 20 points. Points outside [0, 1] or not finite are left out; "" if none is left.
std::string RenderPlot(const std::vector<PlotSeries>& series, const PlotOptions& options);

}  // namespace modelpatch::client
