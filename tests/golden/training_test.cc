// Fine-tuning and interpolation against the reference's own training run.
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "core/model/class_prompts.h"
#include "core/model/model_loader.h"
#include "core/patch/interpolation.h"
#include "core/train/fine_tuner.h"
#include "tests/golden/golden_tensors.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_data.h"

namespace modelpatch {
namespace {

using testing::ExpectClose;
using testing::GoldenTensors;

constexpr int64_t kBatch = 16;
constexpr int64_t kBatches = 4;
constexpr double kLoss = 3e-4;
constexpr double kWeights = 1e-4;

class TrainingGoldenTest : public ::testing::Test {
 protected:
  void SetUp() override {
    MODELPATCH_TEST_DATA_OR_SKIP(root, "golden");
    root_ = root;
    auto model = model::LoadModel(root_ + "/models/a_vit/hf", tensor::Device(), {});
    ASSERT_TRUE(model.ok()) << model.status().ToString();
    model_ = *model;
    std::ifstream stream(root_ + "/train/a_vit/log.json");
    log_ = nlohmann::json::parse(stream);
  }

  model::ZeroShotHead Head(const std::string& task) const {
    const auto names = log_.at("classnames").at(task).get<std::vector<std::string>>();
    const auto templates = log_.at("templates").at(task).get<std::vector<std::string>>();
    const auto classes = model::ExpandClassPrompts(names, templates);
    EXPECT_TRUE(classes.ok());
    auto head = model::MakeZeroShotHead(*model_, *classes, {});
    EXPECT_TRUE(head.ok());
    return *head;
  }

  train::FineTuneOptions Options() const {
    train::FineTuneOptions options;
    options.steps = 40;
    options.batch_size = kBatch;
    options.learning_rate = 1e-3;
    options.warmup_steps = 8;
    return options;
  }

  // Batch s of the reference: images 16·(s mod 4) …, not shuffled.
  static std::vector<int32_t> Labels(const at::Tensor& labels, int64_t begin) {
    const at::Tensor part = labels.narrow(0, begin, kBatch).to(at::kInt).contiguous();
    return {part.data_ptr<int32_t>(), part.data_ptr<int32_t>() + kBatch};
  }

  // Compares the weights that `golden` holds; the key third of in_proj_bias has a true gradient of zero and is left
  // out.
  static void ExpectWeights(const std::vector<at::Tensor>& views, const tensor::WeightLayout& layout,
                            const GoldenTensors& golden, double tolerance) {
    for (const tensor::TensorInfo& info : golden.header().tensors) {
      const int64_t index = layout.IndexOf(info.name);
      ASSERT_GE(index, 0) << info.name;
      at::Tensor actual = views[static_cast<size_t>(index)].detach().clone();
      at::Tensor expected = golden.Get(info.name).clone();
      if (info.name.ends_with("in_proj_bias")) {
        const int64_t width = actual.size(0) / 3;
        actual.narrow(0, width, width).zero_();
        expected.narrow(0, width, width).zero_();
      }
      ExpectClose(actual, expected, tolerance, info.name);
    }
  }

  std::string root_;
  std::shared_ptr<const model::ClipModel> model_;
  nlohmann::json log_;
};

TEST_F(TrainingGoldenTest, HeadsMatch) {
  const GoldenTensors heads(root_ + "/train/a_vit/heads.safetensors");
  for (const char* task : {"Shapes", "Colors"}) {
    const at::Tensor head = *Head(task).embeddings;
    ExpectClose(head * model_->logit_scale, heads.Get(std::string(task) + ".weight"), 2e-4, task);
  }
}

TEST_F(TrainingGoldenTest, TheRunAndItsCurveMatch) {
  const GoldenTensors data(root_ + "/train/a_vit/pixels.safetensors");
  const at::Tensor pixels = data.Get("pixels");
  const at::Tensor labels = data.Get("labels");
  const model::ZeroShotHead head = Head("Shapes");
  train::FineTuner tuner({model_, head}, Options());
  for (int64_t step = 0; step < 40; ++step) {
    const int64_t begin = kBatch * (step % kBatches);
    ASSERT_OK_AND_ASSIGN(const train::StepReport report,
                         tuner.Step(pixels.narrow(0, begin, kBatch), Labels(labels, begin)));
    const auto at_step = static_cast<size_t>(step);
    EXPECT_NEAR(report.loss, log_.at("loss")[at_step].get<double>(), kLoss) << step;
    const double rate = log_.at("lr")[at_step].get<double>();
    EXPECT_NEAR(report.learning_rate, rate, rate * 1e-6) << step;
    const double norm = log_.at("grad_norm_before_clipping")[at_step].get<double>();
    EXPECT_NEAR(report.gradient_norm, norm, norm * 2e-3) << step;
    if (step == 0) {
      std::vector<at::Tensor> gradients;
      for (const at::Tensor& parameter : tuner.state().weights.parameters()) gradients.push_back(parameter.grad());
      ExpectWeights(gradients, tuner.weights().layout(),
                    GoldenTensors(root_ + "/train/a_vit/grads_step0_subset.safetensors"), 2e-4);
      ExpectWeights(tuner.weights().views(), tuner.weights().layout(),
                    GoldenTensors(root_ + "/train/a_vit/after_step1_subset.safetensors"), kWeights);
    }
  }
  ExpectWeights(tuner.weights().views(), tuner.weights().layout(),
                GoldenTensors(root_ + "/train/a_vit/final_visual.safetensors"), kWeights);

  const tensor::WeightSet mixture(model_->image_weights.shared_layout(), tensor::Device());
  const at::NoGradGuard no_grad;
  for (const auto& point : log_.at("accuracy_curve")) {
    const double alpha = point.at("alpha").get<double>();
    const patch::WeightedCheckpoint term{&tuner.weights(), alpha};
    patch::Interpolate(model_->image_weights, {&term, 1}, mixture);
    if (alpha > 0.25 && alpha < 0.35) {
      ExpectWeights(mixture.views(), mixture.layout(),
                    GoldenTensors(root_ + "/train/a_vit/interp_alpha03_subset.safetensors"), kWeights);
    }
    const at::Tensor features = model::NormalizeFeatures(model_->image_encoder->Forward(mixture.views(), pixels));
    const at::Tensor correct = at::mm(features, head.embeddings->t()).argmax(1).eq(labels);
    EXPECT_NEAR(correct.to(at::kDouble).mean().item<double>(), point.at("Shapes").get<double>(), 1.5 / 64) << alpha;
  }
}

}  // namespace
}  // namespace modelpatch
