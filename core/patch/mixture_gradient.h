// MixtureGradient: the gradient of a validation loss in the coefficients of a mixture, for the gradient search.
//
// At θ(α) = θ_zs + Σ αᵢ·τᵢ, τᵢ = θᵢ − θ_zs, the chain rule gives ∂L/∂αᵢ = ⟨∂L/∂θ, τᵢ⟩: one backward pass gives all of
// them, and restricted to the ranges of a group those of that group (see task_vector_products.h). BatchNorm's
// statistics are those of θ(α), as where it is served; their own part of the gradient is left out. One thread. Holds
// two vectors of θ's size, and the checkpoints.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/patch/coefficient_groups.h"
#include "core/patch/coefficient_search.h"
#include "core/patch/evaluation.h"

namespace modelpatch::patch {

struct MixtureGradientInput {
  std::shared_ptr<const model::ClipModel> model;
  // In the order of the coefficients; on the model's device.
  std::vector<BlobWeights> checkpoints;
  // Validation data, of one task at least. An example is told apart from its candidates (see PixelSet).
  std::vector<EvaluationSet> sets;
  CoefficientGroups groups;
  // Of each set a step; all, where it has fewer.
  int64_t batch_size = 128;
  uint64_t seed = 0;
  // What the search's objective is, and with it the loss, where L(t) is the mean over task t's examples of
  // 1 − p(label), p the softmax of the logits at the model's scale: the error of a classifier that draws its answer
  // from p. It has the units of the accuracies that the search compares; cross-entropy has none, and the task that is
  // worst at it would outweigh all others.
  //   kMean    ½·mean of L over patching tasks + ½·mean of L over supported tasks (the one mean where a kind is
  //            absent);
  //   kBudget  mean of L over patching tasks + 10·mean over supported tasks of max(0, L(t) at θ(α) − L(t) at θ_zs): a
  //            penalty, since drawn answers lose more or less than the best ones do. L at θ_zs costs one evaluation of
  //            the supported tasks, at the first step.
  AlphaPolicy policy = AlphaPolicy::kMean;
  model::Precision precision = model::Precision::kFloat32;
};

class MixtureGradient {
 public:
  // Throws what libtorch throws: call inside Guarded.
  explicit MixtureGradient(MixtureGradientInput input);
  ~MixtureGradient();
  MixtureGradient(const MixtureGradient&) = delete;
  MixtureGradient& operator=(const MixtureGradient&) = delete;

  // At coefficients [k·groups], checkpoint by checkpoint, on step `step`'s examples: a pure function of both, the seed
  // and the sets. Each epoch of steps sees every example of a set once, in an order of its own. FAILED_PRECONDITION
  // (LOSS_NOT_FINITE); CANCELLED between tasks; what Guarded makes of libtorch's exceptions.
  absl::StatusOr<CoefficientGradient> Differentiate(std::span<const double> coefficients, int64_t step,
                                                    const base::CancellationToken& cancellation);

 private:
  struct State;
  // A task's part of the loss, and the factor of its own loss in it.
  struct TermOfLoss {
    double factor;
    double value;
  };

  // Which examples of a set step `step` sees.
  std::vector<int64_t> ExamplesOf(size_t set, int64_t step);
  // 1 − p(label) of each of these examples, [B].
  at::Tensor LossesOf(const std::vector<at::Tensor>& weights, size_t set, std::span<const int64_t> examples) const;
  // `loss` is the mean over these examples.
  TermOfLoss TermOf(size_t set, std::span<const int64_t> examples, double loss) const;
  // Once, where the policy needs it; adds what it cost.
  absl::Status MeasureZeroShot(const base::CancellationToken& cancellation, double& evaluations);

  const MixtureGradientInput input_;
  std::unique_ptr<State> state_;
};

}  // namespace modelpatch::patch
