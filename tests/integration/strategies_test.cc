// Jobs of several tasks, through a real server: what each strategy makes, says and leaves.

#include <algorithm>
#include <csignal>
#include <map>
#include <string>
#include <vector>

#include "tests/integration/end_to_end.h"

namespace modelpatch::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

class StrategiesTest : public EndToEnd {
 protected:
  void Start() {
    StartServer();
    if (HasFatalFailure()) return;
    ImportModelAndTasks();
    CreateGeneratedTask("digits", "digits");
  }

  // Patches digits and colors, and protects shapes.
  v1::CreatePatchJobRequest Request(const std::string& id, v1::Strategy strategy) const {
    v1::CreatePatchJobRequest request = JobRequest(id, 3);
    v1::PatchJobSpec& spec = *request.mutable_patch_job()->mutable_spec();
    spec.set_strategy(strategy);
    spec.clear_patching_tasks();
    spec.add_patching_tasks("tasks/digits");
    spec.add_patching_tasks("tasks/colors");
    spec.clear_supported_tasks();
    spec.add_supported_tasks("tasks/shapes");
    return request;
  }

  v1::PatchJob Run(const v1::CreatePatchJobRequest& request) {
    EXPECT_THAT(Submit(request), Succeeds());
    v1::PatchJob job = WaitForJob(request.patch_job_id());
    EXPECT_EQ(job.state(), v1::PATCH_JOB_STATE_SUCCEEDED) << job.error().message();
    return job;
  }

  v1::Checkpoint GetCheckpoint(const std::string& name) {
    v1::GetCheckpointRequest request;
    request.set_name(name);
    grpc::ClientContext context;
    v1::Checkpoint checkpoint;
    EXPECT_THAT(stubs_->checkpoints->GetCheckpoint(&context, request, &checkpoint), Succeeds()) << name;
    return checkpoint;
  }
};

std::vector<std::string> StepIds(const v1::PatchJob& job) {
  std::vector<std::string> ids;
  for (const v1::PatchJobStep& step : job.steps()) ids.push_back(step.id());
  return ids;
}

std::map<v1::ComparisonKind, int> CountKinds(const v1::PatchJob& job) {
  std::map<v1::ComparisonKind, int> counts;
  for (const v1::Comparison& comparison : job.result().comparisons()) ++counts[comparison.kind()];
  return counts;
}

TEST_F(StrategiesTest, JointMakesOneCheckpointOfAllTasks) {
  Start();
  v1::CreatePatchJobRequest request = Request("together", v1::STRATEGY_JOINT);
  request.mutable_patch_job()->mutable_spec()->set_task_balance(v1::TASK_BALANCE_EVEN);
  request.mutable_patch_job()->mutable_spec()->mutable_fine_tune()->set_ema_decay(0.5);
  request.mutable_patch_job()->mutable_spec()->mutable_fine_tune()->set_snapshot_interval_steps(2);
  request.mutable_patch_job()->mutable_spec()->mutable_fine_tune()->set_learned_head(true);
  const v1::PatchJob job = Run(request);
  const v1::PatchJobResult& result = job.result();
  EXPECT_THAT(StepIds(job), ElementsAre("fine-tune", "specialised-1", "specialised-2", "search"));
  EXPECT_THAT(result.checkpoints(), ElementsAre("checkpoints/together"));
  EXPECT_THAT(result.other_checkpoints(),
              UnorderedElementsAre("checkpoints/together-step-2", "checkpoints/together-ema",
                                   "checkpoints/together-specialised-1", "checkpoints/together-specialised-2"));
  ASSERT_EQ(result.learned_head_accuracies_size(), 2);
  EXPECT_EQ(result.learned_head_accuracies(1).task(), "tasks/colors");
  EXPECT_GT(result.learned_head_accuracies(1).total(), 0);
  EXPECT_EQ(GetCheckpoint("checkpoints/together").accuracies_size(), 2);
  EXPECT_EQ(GetCheckpoint("checkpoints/together-ema").kind(), v1::CHECKPOINT_KIND_AVERAGED);
  EXPECT_THAT(CountKinds(job),
              UnorderedElementsAre(
                  std::pair(v1::COMPARISON_KIND_UNPATCHED, 1), std::pair(v1::COMPARISON_KIND_PATCHED, 1),
                  std::pair(v1::COMPARISON_KIND_FINE_TUNED, 1), std::pair(v1::COMPARISON_KIND_SPECIALISED, 1),
                  std::pair(v1::COMPARISON_KIND_SNAPSHOT, 1), std::pair(v1::COMPARISON_KIND_MOVING_AVERAGE, 1)));
  ASSERT_EQ(result.final_accuracies_size(), 3);
  for (const v1::FinalAccuracy& last : result.final_accuracies()) {
    EXPECT_LE(last.patched_interval().low(), last.patched().accuracy());
    EXPECT_GE(last.patched_interval().high(), last.patched().accuracy());
    int32_t correct = 0;
    for (const v1::ClassAccuracy& one : last.classes()) correct += one.patched_correct();
    EXPECT_EQ(correct, last.patched().correct());
  }
}

TEST_F(StrategiesTest, ASequenceGoesOnFromTheServersEnd) {
  Start();
  const v1::PatchJob job = Run(Request("whole", v1::STRATEGY_SEQUENTIAL));
  EXPECT_THAT(StepIds(job),
              ElementsAre("fine-tune-1", "search-1", "fine-tune-2", "uninterpolated-2", "specialised-2", "search-2"));
  EXPECT_THAT(job.result().checkpoints(), ElementsAre("checkpoints/whole-1", "checkpoints/whole-2"));
  EXPECT_EQ(job.result().sequence_alphas_size(), 2);
  const auto kinds = CountKinds(job);
  EXPECT_EQ(kinds.at(v1::COMPARISON_KIND_PATCHED_SO_FAR), 2);
  EXPECT_EQ(kinds.at(v1::COMPARISON_KIND_FINE_TUNED_SO_FAR), 2);
  const v1::Comparison& last = *std::find_if(job.result().comparisons().rbegin(), job.result().comparisons().rend(),
                                             [](const auto& one) { return one.after() == 2; });
  EXPECT_EQ(last.after_task(), "tasks/colors");

  // The same job, whose server dies between two of its steps.
  ASSERT_THAT(Submit(Request("interrupted", v1::STRATEGY_SEQUENTIAL)), Succeeds());
  const auto first_ended = [](const v1::PatchJobEvent& event) {
    return event.state_change().step_id() == "fine-tune-1" &&
           event.state_change().step_state() == v1::STEP_STATE_SUCCEEDED;
  };
  ASSERT_FALSE(Watch("interrupted", first_ended).empty());
  server_->Signal(SIGKILL);
  server_->Wait();
  StartServer();
  const v1::PatchJob interrupted = WaitForJob("interrupted");
  ASSERT_EQ(interrupted.state(), v1::PATCH_JOB_STATE_SUCCEEDED) << interrupted.error().message();
  for (const char* number : {"1", "2"}) {
    EXPECT_EQ(GetCheckpoint(std::string("checkpoints/whole-") + number).blob_digest(),
              GetCheckpoint(std::string("checkpoints/interrupted-") + number).blob_digest());
  }
  const v1::Checkpoint second = GetCheckpoint("checkpoints/interrupted-2");
  const double alpha = interrupted.result().sequence_alphas(0);
  if (alpha > 0) {
    ASSERT_EQ(second.lineage().parents_size(), 1);
    EXPECT_EQ(second.lineage().parents(0).checkpoint(), "checkpoints/interrupted-1");
    EXPECT_EQ(second.lineage().parents(0).coefficient(), alpha);
  }
}

TEST_F(StrategiesTest, ParallelMixesOneCheckpointForEachTask) {
  Start();
  v1::CreatePatchJobRequest request = Request("apart", v1::STRATEGY_PARALLEL);
  auto& exhaustive = *request.mutable_patch_job()->mutable_spec()->mutable_coefficient_search()->mutable_exhaustive();
  exhaustive.add_coefficients(0.5);
  exhaustive.add_coefficients(1);
  const v1::PatchJob job = Run(request);
  EXPECT_THAT(StepIds(job), ElementsAre("fine-tune-1", "fine-tune-2", "search"));
  EXPECT_THAT(job.result().checkpoints(), ElementsAre("checkpoints/apart-1", "checkpoints/apart-2"));
  EXPECT_EQ(job.result().search().method(), "exhaustive");
  // α of 0, 0.5 and 1 over the average, and the nine of the grid, of which (0, 0) and (0.5, 0.5) are among the first.
  EXPECT_EQ(job.result().search().evaluations(), 10);
  EXPECT_GE(job.result().search().objective(), job.result().search().uniform_objective());
  EXPECT_EQ(CountKinds(job).at(v1::COMPARISON_KIND_SPECIALISED), 1);

  // What was trained once is searched again, and nothing is trained.
  v1::CreatePatchJobRequest again = Request("again", v1::STRATEGY_PARALLEL);
  v1::PatchJobSpec& spec = *again.mutable_patch_job()->mutable_spec();
  spec.clear_fine_tune();
  for (const std::string& name : job.result().checkpoints()) spec.add_checkpoints(name);
  spec.mutable_coefficient_search()->mutable_gradient()->set_steps(2);
  const v1::PatchJob mixed = Run(again);
  EXPECT_THAT(StepIds(mixed), ElementsAre("search"));
  EXPECT_THAT(mixed.result().checkpoints(), ElementsAre("checkpoints/apart-1", "checkpoints/apart-2"));
  EXPECT_GT(mixed.result().search().gradient_evaluations(), 0);
  EXPECT_GE(mixed.result().search().objective(), mixed.result().search().uniform_objective());
  v1::ClassifyRequest classify = ClassifyRequestAt("checkpoints/apart-1", 0.5);
  *classify.mutable_mixture() = mixed.result().mixture();
  EXPECT_THAT(Classify(classify), Succeeds());
}

TEST_F(StrategiesTest, MergedCheckpointsAreOneThatAnAlphaScales) {
  Start();
  for (const char* method : {"ties", "fisher"}) {
    v1::CreatePatchJobRequest request = Request(method, v1::STRATEGY_PARALLEL);
    v1::Merge& merge = *request.mutable_patch_job()->mutable_spec()->mutable_merge();
    if (std::string(method) == "ties") {
      merge.mutable_ties()->set_density(0.5);
      // What a fine-tuning makes beside its weights is no parent of what was merged.
      request.mutable_patch_job()->mutable_spec()->mutable_fine_tune()->set_ema_decay(0.5);
    } else {
      merge.mutable_fisher()->set_examples(4);
    }
    const v1::PatchJob job = Run(request);
    const std::string merged = std::string("checkpoints/") + method + "-merged";
    EXPECT_THAT(job.result().checkpoints(), ElementsAre(merged));
    const v1::Checkpoint checkpoint = GetCheckpoint(merged);
    EXPECT_EQ(checkpoint.kind(), v1::CHECKPOINT_KIND_MERGED);
    ASSERT_EQ(checkpoint.lineage().parents_size(), 2);
    EXPECT_EQ(checkpoint.lineage().parents(0).checkpoint(), std::string("checkpoints/") + method + "-1");
    EXPECT_EQ(checkpoint.lineage().parents(1).checkpoint(), std::string("checkpoints/") + method + "-2");
    EXPECT_TRUE(checkpoint.lineage().has_merge());
    EXPECT_THAT(Classify(ClassifyRequestAt(merged, 0.5)), Succeeds());
  }
}

TEST_F(StrategiesTest, WhatCannotWorkIsRefusedAtOnce) {
  Start();
  const auto refused = [&](const std::string& field, auto change) {
    v1::CreatePatchJobRequest request = Request("refused", v1::STRATEGY_SEQUENTIAL);
    change(*request.mutable_patch_job()->mutable_spec());
    const grpc::Status status = Submit(request);
    EXPECT_FALSE(status.ok()) << field;
    EXPECT_EQ(FieldOf(status), "patch_job.spec." + field) << status.error_message();
  };
  refused("supported_tasks[1]", [](auto& spec) { spec.add_supported_tasks("tasks/digits"); });
  refused("patching_tasks[2]", [](auto& spec) { spec.add_patching_tasks("tasks/colors"); });
  refused("order_seed", [](auto& spec) { spec.set_order_seed(-1); });
  refused("fine_tune.elastic_weight_consolidation.examples", [](auto& spec) {
    auto& elastic = *spec.mutable_fine_tune()->mutable_elastic_weight_consolidation();
    elastic.set_weight(1);
    elastic.set_task("tasks/shapes");
    elastic.set_examples(0);
  });
  refused("fine_tune.elastic_weight_consolidation.task", [](auto& spec) {
    auto& elastic = *spec.mutable_fine_tune()->mutable_elastic_weight_consolidation();
    elastic.set_weight(1);
    elastic.set_task("tasks/none");
  });
  refused("coefficient_search.exhaustive.coefficients[0]", [](auto& spec) {
    spec.set_strategy(v1::STRATEGY_PARALLEL);
    spec.mutable_coefficient_search()->mutable_exhaustive()->add_coefficients(-0.5);
  });
  refused("merge.ties.density", [](auto& spec) {
    spec.set_strategy(v1::STRATEGY_PARALLEL);
    spec.mutable_merge()->mutable_ties()->set_density(0);
  });
  refused("checkpoints[0]", [](auto& spec) {
    spec.set_strategy(v1::STRATEGY_PARALLEL);
    spec.clear_fine_tune();
    spec.add_checkpoints("checkpoints/none");
    spec.add_checkpoints("checkpoints/neither");
  });
}

}  // namespace
}  // namespace modelpatch::testing
