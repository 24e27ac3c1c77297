#include <numeric>

#include "core/patch/evaluation.h"
#include "tests/patch/generated_task.h"
#include "tests/support/status_matchers.h"
#include "tests/support/tiny_clip.h"

namespace modelpatch::patch {
namespace {

TEST(PredictionsTest, AreWhatTheAccuracyCounts) {
  const auto model = testing::MakeTinyModel(1);
  // More than one batch.
  ASSERT_OK_AND_ASSIGN(const EvaluationSet set,
                       MakeEvaluationSet(*model, testing::GeneratedTask("digits", 150), TaskRole::kPatching,
                                         data::Split::kValidation, 1, 0, {}));
  const FeatureFunction features = DirectFeatures(model);
  ASSERT_OK_AND_ASSIGN(const std::vector<int32_t> predictions,
                       EvaluatePredictions(*model, model->image_weights, set, features, {}));
  ASSERT_EQ(predictions.size(), 150u);
  const auto classes = static_cast<int32_t>(set.head->class_names.size());
  int64_t correct = 0;
  const std::vector<uint8_t> correctness = CorrectnessOf(set, predictions);
  for (size_t i = 0; i < predictions.size(); ++i) {
    EXPECT_GE(predictions[i], 0);
    EXPECT_LT(predictions[i], classes);
    EXPECT_EQ(correctness[i], predictions[i] == set.pixels->labels[i] ? 1 : 0);
    correct += correctness[i];
  }
  ASSERT_OK_AND_ASSIGN(const TaskAccuracy accuracy, EvaluateAccuracy(*model, model->image_weights, set, features, {}));
  EXPECT_EQ(accuracy.correct, correct);
  EXPECT_EQ(accuracy.total, 150);
  EXPECT_EQ(accuracy.role, TaskRole::kPatching);
  EXPECT_EQ(AccuracyOf(set, predictions).correct, correct);
}

TEST(PredictionsTest, AreCancelled) {
  const auto model = testing::MakeTinyModel(1);
  ASSERT_OK_AND_ASSIGN(const EvaluationSet set,
                       MakeEvaluationSet(*model, testing::GeneratedTask("digits", 20), TaskRole::kPatching,
                                         data::Split::kValidation, 1, 0, {}));
  base::CancellationSource source;
  source.Cancel();
  EXPECT_EQ(
      EvaluatePredictions(*model, model->image_weights, set, DirectFeatures(model), source.token()).status().code(),
      absl::StatusCode::kCancelled);
}

}  // namespace
}  // namespace modelpatch::patch
