#include "server/job_graph.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <variant>

#include "server/job_checkpoints.h"
#include "tests/support/status_matchers.h"

namespace modelpatch::server {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

JobGraphInput InputFor(v1::Strategy strategy, std::vector<std::string> tasks) {
  JobGraphInput input;
  input.job_id = "j";
  input.job_directory = "/jobs/j";
  input.strategy = strategy;
  for (const std::string& task : tasks) input.patching_tasks.push_back({task, {}});
  input.search.supported_tasks = {{"supported", {}}};
  input.search.alphas = {0, 1};
  input.fine_tune.options.snapshot_interval_steps = 500;
  input.fine_tune.options.ema_decay = 0.9;
  return input;
}

std::vector<std::string> NamesOf(const std::vector<store::StepRecord>& steps) {
  std::vector<std::string> names;
  for (const store::StepRecord& step : steps) names.push_back(step.name);
  return names;
}

const store::StepRecord& Named(const std::vector<store::StepRecord>& steps, const std::string& name) {
  return *std::find_if(steps.begin(), steps.end(), [&](const auto& step) { return step.name == name; });
}

template <typename Work>
Work WorkOf(const store::StepRecord& step) {
  return std::get<Work>(train::StepSpecFromJson(step.spec)->work);
}

std::vector<std::string> TasksOf(const std::vector<train::NamedTask>& tasks) {
  std::vector<std::string> names;
  for (const train::NamedTask& task : tasks) names.push_back(task.name);
  return names;
}

// The names of the steps that a step waits for.
std::vector<std::string> Before(const std::vector<store::StepRecord>& steps, const std::string& name) {
  std::vector<std::string> names;
  for (const int index : Named(steps, name).depends_on) names.push_back(steps[static_cast<size_t>(index)].name);
  return names;
}

class JobGraphTest : public ::testing::TestWithParam<v1::Strategy> {};

TEST_P(JobGraphTest, EveryStepComesAfterWhatItNeeds) {
  for (const bool with_comparisons : {true, false}) {
    JobGraphInput input = InputFor(GetParam(), {"a", "b", "c"});
    input.with_comparisons = with_comparisons;
    const std::vector<store::StepRecord> steps = PlanSteps(input);
    for (size_t i = 0; i < steps.size(); ++i) {
      EXPECT_EQ(steps[i].index, static_cast<int>(i));
      EXPECT_EQ(steps[i].state == store::StepState::kQueued, steps[i].depends_on.empty());
      for (const int dependency : steps[i].depends_on) EXPECT_LT(dependency, steps[i].index);
    }
    EXPECT_TRUE(IsSearchStep(steps.back().name));
    const auto last = WorkOf<train::SearchSpec>(steps.back());
    EXPECT_TRUE(last.comparison.has_value());
    EXPECT_THAT(TasksOf(last.patching_tasks), ElementsAre("a", "b", "c"));
    EXPECT_EQ(steps.back().depends_on.size(), steps.size() - 1);
  }
}

INSTANTIATE_TEST_SUITE_P(Strategies, JobGraphTest,
                         ::testing::Values(v1::STRATEGY_JOINT, v1::STRATEGY_SEQUENTIAL, v1::STRATEGY_PARALLEL));

TEST(JobGraphTest, OneTaskIsTwoSteps) {
  const auto steps = PlanSteps(InputFor(v1::STRATEGY_SINGLE, {"a"}));
  EXPECT_THAT(NamesOf(steps), ElementsAre("fine-tune", "search"));
  EXPECT_THAT(WorkOf<train::SearchSpec>(steps[1]).fine_tune_directories, ElementsAre("/jobs/j/0-fine-tune"));
}

TEST(JobGraphTest, JointTrainsOnAllTasksAtOnceAndEachBeside) {
  const auto steps = PlanSteps(InputFor(v1::STRATEGY_JOINT, {"a", "b"}));
  EXPECT_THAT(NamesOf(steps), ElementsAre("fine-tune", "specialised-1", "specialised-2", "search"));
  EXPECT_THAT(TasksOf(WorkOf<train::FineTuneSpec>(steps[0]).tasks), ElementsAre("a", "b"));
  EXPECT_THAT(TasksOf(WorkOf<train::FineTuneSpec>(steps[2]).tasks), ElementsAre("b"));
  EXPECT_THAT(WorkOf<train::SearchSpec>(steps[3]).comparison->specialised_directories,
              ElementsAre("/jobs/j/1-specialised-1", "/jobs/j/2-specialised-2"));
  // What stands beside is a model, and its way there is of no interest.
  EXPECT_EQ(WorkOf<train::FineTuneSpec>(steps[0]).options.snapshot_interval_steps, 500);
  EXPECT_EQ(WorkOf<train::FineTuneSpec>(steps[1]).options.snapshot_interval_steps, 0);
  EXPECT_EQ(WorkOf<train::FineTuneSpec>(steps[1]).options.ema_decay, 0);
}

TEST(JobGraphTest, ASequenceGoesOnFromWhatWasPatchedSoFar) {
  const auto steps = PlanSteps(InputFor(v1::STRATEGY_SEQUENTIAL, {"a", "b", "c"}));
  EXPECT_THAT(NamesOf(steps),
              ElementsAre("fine-tune-1", "search-1", "fine-tune-2", "uninterpolated-2", "search-2", "fine-tune-3",
                          "uninterpolated-3", "specialised-2", "specialised-3", "search-3"));
  EXPECT_THAT(Before(steps, "fine-tune-2"), ElementsAre("search-1"));
  EXPECT_THAT(Before(steps, "uninterpolated-2"), ElementsAre("fine-tune-1"));
  EXPECT_THAT(Before(steps, "uninterpolated-3"), ElementsAre("uninterpolated-2"));
  EXPECT_THAT(Before(steps, "specialised-2"), IsEmpty());
  EXPECT_EQ(WorkOf<train::FineTuneSpec>(Named(steps, "fine-tune-3")).start_directory, "/jobs/j/4-search-2");
  const auto second = WorkOf<train::SearchSpec>(Named(steps, "search-2"));
  EXPECT_EQ(second.start_directory, "/jobs/j/1-search-1");
  EXPECT_THAT(TasksOf(second.patching_tasks), ElementsAre("a", "b"));
  EXPECT_FALSE(second.comparison.has_value());
  const auto last = WorkOf<train::SearchSpec>(steps.back());
  EXPECT_THAT(last.comparison->specialised_directories,
              ElementsAre("/jobs/j/0-fine-tune-1", "/jobs/j/7-specialised-2", "/jobs/j/8-specialised-3"));
  EXPECT_THAT(last.comparison->patched_so_far_directories, ElementsAre("/jobs/j/1-search-1", "/jobs/j/4-search-2"));
  EXPECT_THAT(last.comparison->fine_tuned_so_far_directories,
              ElementsAre("/jobs/j/0-fine-tune-1", "/jobs/j/3-uninterpolated-2", "/jobs/j/6-uninterpolated-3"));
}

TEST(JobGraphTest, ParallelFineTuningsWaitForNothing) {
  const auto steps = PlanSteps(InputFor(v1::STRATEGY_PARALLEL, {"a", "b"}));
  EXPECT_THAT(NamesOf(steps), ElementsAre("fine-tune-1", "fine-tune-2", "search"));
  EXPECT_THAT(Before(steps, "fine-tune-2"), IsEmpty());
  EXPECT_THAT(Before(steps, "search"), ElementsAre("fine-tune-1", "fine-tune-2"));
}

TEST(JobCheckpointsTest, StepsNameTheirCheckpoints) {
  EXPECT_EQ(CheckpointIdOf("j", "fine-tune"), "j");
  EXPECT_EQ(CheckpointIdOf("j", "fine-tune-2"), "j-2");
  EXPECT_EQ(CheckpointIdOf("j", "uninterpolated-3"), "j-uninterpolated-3");
  JobGraphInput input = InputFor(v1::STRATEGY_JOINT, {"a", "b"});
  ASSERT_OK_AND_ASSIGN(const std::vector<std::string> ids, PlannedCheckpointIds(PlanSteps(input)));
  EXPECT_THAT(
      ids, ElementsAre("j", "j-ema", "j-step-500", "j-step-1000", "j-step-1500", "j-specialised-1", "j-specialised-2"));
}

TEST(JobCheckpointsTest, AMixtureOfBlobsIsNamedByTheirCheckpoints) {
  ASSERT_OK_AND_ASSIGN(const v1::Mixture mixture, NamedMixture("models/m", {{"x", 0.25}}, {{"x", "checkpoints/j-1"}}));
  EXPECT_EQ(mixture.model(), "models/m");
  EXPECT_EQ(mixture.terms(0).checkpoint(), "checkpoints/j-1");
  EXPECT_THAT(NamedMixture("models/m", {{"y", 1}}, {{"x", "checkpoints/j-1"}}),
              testing::FailsWith(absl::StatusCode::kDataLoss, "METADATA_CORRUPT"));
}

}  // namespace
}  // namespace modelpatch::server
