#include "client/report/bars.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/cli/text_format.h"
#include "client/report/plot_script.h"

namespace modelpatch::client::report {
namespace {

constexpr int kWidth = 780;
constexpr int kBarPixels = 15;
constexpr int kFramePixels = 110;
// From dark to light, so that greys tell them apart as well.
constexpr std::array<const char*, 4> kFills = {"#b9c4cc", "#0072B2", "#E69F00", "#e8e2d5"};
// Of the distance between two rows.
constexpr double kFilled = 0.78;

}  // namespace

std::string BarScript(const std::vector<std::string>& series, const std::vector<BarRow>& rows,
                      const std::string& axis_label) {
  const auto row_count = static_cast<int>(rows.size());
  const auto series_count = static_cast<int>(series.size());
  PlotScript script(kWidth, kFramePixels + row_count * (series_count * kBarPixels + 8));
  double most = 0;
  for (const BarRow& row : rows) {
    for (const Bar& bar : row.bars) most = std::max({most, std::isfinite(bar.value) ? bar.value : 0, bar.high});
  }
  // Room for the values at the ends of the bars.
  script.XAxis(axis_label, {0, std::max(1.0, most) * 1.1});
  script.Add("set border 1");
  script.Add("set tmargin 2.2");
  script.Add("set grid noytics xtics");
  script.Add("set key at screen 0.5,0.99 center top horizontal Left reverse samplen 1.5 maxrows 1");
  script.Add("set style fill solid 1 border lc rgb '#555555'");
  script.Add(absl::StrCat("set yrange [", row_count, ".5:0.5]"));
  std::string names;
  for (int r = 0; r < row_count; ++r) {
    absl::StrAppend(&names, r == 0 ? "" : ", ", QuotedTic(rows[static_cast<size_t>(r)].name, 52), " ", r + 1);
  }
  script.Add(absl::StrCat("set ytics scale 0 (", names, ")"));
  const double height = kFilled / series_count;
  for (int s = 0; s < series_count; ++s) {
    std::vector<std::vector<double>> bars;
    std::vector<std::vector<double>> whiskers;
    for (int r = 0; r < row_count; ++r) {
      const BarRow& row = rows[static_cast<size_t>(r)];
      if (static_cast<size_t>(s) >= row.bars.size()) continue;
      const Bar& bar = row.bars[static_cast<size_t>(s)];
      if (!std::isfinite(bar.value)) continue;
      const double y = r + 1 - kFilled / 2 + (s + 0.5) * height;
      bars.push_back({bar.value / 2, y, bar.value / 2, height / 2});
      if (bar.low < bar.high) whiskers.push_back({bar.value, y, bar.low, bar.high});
      script.Add(absl::StrCat("set label '", absl::StrFormat("%.1f", bar.value), "' at ",
                              ExactNumber(std::max(bar.value, bar.high)), ",", ExactNumber(y),
                              " left offset character 0.5,0 front font 'sans-serif,10' tc rgb '#333333'"));
    }
    if (bars.empty()) continue;
    script.AddCurve(absl::StrCat(script.AddData(bars), " using 1:2:3:4 with boxxyerror lc rgb '#555555' fc rgb '",
                                 kFills[static_cast<size_t>(s) % kFills.size()], "' title ",
                                 Quoted(series[static_cast<size_t>(s)])));
    if (whiskers.empty()) continue;
    script.AddCurve(
        absl::StrCat(script.AddData(whiskers), " using 1:2:3:4 with xerrorbars pt 0 lw 1.2 lc rgb '#222222' notitle"));
  }
  script.Plot();
  return script.text();
}

}  // namespace modelpatch::client::report
