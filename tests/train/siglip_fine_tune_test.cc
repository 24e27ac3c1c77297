// Fine-tuning knows nothing of SigLIP: every weight of its image tower is in θ and trains.
#include <torch/torch.h>

#include "core/model/model_loader.h"
#include "core/train/fine_tuner.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_data.h"
#include "tests/support/tiny_siglip.h"

namespace modelpatch::train {
namespace {

TEST(SiglipFineTuneTest, EveryWeightTrainsAndTheLossFalls) {
  const testing::ScratchDirectory scratch;
  ASSERT_NO_FATAL_FAILURE(testing::WriteTinySiglip(scratch.Path("siglip")));
  ASSERT_OK_AND_ASSIGN(const auto model, model::LoadModel(scratch.Path("siglip"), tensor::Device(), {}));
  const std::vector<model::ClassPrompts> classes = {{"circle", {"a red circle"}}, {"house", {"a photo of a house"}}};
  ASSERT_OK_AND_ASSIGN(const model::ZeroShotHead head, model::MakeZeroShotHead(*model, classes, {}));
  FineTuneOptions options;
  options.steps = 30;
  options.warmup_steps = 0;
  options.learning_rate = 1e-2;
  FineTuner tuner({model, head}, options);
  torch::manual_seed(1);
  const std::vector<int32_t> labels = {0, 1, 0, 1};
  // The classes differ in brightness.
  const at::Tensor pixels =
      torch::randn({4, 3, 20, 20}) * 0.1 + torch::tensor({-0.5f, 0.5f, -0.5f, 0.5f}).view({4, 1, 1, 1});
  ASSERT_OK_AND_ASSIGN(const StepReport first, tuner.Step(pixels, labels));
  StepReport last = first;
  for (int i = 1; i < 30; ++i) {
    ASSERT_OK_AND_ASSIGN(last, tuner.Step(pixels, labels));
  }
  EXPECT_LT(last.loss, 0.2 * first.loss);
  const tensor::WeightSet& start = model->image_weights;
  for (size_t i = 0; i < start.views().size(); ++i) {
    EXPECT_FALSE(at::equal(tuner.weights().views()[i], start.views()[i])) << start.layout().weights()[i].spec.name;
  }
}

}  // namespace
}  // namespace modelpatch::train
