// Real fine-tuning steps on a tiny model and generated tasks, with what surrounds the training itself.
#include "core/train/fine_tune_step.h"

#include <torch/torch.h>

#include <filesystem>

#include "core/base/file.h"
#include "core/model/model_loader.h"
#include "core/patch/interpolation.h"
#include "core/store/blob_store.h"
#include "core/train/start_weights.h"
#include "core/train/training_tasks.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_data.h"
#include "tests/support/tiny_clip.h"

namespace modelpatch::train {
namespace {

using ::modelpatch::testing::FailsWith;

class LoggedEvents final : public StepEvents {
 public:
  void Progress(const TrainingProgress&) override {}
  void SearchPoint(const CurvePoint&) override {}
  void SearchProgress(int64_t, int64_t) override {}
  void Log(std::string_view message) override { log += std::string(message) + "\n"; }

  std::string log;
};

class FineTuneStepTest : public ::testing::Test {
 protected:
  void SetUp() override {
    testing::WriteTinyModel(scratch_.Path("model"));
    ASSERT_OK(base::CreateDirectories(scratch_.Path("blobs")));
    ASSERT_OK(base::CreateDirectories(scratch_.Path("earlier")));
    ASSERT_OK_AND_ASSIGN(model_, model::LoadModel(scratch_.Path("model"), tensor::Device(), {}));
  }

  static NamedTask Task(const std::string& generator, int64_t train = 40) {
    NamedTask task;
    task.name = generator;
    task.source.format = "generator";
    task.source.generator = generator;
    task.source.generated_train = train;
    task.source.generated_validation = train > 0 ? 20 : 0;
    task.source.generated_test = 10;
    return task;
  }

  FineTuneSpec Spec(int64_t steps = 4) const {
    FineTuneSpec spec;
    spec.model_directory = scratch_.Path("model");
    spec.tasks = {Task("digits")};
    spec.options.steps = steps;
    spec.options.batch_size = 8;
    spec.options.learning_rate = 1e-3;
    spec.options.warmup_steps = 1;
    return spec;
  }

  absl::StatusOr<FineTuneResult> Run(const FineTuneSpec& spec) {
    StepSpec step;
    step.blob_directory = scratch_.Path("blobs");
    step.threads = 1;
    step.work = spec;
    return RunFineTuneStep(step, spec, {clock_, "test"}, {}, events_);
  }

  absl::StatusOr<tensor::WeightSet> Blob(const std::string& digest) const {
    return store::BlobStore(scratch_.Path("blobs")).Get(digest, model_->image_weights.shared_layout());
  }

  void ExpectRefused(const FineTuneSpec& spec, const std::string& field) {
    const absl::Status status = Run(spec).status();
    EXPECT_THAT(status, FailsWith(absl::StatusCode::kInvalidArgument, "BAD_FINE_TUNE_OPTION")) << field;
    EXPECT_EQ(base::FieldOf(status), field);
  }

  const testing::ScratchDirectory scratch_;
  const base::SystemClock clock_;
  LoggedEvents events_;
  std::shared_ptr<const model::ClipModel> model_;
};

TEST_F(FineTuneStepTest, SeveralTasksAreTrainedTogether) {
  FineTuneSpec spec = Spec();
  spec.tasks = {Task("digits"), Task("shapes", 20)};
  ASSERT_OK_AND_ASSIGN(const FineTuneResult joint, Run(spec));
  ASSERT_EQ(joint.validation.size(), 2u);
  EXPECT_EQ(joint.validation[0].task, "digits");
  EXPECT_EQ(joint.validation[1].task, "shapes");
  EXPECT_EQ(joint.validation[1].total, 20);
  EXPECT_EQ(joint.task_digests.size(), 2u);
  ASSERT_OK_AND_ASSIGN(const FineTuneResult again, Run(spec));
  EXPECT_EQ(joint.blob, again.blob);
  spec.balance = TaskBalance::kEven;
  ASSERT_OK_AND_ASSIGN(const FineTuneResult even, Run(spec));
  EXPECT_NE(joint.blob, even.blob);
}

TEST_F(FineTuneStepTest, ForOneTaskTheBalanceMeansNothing) {
  FineTuneSpec spec = Spec();
  ASSERT_OK_AND_ASSIGN(const FineTuneResult by_size, Run(spec));
  spec.balance = TaskBalance::kEven;
  ASSERT_OK_AND_ASSIGN(const FineTuneResult even, Run(spec));
  EXPECT_EQ(by_size.blob, even.blob);
  EXPECT_TRUE(by_size.start.empty());
  EXPECT_TRUE(by_size.snapshots.empty());
  EXPECT_EQ(by_size.average_blob, "");
  EXPECT_EQ(by_size.fisher_blob, "");
  EXPECT_TRUE(by_size.learned_head_validation.empty());
}

TEST_F(FineTuneStepTest, TheJointHeadIsTheHeadsOneAfterTheOther) {
  ASSERT_OK_AND_ASSIGN(const TrainingTasks joint,
                       OpenTrainingTasks(*model_, {Task("digits"), Task("shapes", 20)}, TaskBalance::kEven, 1, {}, {}));
  ASSERT_OK_AND_ASSIGN(const TrainingTasks shapes,
                       OpenTrainingTasks(*model_, {Task("shapes", 20)}, TaskBalance::kEven, 1, {}, {}));
  const int64_t first = joint.head.embeddings->size(0) - shapes.head.embeddings->size(0);
  EXPECT_EQ(first, static_cast<int64_t>(joint.tasks[0].class_names.size()));
  EXPECT_TRUE(
      at::equal(joint.head.embeddings->narrow(0, first, shapes.head.embeddings->size(0)), *shapes.head.embeddings));
  EXPECT_EQ(joint.train->size(), 80);
  EXPECT_EQ(joint.train->label(40), first + shapes.train->label(0));
  EXPECT_EQ(joint.train->candidates(40).front(), first);
  EXPECT_TRUE(shapes.train->candidates(0).empty());
}

TEST_F(FineTuneStepTest, StartsAtTheMixtureOfASearch) {
  ASSERT_OK_AND_ASSIGN(const FineTuneResult first, Run(Spec()));
  FineTuneSpec other = Spec();
  other.options.seed = 9;
  ASSERT_OK_AND_ASSIGN(const FineTuneResult second, Run(other));
  SearchResult search;
  search.terms = patch::CanonicalTerms(std::vector<patch::MixtureTerm>{{first.blob, 0.3}, {second.blob, 0.45}});
  testing::WriteTestFile(scratch_.Path("earlier/result.json"), SearchResultToJson(search));

  ASSERT_OK_AND_ASSIGN(const StartWeights start,
                       ReadStartWeights(scratch_.Path("earlier"), *model_, scratch_.Path("blobs")));
  EXPECT_TRUE(start.terms == search.terms);
  std::vector<tensor::WeightSet> sets;
  std::vector<patch::WeightedCheckpoint> weighted;
  for (const patch::MixtureTerm& term : search.terms) {
    ASSERT_OK_AND_ASSIGN(tensor::WeightSet weights, Blob(term.blob));
    sets.push_back(weights);
  }
  for (size_t i = 0; i < sets.size(); ++i) weighted.push_back({&sets[i], search.terms[i].coefficient});
  const tensor::WeightSet expected(model_->image_weights.shared_layout(), tensor::Device());
  patch::Interpolate(model_->image_weights, weighted, expected);
  EXPECT_TRUE(at::equal(start.weights.flat(), expected.flat()));

  FineTuneSpec next = Spec();
  next.start_directory = scratch_.Path("earlier");
  next.tasks = {Task("shapes")};
  ASSERT_OK_AND_ASSIGN(const FineTuneResult result, Run(next));
  EXPECT_TRUE(result.start == search.terms);
  next.start_directory.clear();
  ASSERT_OK_AND_ASSIGN(const FineTuneResult from_zero_shot, Run(next));
  EXPECT_NE(result.blob, from_zero_shot.blob);
}

TEST_F(FineTuneStepTest, StartsAtTheWeightsOfAFineTuning) {
  ASSERT_OK_AND_ASSIGN(const FineTuneResult first, Run(Spec()));
  testing::WriteTestFile(scratch_.Path("earlier/result.json"), FineTuneResultToJson(first));
  ASSERT_OK_AND_ASSIGN(const StartWeights start,
                       ReadStartWeights(scratch_.Path("earlier"), *model_, scratch_.Path("blobs")));
  EXPECT_EQ(start.weights.Digest(), first.blob);
  ASSERT_EQ(start.terms.size(), 1u);
  EXPECT_EQ(start.terms[0].coefficient, 1);
}

TEST_F(FineTuneStepTest, AMissingStartIsNamed) {
  FineTuneSpec spec = Spec();
  spec.start_directory = scratch_.Path("nowhere");
  EXPECT_THAT(Run(spec), FailsWith(absl::StatusCode::kNotFound, "FILE_NOT_FOUND"));
}

// With a constant rate a run of four steps is the beginning of a longer one.
TEST_F(FineTuneStepTest, SnapshotsAreWhatAShorterRunWouldHaveMade) {
  FineTuneSpec spec = Spec(6);
  spec.options.schedule = LearningRateSchedule::kConstant;
  spec.options.snapshot_interval_steps = 2;
  ASSERT_OK_AND_ASSIGN(const FineTuneResult result, Run(spec));
  ASSERT_EQ(result.snapshots.size(), 2u);
  EXPECT_EQ(result.snapshots[0].step, 2);
  EXPECT_EQ(result.snapshots[1].step, 4);
  spec.options.steps = 4;
  ASSERT_OK_AND_ASSIGN(const FineTuneResult shorter, Run(spec));
  EXPECT_EQ(result.snapshots[1].blob, shorter.blob);
  EXPECT_OK(Blob(result.snapshots[0].blob));
}

TEST_F(FineTuneStepTest, PublishesTheMovingAverageAndTheFisherInformation) {
  FineTuneSpec spec = Spec();
  spec.options.ema_decay = 0.5;
  spec.fisher_examples = 5;
  ASSERT_OK_AND_ASSIGN(const FineTuneResult result, Run(spec));
  EXPECT_NE(result.average_blob, result.blob);
  EXPECT_OK(Blob(result.average_blob));
  ASSERT_OK_AND_ASSIGN(const tensor::WeightSet fisher, Blob(result.fisher_blob));
  EXPECT_GE(fisher.flat().min().item<float>(), 0);
  EXPECT_GT(fisher.flat().sum().item<float>(), 0);
  ASSERT_OK_AND_ASSIGN(const FineTuneResult again, Run(spec));
  EXPECT_EQ(result.fisher_blob, again.fisher_blob);
}

TEST_F(FineTuneStepTest, ElasticWeightsComeFromTheirTask) {
  FineTuneSpec spec = Spec();
  ASSERT_OK_AND_ASSIGN(const FineTuneResult plain, Run(spec));
  spec.options.elastic_weight = 1e6;
  spec.options.elastic_examples = 6;
  spec.elastic_task = Task("shapes");
  ASSERT_OK_AND_ASSIGN(const FineTuneResult elastic, Run(spec));
  EXPECT_NE(elastic.blob, plain.blob);
  EXPECT_EQ(elastic.task_digests.count("shapes"), 1u);
  ASSERT_OK_AND_ASSIGN(const FineTuneResult again, Run(spec));
  EXPECT_EQ(elastic.blob, again.blob);
}

TEST_F(FineTuneStepTest, TheContrastiveLossSeesTheTrainingOrAnotherTask) {
  FineTuneSpec spec = Spec();
  ASSERT_OK_AND_ASSIGN(const FineTuneResult plain, Run(spec));
  spec.options.contrastive_weight = 0.5;
  ASSERT_OK_AND_ASSIGN(const FineTuneResult own, Run(spec));
  spec.contrastive_task = Task("shapes");
  ASSERT_OK_AND_ASSIGN(const FineTuneResult other, Run(spec));
  EXPECT_NE(own.blob, plain.blob);
  EXPECT_NE(own.blob, other.blob);
  EXPECT_EQ(own.task_digests.size(), 1u);
  EXPECT_EQ(other.task_digests.size(), 2u);
}

TEST_F(FineTuneStepTest, TheLearnedHeadIsMeasuredForEachTask) {
  FineTuneSpec spec = Spec();
  spec.tasks = {Task("digits"), Task("shapes", 20)};
  spec.options.learned_head = true;
  ASSERT_OK_AND_ASSIGN(const FineTuneResult result, Run(spec));
  ASSERT_EQ(result.learned_head_validation.size(), 2u);
  EXPECT_EQ(result.learned_head_validation[1].task, "shapes");
  EXPECT_EQ(result.learned_head_validation[1].total, 20);
  ASSERT_EQ(result.validation.size(), 2u);
  EXPECT_NE(events_.log.find("learned head"), std::string::npos);
}

TEST_F(FineTuneStepTest, AlternativesThatLackSomethingAreRefused) {
  FineTuneSpec spec = Spec();
  spec.options.elastic_weight = 1;
  ExpectRefused(spec, "elastic_weight_consolidation.task");
  spec = Spec();
  spec.elastic_task = Task("shapes");
  ExpectRefused(spec, "elastic_weight_consolidation.weight");
  spec.options.elastic_weight = 1;
  spec.options.elastic_examples = 0;
  ExpectRefused(spec, "elastic_weight_consolidation.examples");
  spec.options.elastic_examples = 5;
  spec.elastic_task = Task("shapes", /*train=*/0);
  ExpectRefused(spec, "elastic_weight_consolidation.task");
  spec = Spec();
  spec.options.contrastive_weight = 0.5;
  spec.contrastive_task = Task("shapes", /*train=*/0);
  ExpectRefused(spec, "contrastive_mixing.task");
  spec = Spec();
  spec.tasks = {Task("digits"), Task("shapes", /*train=*/0)};
  EXPECT_THAT(Run(spec), FailsWith(absl::StatusCode::kFailedPrecondition, "EMPTY_SPLIT"));
  spec.tasks.clear();
  EXPECT_THAT(Run(spec), FailsWith(absl::StatusCode::kInvalidArgument, "NO_TASKS"));
  EXPECT_TRUE(std::filesystem::is_empty(scratch_.Path("blobs")));
}

}  // namespace
}  // namespace modelpatch::train
