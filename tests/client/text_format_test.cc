#include "client/cli/text_format.h"

#include <gtest/gtest.h>

#include <limits>

#include "client/cli/curve_text.h"
#include "client/cli/job_text.h"

namespace modelpatch::client {
namespace {

TEST(TextFormatTest, Numbers) {
  EXPECT_EQ(Percent(0.8312), "83.1%");
  EXPECT_EQ(Points(0.0312), "+3.1");
  EXPECT_EQ(Points(-0.005), "-0.5");
  EXPECT_EQ(Points(-0.0001), "0.0");
  EXPECT_EQ(Number(0.35), "0.35");
  EXPECT_EQ(Number(1), "1");
}

TEST(TextFormatTest, SizesAndTimes) {
  EXPECT_EQ(Bytes(999), "999 B");
  EXPECT_EQ(Bytes(1500), "1.5 kB");
  EXPECT_EQ(Bytes(3'400'000'000), "3.4 GB");
  EXPECT_EQ(Duration(62), "1:02");
  EXPECT_EQ(Duration(3662), "1:01:02");
  EXPECT_EQ(Duration(-1), "?");
  EXPECT_EQ(Duration(std::numeric_limits<double>::infinity()), "?");
  google::protobuf::Timestamp time;
  EXPECT_EQ(Time(time), "");
  time.set_seconds(1'700'000'000);
  EXPECT_EQ(Time(time), "2023-11-14 22:13:20Z");
}

TEST(TextFormatTest, EnumsLoseTheirPrefix) {
  EXPECT_EQ(StateName(v1::PATCH_JOB_STATE_SUCCEEDED), "SUCCEEDED");
  EXPECT_EQ(RoleName(v1::TASK_ROLE_PATCHING), "patching");
  EXPECT_EQ(FormatName(v1::TASK_FORMAT_IMAGE_FOLDER), "image-folder");
  EXPECT_EQ(FormatName(v1::TASK_FORMAT_JSON_LINES), "json-lines");
  // One of a newer server.
  EXPECT_EQ(StateName(static_cast<v1::PatchJobState>(99)), "99");
}

v1::SweepPoint Point(double alpha, double patching, double supported) {
  v1::SweepPoint point;
  point.set_alpha(alpha);
  v1::TaskAccuracy& first = *point.add_accuracies();
  first.set_task("tasks/digits");
  first.set_role(v1::TASK_ROLE_PATCHING);
  first.set_accuracy(patching);
  v1::TaskAccuracy& second = *point.add_accuracies();
  second.set_task("tasks/shapes");
  second.set_role(v1::TASK_ROLE_SUPPORTED);
  second.set_accuracy(supported);
  return point;
}

TEST(CurveTextTest, TableMarksTheChosenAlpha) {
  EXPECT_EQ(CurveTable({Point(0, 0.2, 0.9), Point(0.5, 0.7, 0.9), Point(1, 0.8, 0.5)}, 0.5),
            "  α  digits (patching)  shapes (supported)   mean\n"
            "  0              20.0%               90.0%  55.0%\n"
            "0.5              70.0%               90.0%  80.0%  * chosen\n"
            "  1              80.0%               50.0%  65.0%\n");
  EXPECT_EQ(CurveTable({}, 0.5), "");
}

TEST(CurveTextTest, TheMeanWeighsRolesAndNotTasks) {
  v1::SweepPoint point = Point(0, 1.0, 0.4);
  v1::TaskAccuracy& third = *point.add_accuracies();
  third.set_role(v1::TASK_ROLE_SUPPORTED);
  third.set_accuracy(0.6);
  EXPECT_DOUBLE_EQ(MeanAccuracy(point), 0.75);
  EXPECT_DOUBLE_EQ(MeanAccuracy(v1::SweepPoint()), 0);
}

TEST(JobTextTest, OutcomeIsTheJobs) {
  v1::PatchJob job;
  job.set_state(v1::PATCH_JOB_STATE_SUCCEEDED);
  EXPECT_TRUE(OutcomeOf(job).ok());
  job.set_state(v1::PATCH_JOB_STATE_CANCELLED);
  EXPECT_TRUE(absl::IsCancelled(OutcomeOf(job)));
  job.set_state(v1::PATCH_JOB_STATE_FAILED);
  EXPECT_FALSE(OutcomeOf(job).ok());
  job.mutable_error()->set_code(10);
  job.mutable_error()->set_message("killed by signal 9");
  EXPECT_TRUE(absl::IsAborted(OutcomeOf(job)));
  job.set_state(v1::PATCH_JOB_STATE_RUNNING);
  EXPECT_FALSE(OutcomeOf(job).ok());
}

TEST(JobTextTest, EventsAreLines) {
  v1::PatchJobEvent event;
  event.mutable_state_change()->set_state(v1::PATCH_JOB_STATE_RUNNING);
  EXPECT_EQ(EventText(event), "job RUNNING\n");
  event.mutable_state_change()->set_step_id("search");
  event.mutable_state_change()->set_step_state(v1::STEP_STATE_FAILED);
  event.mutable_state_change()->set_message("out of memory");
  EXPECT_EQ(EventText(event), "step search FAILED: out of memory\n");
  *event.mutable_point() = Point(0.5, 0.7, 0.9);
  EXPECT_EQ(EventText(event), "α 0.5  digits 70.0%  shapes 90.0%\n");
  event.mutable_progress()->set_step(1);
  EXPECT_EQ(EventText(event), "");
}

}  // namespace
}  // namespace modelpatch::client
