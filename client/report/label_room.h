// LabelRoom: where labels of points fit into a plot without covering each other or other points. Not thread-safe.
#pragma once

#include <string>
#include <vector>

#include "client/report/plot_script.h"

namespace modelpatch::client::report {

class LabelRoom {
 public:
  LabelRoom(AxisRange x, AxisRange y, PlotArea area) : x_(x), y_(y), area_(area) {}

  // Labels keep off the marker of this point, in the axes' units.
  void Avoid(double x, double y);

  // gnuplot's command for `text` in `color` beside the point, above or below it; "" where there is
  // no room.
  std::string Label(const std::string& text, double x, double y, const std::string& color);

 private:
  struct Box {
    double left, bottom, right, top;
  };
  bool IsFree(const Box& box) const;
  double PixelX(double x) const { return (x - x_.low) / (x_.high - x_.low) * area_.width; }
  double PixelY(double y) const { return (y - y_.low) / (y_.high - y_.low) * area_.height; }

  const AxisRange x_;
  const AxisRange y_;
  const PlotArea area_;
  // In pixels from the lower left corner.
  std::vector<Box> taken_;
};

}  // namespace modelpatch::client::report
