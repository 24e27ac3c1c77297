// PlotScript: the commands that make gnuplot draw one figure, in the style of the report. Text from outside goes in
// through Quoted() alone. Not thread-safe.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace modelpatch::client::report {

// In pixels.
struct PlotArea {
  int width = 0;
  int height = 0;
};

// What an axis shows, in its unit.
struct AxisRange {
  double low = 0;
  double high = 1;
};

// Around percentages with a margin, at least 2 points wide and within [0, 100].
AxisRange PercentRange(const std::vector<double>& values);

// Around any values with a margin.
AxisRange ValueRange(const std::vector<double>& values);

// A string of gnuplot's that stands for `text`, shortened in its middle to `most` characters: single quotes, in which
// nothing is expanded or run. Control characters and bytes that are no UTF-8 become '?'.
std::string Quoted(std::string_view text, size_t most = 40);

// The same for the label of a tic, where gnuplot looks for formats.
std::string QuotedTic(std::string_view text, size_t most = 40);

// How a series is drawn, told apart without colour too: a colour, a marker and a dash of its own for each `index`, such
// as "lc rgb '#0072B2' pt 7 ps 0.6 dt 1 lw 2".
std::string SeriesStyle(size_t index);

// The same without the marker, and without the line.
std::string LineStyle(size_t index);
std::string MarkerStyle(size_t index, double size);
std::string SeriesColor(size_t index);

class PlotScript {
 public:
  // Of so many pixels.
  PlotScript(int width, int height);

  // A line of gnuplot's language.
  void Add(std::string_view line);

  // Fixes where the plot is, with so many pixels to its right for the legend; without it gnuplot finds room by itself.
  PlotArea SetArea(int legend_pixels);

  // "set xlabel …" and so on, with a range.
  void XAxis(std::string_view label, AxisRange range);
  void YAxis(std::string_view label, AxisRange range);

  // Rows of numbers; the name to plot them by. One that is not finite is a gap.
  std::string AddData(const std::vector<std::vector<double>>& rows);

  // What the next Plot() draws, such as "$data1 using 1:2 with lines title 'x'".
  void AddCurve(std::string curve);

  // Draws the curves that were added. Does nothing without any.
  void Plot();

  const std::string& text() const { return text_; }

 private:
  const int width_;
  const int height_;
  std::string text_;
  std::vector<std::string> curves_;
  int data_count_ = 0;
};

}  // namespace modelpatch::client::report
