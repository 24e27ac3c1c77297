#include "core/patch/evaluation.h"

#include <torch/torch.h>

#include "tests/support/status_matchers.h"
#include "tests/support/tiny_clip.h"

namespace modelpatch::patch {
namespace {

// Three examples over three classes whose embeddings are the axes, all of label 1; the features below put class 0
// first, 1 second and 2 last.
EvaluationSet SetWith(std::vector<std::vector<int32_t>> candidates) {
  data::PixelSet pixels;
  pixels.count = 3;
  pixels.image_size = 16;
  pixels.pixels.resize(3 * 16 * 16 * 3);
  pixels.labels = {1, 1, 1};
  pixels.candidates = std::move(candidates);
  model::ZeroShotHead head;
  head.embeddings = std::make_shared<const at::Tensor>(at::eye(3));
  return {"pairs", TaskRole::kPatching, data::Split::kTest, std::make_shared<const data::PixelSet>(std::move(pixels)),
          std::make_shared<const model::ZeroShotHead>(std::move(head))};
}

int64_t CorrectOf(const EvaluationSet& set) {
  const auto model = testing::MakeTinyModel();
  const FeatureFunction features = [](const tensor::WeightSet&, const at::Tensor& pixels) {
    return absl::StatusOr<at::Tensor>(at::tensor({3.0F, 2.0F, 1.0F}).expand({pixels.size(0), 3}).contiguous());
  };
  const auto accuracy = EvaluateAccuracy(*model, model->image_weights, set, features, {});
  EXPECT_OK(accuracy);
  EXPECT_EQ(accuracy->total, 3);
  return accuracy->correct;
}

TEST(EvaluateAccuracy, PredictsOneOfTheCandidates) {
  EXPECT_EQ(CorrectOf(SetWith({})), 0);
  EXPECT_EQ(CorrectOf(SetWith({{1, 2}, {0, 1}, {}})), 1);
  EXPECT_EQ(CorrectOf(SetWith({{1, 2}, {1}, {1, 2}})), 3);
}

}  // namespace
}  // namespace modelpatch::patch
