// Real steps on a tiny model and generated tasks, without processes.
#include "core/train/step_runner.h"

#include <filesystem>

#include "core/base/file.h"
#include "core/model/model_loader.h"
#include "core/store/blob_store.h"
#include "core/train/step_inputs.h"
#include "core/train/step_result.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_data.h"
#include "tests/support/tiny_clip.h"

namespace modelpatch::train {
namespace {

class RecordedEvents final : public StepEvents {
 public:
  void Progress(const TrainingProgress& progress) override { progresses.push_back(progress); }
  void SearchPoint(const CurvePoint& point) override { alphas.push_back(point.alpha); }
  void SearchProgress(int64_t done, int64_t) override { evaluations = done; }
  void Log(std::string_view) override {}

  std::vector<TrainingProgress> progresses;
  std::vector<double> alphas;
  int64_t evaluations = 0;
};

class StepRunnerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    testing::WriteTinyModel(scratch_.Path("model"));
    ASSERT_OK(base::CreateDirectories(scratch_.Path("blobs")));
    ASSERT_OK(base::CreateDirectories(scratch_.Path("fine-tune")));
  }

  static NamedTask Task(const std::string& generator) {
    NamedTask task;
    task.name = generator;
    task.source.format = "generator";
    task.source.generator = generator;
    task.source.generated_train = 64;
    task.source.generated_validation = 40;
    task.source.generated_test = 50;
    return task;
  }

  StepSpec FineTune(uint64_t seed, int64_t steps = 6) const {
    FineTuneSpec work;
    work.model_directory = scratch_.Path("model");
    work.tasks = {Task("digits")};
    work.options.steps = steps;
    work.options.batch_size = 8;
    work.options.learning_rate = 1e-3;
    work.options.warmup_steps = 2;
    work.options.seed = seed;
    work.options.validation_interval_steps = 3;
    StepSpec spec;
    spec.blob_directory = scratch_.Path("blobs");
    spec.threads = 1;
    spec.work = work;
    return spec;
  }

  absl::StatusOr<std::string> Run(const StepSpec& spec, const base::CancellationToken& cancellation = {}) {
    return RunStep(spec, {clock_, "test"}, cancellation, events_);
  }

  // Runs a step and leaves its result where later steps look for it.
  absl::Status RunInto(const std::string& directory, const StepSpec& spec) {
    MP_ASSIGN_OR_RETURN(const std::string result, Run(spec));
    MP_RETURN_IF_ERROR(base::CreateDirectories(scratch_.Path(directory)));
    testing::WriteTestFile(scratch_.Path(directory + "/result.json"), result);
    return absl::OkStatus();
  }

  SearchSpec Search(const std::vector<std::string>& patching) const {
    SearchSpec work;
    work.model_directory = scratch_.Path("model");
    for (const std::string& task : patching) work.patching_tasks.push_back(Task(task));
    work.supported_tasks = {Task("shapes")};
    work.alphas = {0, 0.25, 0.5, 1};
    return work;
  }

  absl::StatusOr<SearchResult> RunSearch(const SearchSpec& work) {
    StepSpec spec = FineTune(1);
    spec.work = work;
    MP_ASSIGN_OR_RETURN(const std::string json, Run(spec));
    return SearchResultFromJson(json);
  }

  const testing::ScratchDirectory scratch_;
  const base::SystemClock clock_;
  RecordedEvents events_;
};

TEST_F(StepRunnerTest, FineTunesAndReports) {
  ASSERT_OK_AND_ASSIGN(const std::string json, Run(FineTune(1)));
  ASSERT_OK_AND_ASSIGN(const FineTuneResult result, FineTuneResultFromJson(json));
  EXPECT_EQ(result.steps, 6);
  ASSERT_EQ(result.validation.size(), 1u);
  EXPECT_EQ(result.validation[0].task, "digits");
  EXPECT_EQ(result.validation[0].total, 40);
  EXPECT_TRUE(std::filesystem::exists(scratch_.Path("blobs/" + result.blob + ".safetensors")));
  ASSERT_FALSE(events_.progresses.empty());
  EXPECT_EQ(events_.progresses.back().step, 6);
  EXPECT_TRUE(events_.progresses.back().validation_accuracy.has_value());
  ASSERT_OK_AND_ASSIGN(const auto model, model::LoadModel(scratch_.Path("model"), tensor::Device(), {}));
  EXPECT_NE(result.blob, model->image_weights.Digest());
}

TEST_F(StepRunnerTest, TheSeedDecidesEveryBit) {
  ASSERT_OK_AND_ASSIGN(const std::string first, Run(FineTune(1)));
  ASSERT_OK_AND_ASSIGN(const std::string again, Run(FineTune(1)));
  ASSERT_OK_AND_ASSIGN(const std::string other, Run(FineTune(2)));
  EXPECT_EQ(FineTuneResultFromJson(first)->blob, FineTuneResultFromJson(again)->blob);
  EXPECT_NE(FineTuneResultFromJson(first)->blob, FineTuneResultFromJson(other)->blob);
}

TEST_F(StepRunnerTest, SearchesWhatWasFineTuned) {
  ASSERT_OK(RunInto("fine-tune", FineTune(1)));
  SearchSpec work = Search({"digits"});
  work.fine_tune_directories = {scratch_.Path("fine-tune")};
  work.comparison.emplace();
  ASSERT_OK_AND_ASSIGN(const SearchResult result, RunSearch(work));
  EXPECT_EQ(events_.alphas, work.alphas);
  EXPECT_EQ(events_.evaluations, 4);
  ASSERT_EQ(result.curve.size(), 4u);
  EXPECT_EQ(result.curve[0].accuracies[0].total, 40);
  EXPECT_EQ(result.search.method, "line");
  ASSERT_EQ(result.comparisons.size(), 3u);
  EXPECT_EQ(result.comparisons[0].kind, ComparisonKind::kUnpatched);
  EXPECT_EQ(result.comparisons[1].kind, ComparisonKind::kPatched);
  EXPECT_EQ(result.comparisons[2].kind, ComparisonKind::kFineTuned);
  EXPECT_EQ(result.comparisons[2].accuracies[0].total, 50);
  EXPECT_EQ(result.comparisons[2].accuracies[0].split, data::Split::kTest);
  ASSERT_EQ(result.details.size(), 2u);
  int64_t correct = 0;
  for (const ClassCorrect& one : result.details[0].classes) correct += one.fine_tuned;
  EXPECT_EQ(correct, result.comparisons[2].accuracies[0].correct);
  EXPECT_GT(result.cka.at("shapes"), 0.0);
  EXPECT_LT(result.weight_cosine, 1.0);
  EXPECT_GT(result.weight_cosine, 0.9);
}

TEST_F(StepRunnerTest, ASequenceMixesWhatItPatchedSoFar) {
  ASSERT_OK(RunInto("first", FineTune(1)));
  SearchSpec search = Search({"digits"});
  search.policy = patch::AlphaPolicy::kFixed;
  search.fixed_alpha = 0.5;
  search.fine_tune_directories = {scratch_.Path("first")};
  StepSpec step = FineTune(1);
  step.work = search;
  ASSERT_OK(RunInto("search", step));
  StepSpec second = FineTune(2);
  std::get<FineTuneSpec>(second.work).start_directory = scratch_.Path("search");
  std::get<FineTuneSpec>(second.work).tasks = {Task("colors")};
  ASSERT_OK(RunInto("second", second));
  ASSERT_OK_AND_ASSIGN(const FineTuneResult first_result, ReadFineTuneResult(scratch_.Path("first")));
  ASSERT_OK_AND_ASSIGN(const FineTuneResult second_result, ReadFineTuneResult(scratch_.Path("second")));
  EXPECT_EQ(second_result.start, (std::vector<patch::MixtureTerm>{{first_result.blob, 0.5}}));

  search = Search({"digits", "colors"});
  search.policy = patch::AlphaPolicy::kFixed;
  search.fixed_alpha = 0.25;
  search.start_directory = scratch_.Path("search");
  search.fine_tune_directories = {scratch_.Path("second")};
  search.comparison = ComparisonSpec{{}, {scratch_.Path("search")}, {scratch_.Path("first"), scratch_.Path("second")}};
  ASSERT_OK_AND_ASSIGN(const SearchResult result, RunSearch(search));
  EXPECT_EQ(result.terms, patch::CanonicalTerms(
                              std::vector<patch::MixtureTerm>{{first_result.blob, 0.375}, {second_result.blob, 0.25}}));
  std::vector<ComparisonKind> kinds;
  for (const ComparedWeights& compared : result.comparisons) kinds.push_back(compared.kind);
  EXPECT_EQ(kinds, (std::vector<ComparisonKind>{ComparisonKind::kUnpatched, ComparisonKind::kPatched,
                                                ComparisonKind::kPatchedSoFar, ComparisonKind::kPatchedSoFar,
                                                ComparisonKind::kFineTunedSoFar, ComparisonKind::kFineTunedSoFar,
                                                ComparisonKind::kFineTuned}));
  // The curve begins at the model that was patched so far.
  EXPECT_EQ(result.curve.front().terms, (std::vector<patch::MixtureTerm>{{first_result.blob, 0.5}}));
}

// Every way to choose coefficients for two checkpoints, and every way to merge them.
TEST_F(StepRunnerTest, ParallelCheckpointsAreSearchedOrMerged) {
  StepSpec first = FineTune(1);
  std::get<FineTuneSpec>(first.work).fisher_examples = 8;
  ASSERT_OK(RunInto("first", first));
  StepSpec second = first;
  std::get<FineTuneSpec>(second.work).tasks = {Task("colors")};
  ASSERT_OK(RunInto("second", second));
  SearchSpec base = Search({"digits", "colors"});
  base.fine_tune_directories = {scratch_.Path("first"), scratch_.Path("second")};
  base.comparison = ComparisonSpec{base.fine_tune_directories, {}, {}};
  base.alphas = {0, 0.5, 1};
  for (const patch::SearchMethod method : {patch::SearchMethod::kUniform, patch::SearchMethod::kExhaustive,
                                           patch::SearchMethod::kBlackBox, patch::SearchMethod::kGradient}) {
    SCOPED_TRACE(patch::NameOf(method));
    SearchSpec search = base;
    search.coefficient_search.method = method;
    search.coefficient_search.grid = {0, 0.5, 1};
    search.coefficient_search.maximum_evaluations = 5;
    search.coefficient_search.steps = 3;
    search.coefficient_search.batch_size = 16;
    ASSERT_OK_AND_ASSIGN(const SearchResult result, RunSearch(search));
    EXPECT_EQ(result.search.method, patch::NameOf(method));
    EXPECT_EQ(result.blobs.size(), 2u);
    EXPECT_EQ(result.curve.size(), 3u);
    EXPECT_GE(result.search.objective, result.search.uniform_objective);
    EXPECT_EQ(static_cast<int64_t>(result.search.candidates.size()), result.search.evaluations);
    EXPECT_EQ(result.comparisons.back().kind, ComparisonKind::kSpecialised);
  }
  SearchSpec grouped = base;
  grouped.coefficient_search.method = patch::SearchMethod::kGradient;
  grouped.coefficient_search.steps = 2;
  grouped.coefficient_search.group = patch::CoefficientGroup::kBlock;
  ASSERT_OK(RunSearch(grouped).status());
  for (const patch::MergeMethod method :
       {patch::MergeMethod::kTaskArithmetic, patch::MergeMethod::kTies, patch::MergeMethod::kDare,
        patch::MergeMethod::kFisher, patch::MergeMethod::kSlerp}) {
    SCOPED_TRACE(patch::NameOf(method));
    SearchSpec search = base;
    search.merge = patch::MergeOptions{method};
    ASSERT_OK_AND_ASSIGN(const SearchResult result, RunSearch(search));
    EXPECT_EQ(result.blobs, std::vector<std::string>{result.merged_blob});
    EXPECT_TRUE(std::filesystem::exists(scratch_.Path("blobs/" + result.merged_blob + ".safetensors")));
    EXPECT_EQ(result.curve.back().terms, (std::vector<patch::MixtureTerm>{{result.merged_blob, 1.0}}));
  }
}

TEST_F(StepRunnerTest, CancellationLeavesNoBlob) {
  base::CancellationSource source;
  source.Cancel();
  EXPECT_EQ(Run(FineTune(1), source.token()).status().code(), absl::StatusCode::kCancelled);
  EXPECT_TRUE(std::filesystem::is_empty(scratch_.Path("blobs")));
}

TEST_F(StepRunnerTest, AMissingStoreIsNamed) {
  StepSpec spec = FineTune(1, 1);
  std::get<FineTuneSpec>(spec.work).options.warmup_steps = 0;
  std::get<FineTuneSpec>(spec.work).options.validation_interval_steps = 0;
  spec.blob_directory = scratch_.Path("missing");
  EXPECT_THAT(Run(spec), testing::FailsWith(absl::StatusCode::kNotFound, "FILE_NOT_FOUND"));
}

}  // namespace
}  // namespace modelpatch::train
