#include "client/cli/progress_bar.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

namespace modelpatch::client {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

v1::StepProgress Progress(int step, int total, const std::string& id = "fine-tune") {
  v1::StepProgress progress;
  progress.set_step_id(id);
  progress.set_step(step);
  progress.set_total_steps(total);
  return progress;
}

TEST(ProgressTextTest, ShowsWhatIsKnown) {
  v1::StepProgress progress = Progress(50, 200);
  EXPECT_EQ(ProgressText(progress, false), "fine-tune ######..................  25%  50/200");
  progress.set_loss(0.5321);
  progress.set_images_per_second(312.4);
  progress.set_remaining_seconds(72);
  progress.set_validation_accuracy(0.5);
  EXPECT_THAT(ProgressText(progress, true), HasSubstr("loss 0.532  validation 50.0%  312 images/s  1:12 left"));
}

TEST(ProgressTextTest, SurvivesNonsense) {
  EXPECT_THAT(ProgressText(Progress(5, 0), false), HasSubstr("  0%"));
  EXPECT_THAT(ProgressText(Progress(300, 200), false), HasSubstr("100%"));
  EXPECT_THAT(ProgressText(Progress(2'000'000'000, 2'000'000'000), false), HasSubstr("100%"));
}

TEST(ProgressBarTest, AddsALineAtEachTenthWithoutATerminal) {
  std::ostringstream out;
  {
    ProgressBar bar(out, false, false);
    for (int step = 0; step <= 100; ++step) bar.Show(Progress(step, 100));
    bar.Show(Progress(0, 21, "search"));
  }
  const std::string text = out.str();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 12);
  EXPECT_EQ(text.find('\r'), std::string::npos);
}

TEST(ProgressBarTest, WritesOverOneLineOfATerminal) {
  std::ostringstream out;
  {
    ProgressBar bar(out, true, false);
    bar.Show(Progress(1, 100));
    bar.Show(Progress(2, 100));
  }
  const std::string text = out.str();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1);
  EXPECT_EQ(std::count(text.begin(), text.end(), '\r'), 2);
  EXPECT_EQ(text.back(), '\n');
  EXPECT_THAT(text, StartsWith("\r"));
}

}  // namespace
}  // namespace modelpatch::client
