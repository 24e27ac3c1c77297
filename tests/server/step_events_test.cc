#include "server/step_events.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

namespace modelpatch::server {
namespace {

const std::vector<std::string> kSteps = {"fine-tune", "search"};

std::string CheckpointOfBlob(const std::string& blob) { return "checkpoints/of-" + blob; }

sched::Event MakeEvent(const char* type, std::string data, int step = -1) {
  sched::Event event;
  event.number = 7;
  event.time = "2026-01-02T03:04:05.678901Z";
  event.type = type;
  event.data = std::move(data);
  event.step = step;
  return event;
}

TEST(StepEventsTest, ProgressSurvivesTheLog) {
  const train::TrainingProgress progress{3, 10, 0.5, 1e-5, 2.5, 100, 7, 0.25};
  JobEventConverter converter("models/m", CheckpointOfBlob, kSteps);
  const v1::PatchJobEvent event = converter.Convert(MakeEvent(sched::kProgressEvent, ToEventData(progress), 0));
  EXPECT_EQ(event.number(), 7);
  EXPECT_EQ(event.time().seconds(), 1767323045);
  EXPECT_EQ(event.progress().step_id(), "fine-tune");
  EXPECT_EQ(event.progress().step(), 3);
  EXPECT_EQ(event.progress().total_steps(), 10);
  EXPECT_EQ(event.progress().loss(), 0.5);
  EXPECT_EQ(event.progress().validation_accuracy(), 0.25);
}

TEST(StepEventsTest, ALossThatIsNotANumberIsAbsent) {
  const train::TrainingProgress progress{1, 10, std::nan(""), 1e-5, HUGE_VAL, 100, 7, std::nullopt};
  const auto message = ToStepProgress(MakeEvent(sched::kProgressEvent, ToEventData(progress), 0), kSteps);
  ASSERT_TRUE(message.has_value());
  EXPECT_FALSE(message->has_loss());
  EXPECT_FALSE(message->has_gradient_norm());
  EXPECT_FALSE(message->has_validation_accuracy());
}

TEST(StepEventsTest, APointNamesTheMixture) {
  const train::CurvePoint point{
      0.25, {{"b", 0.25}}, {{"digits", patch::TaskRole::kPatching, data::Split::kValidation, 3, 4}}};
  JobEventConverter converter("models/m", CheckpointOfBlob, kSteps);
  const v1::PatchJobEvent event = converter.Convert(MakeEvent(sched::kResultEvent, ToEventData(point), 1));
  EXPECT_EQ(event.point().alpha(), 0.25);
  EXPECT_EQ(event.point().mixture().model(), "models/m");
  EXPECT_EQ(event.point().mixture().terms(0).checkpoint(), "checkpoints/of-b");
  EXPECT_EQ(event.point().mixture().terms(0).coefficient(), 0.25);
  ASSERT_EQ(event.point().accuracies_size(), 1);
  EXPECT_EQ(event.point().accuracies(0).task(), "tasks/digits");
  EXPECT_EQ(event.point().accuracies(0).role(), v1::TASK_ROLE_PATCHING);
  EXPECT_EQ(event.point().accuracies(0).split(), v1::SPLIT_VALIDATION);
  EXPECT_EQ(event.point().accuracies(0).accuracy(), 0.75);
}

TEST(StepEventsTest, AStepsChangeCarriesTheJobsState) {
  JobEventConverter converter("models/m", CheckpointOfBlob, kSteps);
  converter.Convert(MakeEvent(sched::kJobStateEvent, R"({"state":"RUNNING"})"));
  const v1::PatchJobEvent event = converter.Convert(
      MakeEvent(sched::kStepStateEvent, R"({"name":"fine-tune","state":"FAILED","error":{"message":"why"}})", 0));
  EXPECT_EQ(event.state_change().state(), v1::PATCH_JOB_STATE_RUNNING);
  EXPECT_EQ(event.state_change().step_id(), "fine-tune");
  EXPECT_EQ(event.state_change().step_state(), v1::STEP_STATE_FAILED);
  EXPECT_EQ(event.state_change().message(), "why");
}

TEST(StepEventsTest, UnknownAndDamagedEventsBecomeLogLines) {
  JobEventConverter converter("models/m", CheckpointOfBlob, kSteps);
  EXPECT_EQ(converter.Convert(MakeEvent("from_the_future", "{}")).log().message(), "from_the_future");
  EXPECT_TRUE(converter.Convert(MakeEvent(sched::kProgressEvent, "[]")).has_log());
  EXPECT_EQ(converter.Convert(MakeEvent(sched::kLogEvent, ToLogData("warning", "w"))).log().severity(), "warning");
}

}  // namespace
}  // namespace modelpatch::server
