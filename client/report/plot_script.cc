#include "client/report/plot_script.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "client/cli/table.h"
#include "client/cli/text_format.h"

namespace modelpatch::client::report {
namespace {

// Okabe and Ito 2008, "Color universal design": told apart with every kind of colour vision; the yellow is too light
// for lines on white.
constexpr std::array<const char*, 7> kColors = {"#0072B2", "#D55E00", "#009E73", "#CC79A7",
                                                "#56B4E9", "#000000", "#B8860B"};
// Circle, square, triangle, diamond, filled; then open.
constexpr std::array<int, 8> kMarkers = {7, 5, 9, 13, 6, 4, 8, 12};
constexpr std::array<const char*, 4> kDashes = {"1", "(14,5)", "(3,4)", "(14,4,3,4)"};

double Least(const std::vector<double>& values, double otherwise) {
  double least = std::numeric_limits<double>::infinity();
  for (const double value : values) {
    if (std::isfinite(value)) least = std::min(least, value);
  }
  return std::isfinite(least) ? least : otherwise;
}

double Most(const std::vector<double>& values, double otherwise) {
  double most = -std::numeric_limits<double>::infinity();
  for (const double value : values) {
    if (std::isfinite(value)) most = std::max(most, value);
  }
  return std::isfinite(most) ? most : otherwise;
}

// The bytes of the character that begins at `at`, which is valid UTF-8.
size_t CharacterBytes(const std::string& text, size_t at) {
  const auto lead = static_cast<unsigned char>(text[at]);
  return lead < 0x80 ? 1 : lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
}

std::string Shortened(const std::string& text, size_t most) {
  std::vector<std::string> characters;
  for (size_t at = 0; at < text.size();) {
    const size_t bytes = CharacterBytes(text, at);
    characters.push_back(text.substr(at, bytes));
    at += bytes;
  }
  if (characters.size() <= most || most < 3) return text;
  const size_t tail = (most - 1) / 2;
  const size_t head = most - 1 - tail;
  std::string result;
  for (size_t i = 0; i < head; ++i) result += characters[i];
  result += "…";
  for (size_t i = characters.size() - tail; i < characters.size(); ++i) result += characters[i];
  return result;
}

std::string RangeText(AxisRange range) {
  return absl::StrCat("[", ExactNumber(range.low), ":", ExactNumber(range.high), "]");
}

}  // namespace

AxisRange ValueRange(const std::vector<double>& values) {
  const double low = Least(values, 0);
  const double high = Most(values, 1);
  const double span = high > low ? high - low : std::max(1e-6, std::abs(high));
  return {low - 0.06 * span, high + 0.06 * span};
}

AxisRange PercentRange(const std::vector<double>& values) {
  double low = Least(values, 0);
  double high = Most(values, 100);
  const double missing = std::max(0.0, 2 - (high - low));
  low -= missing / 2;
  high += missing / 2;
  const double margin = 0.06 * (high - low);
  return {std::max(0.0, low - margin), std::min(100.0, high + margin)};
}

std::string Quoted(std::string_view text, size_t most) {
  return absl::StrCat("'", absl::StrReplaceAll(Shortened(Printable(text), most), {{"'", "''"}}), "'");
}

std::string QuotedTic(std::string_view text, size_t most) {
  return absl::StrReplaceAll(Quoted(text, most), {{"%", "%%"}});
}

std::string LineStyle(size_t index) {
  return absl::StrCat("lc rgb '", kColors[index % kColors.size()], "' dt ", kDashes[index % kDashes.size()], " lw 1.8");
}

std::string SeriesColor(size_t index) { return kColors[index % kColors.size()]; }

std::string MarkerStyle(size_t index, double size) {
  return absl::StrCat("lc rgb '", SeriesColor(index), "' pt ", kMarkers[index % kMarkers.size()], " ps ", size);
}

std::string SeriesStyle(size_t index) {
  return absl::StrCat(LineStyle(index), " pt ", kMarkers[index % kMarkers.size()], " ps 0.6");
}

PlotScript::PlotScript(int width, int height) : width_(width), height_(height) {
  Add("set encoding utf8");
  // Without "enhanced", text is text: no markup in names.
  Add(absl::StrFormat("set terminal svg size %d,%d font 'sans-serif,13' noenhanced background '#ffffff'", width,
                      height));
  Add("set border 3 lw 1 lc rgb '#555555'");
  Add("set tics nomirror out scale 0.6 tc rgb '#333333'");
  Add("set format '%g'");
  Add("set grid back lc rgb '#e4e4e4' lw 1 dt 1");
  Add("set key outside right top vertical Left reverse samplen 2.5 spacing 1.25");
  Add("set datafile missing 'NaN'");
}

void PlotScript::Add(std::string_view line) {
  text_ += line;
  text_ += "\n";
}

PlotArea PlotScript::SetArea(int legend_pixels) {
  constexpr int kLeft = 82;
  constexpr int kBottom = 68;
  constexpr int kTop = 16;
  const auto across = [this](double pixels) { return absl::StrFormat("%.4f", pixels / width_); };
  const auto up = [this](double pixels) { return absl::StrFormat("%.4f", pixels / height_); };
  const int right = width_ - legend_pixels;
  Add(absl::StrCat("set lmargin at screen ", across(kLeft), "\nset rmargin at screen ", across(right)));
  Add(absl::StrCat("set bmargin at screen ", up(kBottom), "\nset tmargin at screen ", up(height_ - kTop)));
  Add(absl::StrCat("set key at screen ", across(right + 14), ",", up(height_ - kTop),
                   " left top vertical Left reverse samplen 2.5 spacing 1.25"));
  return {right - kLeft, height_ - kBottom - kTop};
}

void PlotScript::XAxis(std::string_view label, AxisRange range) {
  Add(absl::StrCat("set xlabel ", Quoted(label, 80), "\nset xrange ", RangeText(range)));
}

void PlotScript::YAxis(std::string_view label, AxisRange range) {
  Add(absl::StrCat("set ylabel ", Quoted(label, 80), "\nset yrange ", RangeText(range)));
}

std::string PlotScript::AddData(const std::vector<std::vector<double>>& rows) {
  const std::string name = absl::StrCat("$data", ++data_count_);
  Add(absl::StrCat(name, " << end_of_data"));
  for (const std::vector<double>& row : rows) {
    Add(absl::StrJoin(row, " ", [](std::string* out, double value) {
      out->append(std::isfinite(value) ? ExactNumber(value) : "NaN");
    }));
  }
  Add("end_of_data");
  return name;
}

void PlotScript::AddCurve(std::string curve) { curves_.push_back(std::move(curve)); }

void PlotScript::Plot() {
  if (!curves_.empty()) Add(absl::StrCat("plot ", absl::StrJoin(curves_, ", \\\n  ")));
  curves_.clear();
}

}  // namespace modelpatch::client::report
