#include "core/patch/merging.h"

#include <fmt/format.h>
#include <torch/torch.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <numeric>
#include <tuple>
#include <utility>
#include <vector>

#include "core/patch/merge_methods.h"
#include "core/patch/piece_loop.h"
#include "core/tensor/guard.h"

namespace modelpatch::patch {
namespace {

absl::Status CheckCoefficients(std::span<const double> coefficients, MergeMethod method) {
  const bool averages = method == MergeMethod::kTies || method == MergeMethod::kFisher || method == MergeMethod::kSlerp;
  double sum = 0;
  for (size_t i = 0; i < coefficients.size(); ++i) {
    if (!std::isfinite(coefficients[i]) || (averages && coefficients[i] < 0)) {
      return base::WithField(
          base::InvalidArgument("BAD_COEFFICIENT",
                                fmt::format("a coefficient of a merge by {} is {}; use {}", NameOf(method),
                                            coefficients[i], averages ? "0 or more" : "a finite number")),
          fmt::format("coefficients[{}]", i));
    }
    sum += coefficients[i];
  }
  if (averages && !(sum > 0 && std::isfinite(sum))) {
    return base::WithField(
        base::InvalidArgument("BAD_COEFFICIENT", fmt::format("the coefficients of a merge by {} add up to {}; they are "
                                                             "weights of a mean, so one must be above 0",
                                                             NameOf(method), sum)),
        "coefficients");
  }
  return absl::OkStatus();
}

absl::Status CheckInput(const MergeInput& input, const MergeOptions& options) {
  MP_RETURN_IF_ERROR(CheckMerge(options, input.checkpoints.size()));
  if (input.coefficients.size() != input.checkpoints.size()) {
    return base::WithField(
        base::InvalidArgument("BAD_COEFFICIENT", fmt::format("{} coefficients for {} checkpoints",
                                                             input.coefficients.size(), input.checkpoints.size())),
        "coefficients");
  }
  MP_RETURN_IF_ERROR(CheckCoefficients(input.coefficients, options.method));
  for (const BlobWeights& checkpoint : input.checkpoints) {
    if (checkpoint.weights->layout().digest() != input.base.layout().digest()) {
      return base::FailedPrecondition(
          "LAYOUT_MISMATCH", fmt::format("the checkpoint with blob {} was not made from this model", checkpoint.blob));
    }
  }
  const bool has_fishers = options.method != MergeMethod::kFisher ||
                           (input.fishers.size() == input.checkpoints.size() &&
                            std::all_of(input.fishers.begin(), input.fishers.end(), [&](const auto& fisher) {
                              return fisher->layout().digest() == input.base.layout().digest();
                            }));
  if (has_fishers) return absl::OkStatus();
  return base::FailedPrecondition("BAD_FISHER", "a merge by fisher needs the Fisher information of each checkpoint");
}

bool IsFinite(const tensor::WeightSet& weights) {
  const float* values = weights.flat().data_ptr<float>();
  std::atomic<bool> finite = true;
  ForEachPiece(weights.flat().numel(), [&](int64_t begin, int64_t count) {
    for (int64_t i = begin; i < begin + count; ++i) {
      if (!std::isfinite(values[i])) finite = false;
    }
  });
  return finite;
}

absl::Status NotFinite() {
  return base::FailedPrecondition(
      "WEIGHTS_NOT_FINITE",
      "weights are infinite or not a number; merge checkpoints that are sound, with coefficients closer to [0, 1]");
}

absl::Status MergeLinearly(const MergeInput& input, const tensor::WeightSet& out) {
  std::vector<MixtureTerm> terms;
  for (size_t i = 0; i < input.checkpoints.size(); ++i) {
    terms.push_back({input.checkpoints[i].blob, input.coefficients[i]});
  }
  const BlobLoader load = [&](const std::string& blob) -> absl::StatusOr<std::shared_ptr<const tensor::WeightSet>> {
    const auto found = std::find_if(input.checkpoints.begin(), input.checkpoints.end(),
                                    [&](const BlobWeights& checkpoint) { return checkpoint.blob == blob; });
    return found->weights;
  };
  MP_RETURN_IF_ERROR(InterpolateTerms(input.base, CanonicalTerms(terms), load, out));
  return at::isfinite(out.flat()).all().item<bool>() ? absl::OkStatus() : NotFinite();
}

absl::Status MergeParted(const MergeParts& parts, const MergeOptions& options) {
  double divisor = CoefficientSum(parts);
  switch (options.method) {
    case MergeMethod::kTaskArithmetic:
      return base::Internal("NOT_A_METHOD", "task arithmetic is linear");
    case MergeMethod::kTies:
      MergeByTies(parts, options.density);
      break;
    case MergeMethod::kDare:
      MergeByDare(parts, options.drop_rate, options.seed);
      divisor = std::max(1.0, divisor);
      break;
    case MergeMethod::kFisher:
      MP_RETURN_IF_ERROR(MergeByFisher(parts));
      break;
    case MergeMethod::kSlerp:
      MP_RETURN_IF_ERROR(MergeBySlerp(parts));
      break;
  }
  AverageBuffers(parts, divisor);
  return absl::OkStatus();
}

// What lies on another device is cloned: a merge is made once.
tensor::WeightSet OnCpu(const tensor::WeightSet& weights) {
  return weights.device().is_cuda() ? weights.CloneTo(tensor::Device()) : weights;
}

absl::Status MergeOnCpu(const MergeInput& input, const MergeOptions& options,
                        const base::CancellationToken& cancellation, const tensor::WeightSet& out) {
  const tensor::WeightSet base = OnCpu(input.base);
  const tensor::WeightLayout& layout = base.layout();
  std::vector<size_t> order(input.checkpoints.size());
  std::iota(order.begin(), order.end(), size_t{0});
  const auto key = [&](size_t i) { return std::tie(input.checkpoints[i].blob, input.coefficients[i]); };
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return key(a) < key(b); });

  tensor::WeightSet merged = out.device().is_cuda() ? tensor::WeightSet(base.shared_layout(), tensor::Device()) : out;
  MergeParts parts{base.flat().data_ptr<float>(),  {}, layout.trainable_size(), 0, layout.storage_size(),
                   merged.flat().data_ptr<float>()};
  for (const tensor::WeightInfo& weight : layout.weights()) {
    if (!weight.spec.is_buffer) parts.trainable_count += weight.numel;
  }
  std::vector<tensor::WeightSet> held;
  const auto hold = [&](const tensor::WeightSet& weights) {
    held.push_back(OnCpu(weights));
    return held.back().flat().data_ptr<float>();
  };
  for (const size_t i : order) {
    MP_RETURN_IF_ERROR(cancellation.Check());
    const float* weights = hold(*input.checkpoints[i].weights);
    if (!IsFinite(held.back())) return NotFinite();
    const float* fisher = options.method == MergeMethod::kFisher ? hold(*input.fishers[i]) : nullptr;
    parts.checkpoints.push_back({input.checkpoints[i].blob, weights, input.coefficients[i], fisher});
  }
  MP_RETURN_IF_ERROR(MergeParted(parts, options));
  if (!IsFinite(merged)) return NotFinite();
  if (out.device().is_cuda()) at::Tensor(out.flat()).copy_(merged.flat());
  return absl::OkStatus();
}

}  // namespace

double CoefficientSum(const MergeParts& parts) {
  double sum = 0;
  for (const MergeParts::Checkpoint& checkpoint : parts.checkpoints) sum += checkpoint.coefficient;
  return sum;
}

void AverageBuffers(const MergeParts& parts, double divisor) {
  for (int64_t i = parts.trainable_size; i < parts.storage_size; ++i) {
    const auto base = static_cast<double>(parts.base[i]);
    double sum = 0;
    for (const MergeParts::Checkpoint& checkpoint : parts.checkpoints) {
      sum += checkpoint.coefficient / divisor * (static_cast<double>(checkpoint.weights[i]) - base);
    }
    parts.out[i] = static_cast<float>(base + sum);
  }
}

absl::Status MergeCheckpoints(const MergeInput& input, const MergeOptions& options,
                              const base::CancellationToken& cancellation, const tensor::WeightSet& out) {
  return tensor::Guarded([&]() -> absl::Status {
    const at::NoGradGuard no_grad;
    MP_RETURN_IF_ERROR(CheckInput(input, options));
    MP_RETURN_IF_ERROR(cancellation.Check());
    if (options.method == MergeMethod::kTaskArithmetic) return MergeLinearly(input, out);
    return MergeOnCpu(input, options, cancellation, out);
  });
}

}  // namespace modelpatch::patch
