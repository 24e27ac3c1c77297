#include "core/patch/mixture_gradient.h"

#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/model/image_encoder.h"
#include "tests/patch/generated_task.h"
#include "tests/support/status_matchers.h"
#include "tests/support/tiny_clip.h"

namespace modelpatch::patch {
namespace {

using ::modelpatch::testing::FailsWith;
using ::modelpatch::testing::GeneratedTask;
using Values = std::vector<double>;

BlobWeights Checkpoint(const std::string& blob, uint64_t seed, const model::VisionConfig* vision = nullptr) {
  return {blob, std::make_shared<const tensor::WeightSet>(testing::MakeTinyParts(seed, vision).image_weights)};
}

MixtureGradientInput InputOf(std::shared_ptr<const model::ClipModel> model, std::vector<BlobWeights> checkpoints) {
  MixtureGradientInput input;
  const auto set = [&](const std::string& generator, int64_t count, TaskRole role) {
    auto made = MakeEvaluationSet(*model, GeneratedTask(generator, count), role, data::Split::kValidation, 1, 0, {});
    EXPECT_OK(made);
    return *made;
  };
  input.sets = {set("digits", 40, TaskRole::kPatching), set("shapes", 24, TaskRole::kSupported)};
  input.groups = GroupWeights(model->image_weights.layout(), CoefficientGroup::kModel);
  input.model = std::move(model);
  input.checkpoints = std::move(checkpoints);
  input.batch_size = 16;
  input.seed = 3;
  return input;
}

MixtureGradientInput TransformerInput() {
  return InputOf(testing::MakeTinyModel(1), {Checkpoint("x", 2), Checkpoint("y", 3)});
}

CoefficientGradient At(MixtureGradient& gradient, const Values& coefficients, int64_t step) {
  auto result = gradient.Differentiate(coefficients, step, {});
  EXPECT_OK(result);
  return *std::move(result);
}

void ExpectFiniteDifferences(MixtureGradient& gradient, const Values& at, int64_t step) {
  constexpr double kStep = 0.01;
  const CoefficientGradient found = At(gradient, at, step);
  ASSERT_EQ(found.gradient.size(), at.size());
  double largest = 0;
  for (const double value : found.gradient) largest = std::max(largest, std::abs(value));
  EXPECT_GT(largest, 0.01) << "the example says little";
  for (size_t i = 0; i < at.size(); ++i) {
    Values after = at, before = at;
    after[i] += kStep;
    before[i] -= kStep;
    const double expected = (At(gradient, after, step).loss - At(gradient, before, step).loss) / (2 * kStep);
    EXPECT_NEAR(found.gradient[i], expected, 0.02 * largest) << i;
  }
}

// The mean of 1 − p(label) of a set at weights, one example after the other.
double LossAt(const model::ClipModel& model, const tensor::WeightSet& weights, const EvaluationSet& set) {
  const at::NoGradGuard no_grad;
  double sum = 0;
  for (int64_t i = 0; i < set.pixels->count; ++i) {
    at::Tensor pixels = at::empty({1, 3, set.pixels->image_size.height, set.pixels->image_size.width}, at::kFloat);
    set.pixels->Normalize(i, i + 1, model.preprocess, pixels.data_ptr<float>());
    const at::Tensor features = model.image_encoder->Forward(weights.views(), pixels)[0];
    const at::Tensor unit = (features / features.norm()).to(at::kDouble);
    const auto place = static_cast<size_t>(i);
    double total = 0, own = 0;
    for (int64_t c = 0; c < set.head->embeddings->size(0); ++c) {
      const std::vector<std::vector<int32_t>>& candidates = set.pixels->candidates;
      if (!candidates.empty() && std::count(candidates[place].begin(), candidates[place].end(), c) == 0) continue;
      const at::Tensor embedding = (*set.head->embeddings)[c].to(at::kDouble);
      const double logit = model.logit_scale * at::dot(unit, embedding).item<double>();
      total += std::exp(logit);
      if (c == set.pixels->labels[place]) own = std::exp(logit);
    }
    sum += 1 - own / total;
  }
  return sum / static_cast<double>(set.pixels->count);
}

tensor::WeightSet MixtureOf(const MixtureGradientInput& input, const Values& coefficients) {
  const tensor::WeightSet out(input.model->image_weights.shared_layout(), tensor::Device());
  InterpolateGroups(input.model->image_weights, input.checkpoints, coefficients, input.groups, out);
  return out;
}

TEST(MixtureGradientTest, MatchesFiniteDifferences) {
  MixtureGradient gradient(TransformerInput());
  ExpectFiniteDifferences(gradient, {0.3, 0.4}, 0);
  ExpectFiniteDifferences(gradient, {0.05, 0.9}, 5);
}

TEST(MixtureGradientTest, MatchesFiniteDifferencesForGroups) {
  MixtureGradientInput input = TransformerInput();
  input.groups = GroupWeights(input.model->image_weights.layout(), CoefficientGroup::kBlock);
  MixtureGradient gradient(std::move(input));
  ExpectFiniteDifferences(gradient, {0.3, 0.4, 0.1, 0.9, 0.2, 0.5, 0.7, 0.6}, 1);
}

TEST(MixtureGradientTest, MatchesFiniteDifferencesOfAResNet) {
  model::VisionConfig vision;
  vision.image_size = 32;
  vision.width = 8;
  vision.heads = 4;
  vision.stages = {1, 1, 1, 1};
  // A Hugging Face directory has no ResNets: the tiny model with another tower.
  const auto model = std::make_shared<model::ClipModel>(*testing::MakeTinyModel(1));
  model->config.vision = vision;
  model->preprocess.image_size = vision.image_size;
  model->image_encoder = model::MakeImageEncoder(vision, model->config.embedding_width);
  model->image_weights = testing::MakeTinyParts(1, &vision).image_weights;
  MixtureGradient gradient(InputOf(model, {Checkpoint("x", 2, &vision), Checkpoint("y", 3, &vision)}));
  ExpectFiniteDifferences(gradient, {0.3, 0.4}, 0);
}

TEST(MixtureGradientTest, GroupsAddUpToTheModel) {
  MixtureGradientInput input = TransformerInput();
  MixtureGradient whole(input);
  const CoefficientGradient of_model = At(whole, {0.3, 0.4}, 2);
  for (const CoefficientGroup kind : {CoefficientGroup::kBlock, CoefficientGroup::kLayer}) {
    input.groups = GroupWeights(input.model->image_weights.layout(), kind);
    const size_t groups = input.groups.count();
    MixtureGradient grouped(input);
    Values at(groups, 0.3);
    at.insert(at.end(), groups, 0.4);
    const CoefficientGradient found = At(grouped, at, 2);
    EXPECT_EQ(found.loss, of_model.loss);
    for (size_t i = 0; i < 2; ++i) {
      double sum = 0;
      for (size_t g = 0; g < groups; ++g) sum += found.gradient[i * groups + g];
      EXPECT_NEAR(sum, of_model.gradient[i], 1e-9);
    }
  }
}

TEST(MixtureGradientTest, TheLossIsTheObjectivesMean) {
  MixtureGradientInput input = TransformerInput();
  input.batch_size = 100;  // all examples
  const Values at = {0.3, 0.4};
  const tensor::WeightSet weights = MixtureOf(input, at);
  const double patching = LossAt(*input.model, weights, input.sets[0]);
  const double supported = LossAt(*input.model, weights, input.sets[1]);
  MixtureGradient gradient(input);
  const CoefficientGradient found = At(gradient, at, 0);
  EXPECT_NEAR(found.loss, (patching + supported) / 2, 1e-4);
  // A forward and a backward of everything.
  EXPECT_DOUBLE_EQ(found.evaluations, 3);
}

TEST(MixtureGradientTest, ABudgetPenalisesWhatSupportedTasksLose) {
  MixtureGradientInput input = TransformerInput();
  input.policy = AlphaPolicy::kBudget;
  input.batch_size = 100;
  const EvaluationSet supported = input.sets[1];
  bool was_penalised = false;
  bool was_not = false;
  for (const bool forgets : {true, false}) {
    // The labels are what θ_zs sees, so that moving loses; or what the checkpoint sees, so that moving gains.
    const tensor::WeightSet& right = forgets ? input.model->image_weights : *input.checkpoints[0].weights;
    data::PixelSet pixels = *supported.pixels;
    ASSERT_OK_AND_ASSIGN(pixels.labels,
                         EvaluatePredictions(*input.model, right, supported, DirectFeatures(input.model), {}));
    input.sets[1].pixels = std::make_shared<const data::PixelSet>(std::move(pixels));
    MixtureGradient gradient(input);
    const Values at = {0.6, 0.0};
    const double patching = LossAt(*input.model, MixtureOf(input, at), input.sets[0]);
    const double excess = LossAt(*input.model, MixtureOf(input, at), input.sets[1]) -
                          LossAt(*input.model, input.model->image_weights, input.sets[1]);
    (excess > 0 ? was_penalised : was_not) = true;
    const CoefficientGradient found = At(gradient, at, 0);
    EXPECT_NEAR(found.loss, patching + 10 * std::max(0.0, excess), 1e-3);
    // θ_zs on the supported task, once; a backward pass of it only where it counts.
    const double share = 24.0 / 64;
    EXPECT_NEAR(found.evaluations, share + 3 * (1 - share) + (excess > 0 ? 3 : 1) * share, 1e-12);
    EXPECT_NEAR(At(gradient, at, 1).evaluations, 3 * (1 - share) + (excess > 0 ? 3 : 1) * share, 1e-12);
    ExpectFiniteDifferences(gradient, at, 0);
  }
  EXPECT_TRUE(was_penalised);
  EXPECT_TRUE(was_not);
}

TEST(MixtureGradientTest, ExamplesAreToldApartFromTheirCandidates) {
  MixtureGradientInput input = TransformerInput();
  input.batch_size = 100;
  data::PixelSet pixels = *input.sets[0].pixels;
  for (const int32_t label : pixels.labels) {
    pixels.candidates.push_back(label == 0 ? std::vector<int32_t>{0, 7} : std::vector<int32_t>{0, label});
  }
  input.sets = {input.sets[0]};
  input.sets[0].pixels = std::make_shared<const data::PixelSet>(std::move(pixels));
  MixtureGradient gradient(input);
  const Values at = {0.5, 0.2};
  EXPECT_NEAR(At(gradient, at, 0).loss, LossAt(*input.model, MixtureOf(input, at), input.sets[0]), 1e-4);
  ExpectFiniteDifferences(gradient, at, 0);
}

TEST(MixtureGradientTest, AStepIsAFunctionOfItsNumberAndTheSeed) {
  MixtureGradientInput input = TransformerInput();
  MixtureGradient one(input);
  const Values at = {0.3, 0.4};
  const CoefficientGradient first = At(one, at, 7);
  At(one, {0.9, 0.1}, 2);
  const CoefficientGradient again = At(one, at, 7);
  EXPECT_EQ(first.loss, again.loss);
  EXPECT_EQ(first.gradient, again.gradient);
  EXPECT_NE(At(one, at, 8).loss, first.loss);
  // 16 of 40 and 16 of 24 examples.
  EXPECT_DOUBLE_EQ(first.evaluations, 3.0 * 32 / 64);
  input.seed = 4;
  MixtureGradient other(input);
  EXPECT_NE(At(other, at, 7).loss, first.loss);
}

TEST(MixtureGradientTest, IsCancelledAndRefusesWhatIsNotFinite) {
  MixtureGradientInput input = TransformerInput();
  MixtureGradient gradient(input);
  base::CancellationSource source;
  source.Cancel();
  EXPECT_EQ(gradient.Differentiate(Values{0.3, 0.4}, 0, source.token()).status().code(), absl::StatusCode::kCancelled);
  const tensor::WeightSet broken = input.checkpoints[0].weights->Clone();
  at::Tensor(broken.flat()).fill_(std::nan(""));
  input.checkpoints[0].weights = std::make_shared<const tensor::WeightSet>(broken);
  MixtureGradient of_broken(input);
  EXPECT_THAT(of_broken.Differentiate(Values{0.3, 0.4}, 0, {}),
              FailsWith(absl::StatusCode::kFailedPrecondition, "LOSS_NOT_FINITE"));
}

}  // namespace
}  // namespace modelpatch::patch
