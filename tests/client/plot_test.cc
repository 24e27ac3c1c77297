#include "client/cli/plot.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <sstream>

namespace modelpatch::client {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

PlotOptions Ascii() {
  PlotOptions options;
  options.width = 25;
  options.height = 6;
  options.unicode = false;
  return options;
}

TEST(PlotTest, DrawsALineFromCornerToCorner) {
  const std::string plot = RenderPlot({{"up", {{0, 0}, {1, 1}}}}, Ascii());
  const auto lines = Lines(plot);
  ASSERT_EQ(lines.size(), 9u);
  EXPECT_EQ(lines[0], " 100% +                      ***");
  EXPECT_EQ(lines[2].substr(0, 7), "  60% +");
  EXPECT_EQ(lines[5], "   0% +***");
  EXPECT_EQ(lines[6], "      ++-----+-----+-----+-----+");
  EXPECT_EQ(lines[7], "       0   0.25   0.5  0.75    1  alpha");
  EXPECT_EQ(lines[8], "       * up");
}

TEST(PlotTest, SpansTheValuesInRoundSteps) {
  const auto lines = Lines(RenderPlot({{"a", {{0, 0.82}, {1, 0.77}}}}, Ascii()));
  EXPECT_THAT(lines.front(), HasSubstr("85%"));
  EXPECT_THAT(lines[2], HasSubstr("80%"));
  EXPECT_THAT(lines[4], HasSubstr("75%"));
}

TEST(PlotTest, AFlatCurveStillHasAnAxis) {
  EXPECT_THAT(RenderPlot({{"a", {{0, 1}, {1, 1}}}}, Ascii()), AllOf(HasSubstr(" 100% +***"), HasSubstr("95%")));
  EXPECT_THAT(RenderPlot({{"a", {{0, 0}, {1, 0}}}}, Ascii()), AllOf(HasSubstr("   5% +"), HasSubstr("   0% +***")));
}

TEST(PlotTest, MarksTheChosenAlphaBehindTheCurves) {
  PlotOptions options = Ascii();
  options.marker = 0.5;
  options.marker_name = "chosen";
  const std::string plot = RenderPlot({{"a", {{0, 0.5}, {1, 0.5}}}, {"b", {{0, 0}, {1, 0}}}}, options);
  const auto lines = Lines(plot);
  // On top the curve, below it the marker in the middle column.
  EXPECT_EQ(lines[0], "  50% +" + std::string(25, '*'));
  EXPECT_EQ(lines[1].substr(7), std::string(12, ' ') + ":");
  EXPECT_EQ(lines[5], "   0% +" + std::string(25, 'o'));
  EXPECT_THAT(lines.back(), HasSubstr("* a   o b   : chosen"));
}

TEST(PlotTest, UnicodeAndAsciiDifferOnlyInGlyphs) {
  PlotOptions options;
  EXPECT_THAT(RenderPlot({{"a", {{0, 0.5}, {1, 0.5}}}}, options), HasSubstr("●"));
  options.unicode = false;
  for (const char c : RenderPlot({{"a", {{0, 0.5}, {1, 0.5}}}}, options))
    EXPECT_LT(static_cast<unsigned char>(c), 0x80);
}

TEST(PlotTest, LeavesOutWhatCannotBeDrawn) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(RenderPlot({{"a", {{0, nan}, {nan, 0.5}, {2, 0.5}, {0.5, -1}}}}, PlotOptions()), "");
  EXPECT_EQ(RenderPlot({}, PlotOptions()), "");
  EXPECT_THAT(RenderPlot({{"a", {{0.5, 0.5}}}}, Ascii()), Not(HasSubstr("nan")));
}

}  // namespace
}  // namespace modelpatch::client
