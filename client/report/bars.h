// Horizontal bars, grouped by rows: names stay readable however long they are. Pure functions.
#pragma once

#include <string>
#include <vector>

namespace modelpatch::client::report {

struct Bar {
  // In per cent; one that is not finite is left out.
  double value = 0;
  // The ends of a whisker, where there is one: low < high.
  double low = 0;
  double high = 0;
};

struct BarRow {
  std::string name;
  // One for each series.
  std::vector<Bar> bars;
};

// gnuplot's script for at most four series, each bar with its value at its end.
std::string BarScript(const std::vector<std::string>& series, const std::vector<BarRow>& rows,
                      const std::string& axis_label);

}  // namespace modelpatch::client::report
