#include "core/patch/mixture_gradient.h"

#include <fmt/format.h>
#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/base/random.h"
#include "core/model/candidate_mask.h"
#include "core/model/encoder_weights.h"
#include "core/patch/task_vector_products.h"
#include "core/tensor/compat.h"
#include "core/tensor/guard.h"
#include "core/tensor/trainable_weights.h"

namespace modelpatch::patch {
namespace {

constexpr double kBudgetPenalty = 10;
// What a backward pass costs, in forward passes of the same examples.
constexpr double kBackwardCost = 2;

// Examples of a set, and what of them a loss is made of.
struct LossBatch {
  at::Tensor pixels;   // fp32 [B, 3, h, w]
  at::Tensor targets;  // int64 [B]
  std::vector<std::vector<int32_t>> candidates;
};

LossBatch BatchOf(const EvaluationSet& set, std::span<const int64_t> examples,
                  const data::PreprocessConfig& preprocess) {
  const data::PixelSet& source = *set.pixels;
  const auto count = static_cast<int64_t>(examples.size());
  LossBatch batch{at::empty({count, 3, source.image_size.height, source.image_size.width}, at::kFloat),
                  at::empty({count}, at::kLong),
                  {}};
  float* pixels = batch.pixels.data_ptr<float>();
  int64_t* targets = batch.targets.data_ptr<int64_t>();
  for (const int64_t example : examples) {
    source.Normalize(example, example + 1, preprocess, pixels);
    pixels += 3 * source.image_size.pixels();
    *targets++ = source.labels[static_cast<size_t>(example)];
    if (!source.candidates.empty()) batch.candidates.push_back(source.candidates[static_cast<size_t>(example)]);
  }
  return batch;
}

}  // namespace

struct MixtureGradient::State {
  explicit State(const MixtureGradientInput& input) : weights(input.model->image_weights.Clone()) {
    for (const EvaluationSet& set : input.sets) {
      examples += set.pixels->count;
      (set.role == TaskRole::kPatching ? patching_sets : supported_sets) += 1;
    }
    orders.resize(input.sets.size());
    zero_shot_losses.resize(input.sets.size());
  }

  tensor::TrainableWeights weights;
  int64_t examples = 0;
  int64_t patching_sets = 0;
  int64_t supported_sets = 0;
  // Of each set: an epoch's order.
  struct Order {
    int64_t epoch = -1;
    std::vector<int64_t> examples;
  };
  std::vector<Order> orders;
  // Of each supported set, with kBudget, once it is known: the loss of each example at θ_zs.
  std::vector<std::vector<double>> zero_shot_losses;
};

MixtureGradient::MixtureGradient(MixtureGradientInput input)
    : input_(std::move(input)), state_(std::make_unique<State>(input_)) {}
MixtureGradient::~MixtureGradient() = default;

std::vector<int64_t> MixtureGradient::ExamplesOf(size_t set, int64_t step) {
  const int64_t count = input_.sets[set].pixels->count;
  const int64_t size = std::min(input_.batch_size, count);
  State::Order& order = state_->orders[set];
  std::vector<int64_t> examples;
  for (int64_t place = step * size; place < (step + 1) * size; ++place) {
    if (const int64_t epoch = place / count; order.epoch != epoch) {
      base::RandomStream random(input_.seed, "gradient search", static_cast<uint64_t>(epoch), set);
      order = {epoch, random.Permutation(count)};
    }
    examples.push_back(order.examples[static_cast<size_t>(place % count)]);
  }
  return examples;
}

at::Tensor MixtureGradient::LossesOf(const std::vector<at::Tensor>& weights, size_t set,
                                     std::span<const int64_t> examples) const {
  const model::ClipModel& model = *input_.model;
  const EvaluationSet& source = input_.sets[set];
  const LossBatch batch = BatchOf(source, examples, model.preprocess);
  const at::Device device = weights.front().device();
  const std::vector<at::Tensor> rounded =
      model::RoundForCompute(model.image_weights.layout(), weights, input_.precision);
  const at::Tensor features = model.image_encoder->Forward(rounded, batch.pixels.to(device));
  const at::Tensor cosines = at::mm(model::NormalizeFeatures(features), source.head->embeddings->to(device).t());
  const at::Tensor logits = model::MaskCandidates(cosines * model.logit_scale, batch.candidates);
  const at::Tensor targets = batch.targets.to(device).unsqueeze(1);
  return 1 - at::softmax(logits, 1).gather(1, targets).squeeze(1);
}

absl::Status MixtureGradient::MeasureZeroShot(const base::CancellationToken& cancellation, double& evaluations) {
  if (input_.policy != AlphaPolicy::kBudget) return absl::OkStatus();
  const at::NoGradGuard no_grad;
  for (size_t set = 0; set < input_.sets.size(); ++set) {
    std::vector<double>& losses = state_->zero_shot_losses[set];
    const int64_t count = input_.sets[set].pixels->count;
    if (input_.sets[set].role != TaskRole::kSupported || static_cast<int64_t>(losses.size()) == count) continue;
    losses.clear();
    for (int64_t begin = 0; begin < count; begin += input_.batch_size) {
      MP_RETURN_IF_ERROR(cancellation.Check());
      std::vector<int64_t> examples;
      for (int64_t i = begin; i < std::min(count, begin + input_.batch_size); ++i) examples.push_back(i);
      const at::Tensor found = LossesOf(input_.model->image_weights.views(), set, examples).to(at::kDouble).cpu();
      losses.insert(losses.end(), found.data_ptr<double>(), found.data_ptr<double>() + found.numel());
    }
    evaluations += static_cast<double>(count) / static_cast<double>(state_->examples);
  }
  return absl::OkStatus();
}

absl::StatusOr<CoefficientGradient> MixtureGradient::Differentiate(std::span<const double> coefficients, int64_t step,
                                                                   const base::CancellationToken& cancellation) {
  return tensor::Guarded([&]() -> absl::StatusOr<CoefficientGradient> {
    CoefficientGradient result{0, {}, 0};
    MP_RETURN_IF_ERROR(MeasureZeroShot(cancellation, result.evaluations));
    InterpolateGroups(input_.model->image_weights, input_.checkpoints, coefficients, input_.groups,
                      state_->weights.weights());
    state_->weights.ZeroGradient();
    const at::AutoGradMode with_gradients(true);
    for (size_t set = 0; set < input_.sets.size(); ++set) {
      MP_RETURN_IF_ERROR(cancellation.Check());
      const std::vector<int64_t> examples = ExamplesOf(set, step);
      if (examples.empty()) continue;
      const at::Tensor loss = LossesOf(state_->weights.parameters(), set, examples).mean();
      const TermOfLoss term = TermOf(set, examples, loss.item<double>());
      result.loss += term.value;
      if (term.factor != 0) (loss * term.factor).backward();
      result.evaluations += (term.factor != 0 ? 1 + kBackwardCost : 1) * static_cast<double>(examples.size()) /
                            static_cast<double>(state_->examples);
    }
    if (!std::isfinite(result.loss)) {
      return base::FailedPrecondition(
          "LOSS_NOT_FINITE", fmt::format("at step {} of the gradient search the loss is {}; are the checkpoints sound?",
                                         step, result.loss));
    }
    result.gradient =
        TaskVectorProducts(state_->weights.gradient(), input_.model->image_weights, input_.checkpoints, input_.groups);
    return result;
  });
}

MixtureGradient::TermOfLoss MixtureGradient::TermOf(size_t set, std::span<const int64_t> examples, double loss) const {
  const bool is_patching = input_.sets[set].role == TaskRole::kPatching;
  const auto sets = static_cast<double>(is_patching ? state_->patching_sets : state_->supported_sets);
  if (input_.policy != AlphaPolicy::kBudget) {
    const bool has_both = state_->patching_sets > 0 && state_->supported_sets > 0;
    const double factor = (has_both ? 0.5 : 1.0) / sets;
    return {factor, factor * loss};
  }
  if (is_patching) return {1 / sets, loss / sets};
  double zero_shot = 0;
  for (const int64_t example : examples) zero_shot += state_->zero_shot_losses[set][static_cast<size_t>(example)];
  const double excess = loss - zero_shot / static_cast<double>(examples.size());
  // Not `excess <= 0`, which would hide a loss that is not a number.
  if (excess < 0 || excess == 0) return {0, 0};
  return {kBudgetPenalty / sets, kBudgetPenalty / sets * excess};
}

}  // namespace modelpatch::patch
