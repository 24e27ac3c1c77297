// Real steps on a tiny model and generated tasks, without processes.
#include "core/train/step_runner.h"

#include <filesystem>

#include "core/base/file.h"
#include "core/model/model_loader.h"
#include "core/store/blob_store.h"
#include "core/train/step_result.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_data.h"
#include "tests/support/tiny_clip.h"

namespace modelpatch::train {
namespace {

class RecordedEvents final : public StepEvents {
 public:
  void Progress(const TrainingProgress& progress) override { progresses.push_back(progress); }
  void SearchPoint(const patch::AlphaAccuracies& point) override { alphas.push_back(point.alpha); }
  void Log(std::string_view) override {}

  std::vector<TrainingProgress> progresses;
  std::vector<double> alphas;
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
    FineTuneSpec work{scratch_.Path("model"), Task("digits"), {}};
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

  const testing::ScratchDirectory scratch_;
  const base::SystemClock clock_;
  RecordedEvents events_;
};

TEST_F(StepRunnerTest, FineTunesAndReports) {
  ASSERT_OK_AND_ASSIGN(const std::string json, Run(FineTune(1)));
  ASSERT_OK_AND_ASSIGN(const FineTuneResult result, FineTuneResultFromJson(json));
  EXPECT_EQ(result.steps, 6);
  EXPECT_EQ(result.validation_total, 40);
  EXPECT_EQ(result.validation_accuracy, static_cast<double>(result.validation_correct) / 40);
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
  ASSERT_OK_AND_ASSIGN(const std::string fine_tuned, Run(FineTune(1)));
  testing::WriteTestFile(scratch_.Path("fine-tune/result.json"), fine_tuned);
  StepSpec spec = FineTune(1);
  SearchSpec work;
  work.model_directory = scratch_.Path("model");
  work.fine_tune_directory = scratch_.Path("fine-tune");
  work.patching_tasks = {Task("digits")};
  work.supported_tasks = {Task("shapes")};
  work.alphas = {0, 0.25, 0.5, 1};
  spec.work = work;
  ASSERT_OK_AND_ASSIGN(const std::string json, Run(spec));
  ASSERT_OK_AND_ASSIGN(const SearchResult result, SearchResultFromJson(json));
  EXPECT_EQ(events_.alphas, work.alphas);
  ASSERT_EQ(result.validation.size(), 4u);
  EXPECT_EQ(result.validation[0].accuracies[0].total, 40);
  EXPECT_EQ(result.test.front().accuracies[0].total, 50);
  EXPECT_EQ(result.test.front().alpha, 0);
  EXPECT_EQ(result.test.back().alpha, 1);
  EXPECT_GT(result.cka.at("shapes"), 0.0);
  EXPECT_LT(result.weight_cosine, 1.0);
  EXPECT_GT(result.weight_cosine, 0.9);
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
