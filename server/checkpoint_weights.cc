#include "server/checkpoint_weights.h"

#include <fmt/format.h>
#include <torch/torch.h>

#include <algorithm>
#include <utility>

#include "core/data/task.h"
#include "core/patch/feature_similarity.h"
#include "core/patch/interpolation.h"
#include "core/patch/merging.h"
#include "core/patch/weight_metrics.h"
#include "core/tensor/guard.h"

namespace modelpatch::server {
namespace {

// Reads blobs to the model's device.
patch::BlobLoader LoaderOf(const model::ClipModel& model, const store::BlobStore& blobs) {
  return [&](const std::string& digest) -> absl::StatusOr<std::shared_ptr<const tensor::WeightSet>> {
    const tensor::WeightSet& zero_shot = model.image_weights;
    MP_ASSIGN_OR_RETURN(tensor::WeightSet weights, blobs.Get(digest, zero_shot.shared_layout()));
    if (zero_shot.device().is_cuda()) weights = weights.CloneTo(zero_shot.device());
    return std::make_shared<const tensor::WeightSet>(std::move(weights));
  };
}

// A merge's coefficients are those of the terms.
absl::Status AtTerms(const absl::Status& status) {
  constexpr std::string_view kCoefficients = "coefficients";
  const std::string of_merge = base::FieldOf(status);
  if (of_merge.compare(0, kCoefficients.size(), kCoefficients) != 0) return status;
  const std::string index = of_merge.substr(kCoefficients.size());
  const std::string field = index.empty() ? "terms" : fmt::format("terms{}.coefficient", index);
  return base::WithField(base::Error(status.code(), base::ReasonOf(status), std::string(status.message())), field);
}

}  // namespace

absl::StatusOr<tensor::WeightSet> MergeWeights(const model::ClipModel& model, std::span<const patch::MixtureTerm> terms,
                                               const store::BlobStore& blobs) {
  return tensor::Guarded([&]() -> absl::StatusOr<tensor::WeightSet> {
    const at::NoGradGuard no_grad;
    const tensor::WeightSet& zero_shot = model.image_weights;
    const tensor::Device device = zero_shot.device();
    tensor::WeightSet merged(zero_shot.shared_layout(), device);
    MP_RETURN_IF_ERROR(
        patch::InterpolateTerms(zero_shot, patch::CanonicalTerms(terms), LoaderOf(model, blobs), merged));
    if (!at::isfinite(merged.flat()).all().item<bool>()) {
      return base::FailedPrecondition(
          "WEIGHTS_NOT_FINITE",
          "the mixture's weights are infinite or not a number; use coefficients closer to [0, 1]");
    }
    return device.is_cuda() ? merged.CloneTo(tensor::Device()) : merged;
  });
}

absl::StatusOr<tensor::WeightSet> MergeWeightsBy(const patch::MergeOptions& options, const model::ClipModel& model,
                                                 std::span<const patch::MixtureTerm> terms,
                                                 const store::BlobStore& blobs,
                                                 const base::CancellationToken& cancellation) {
  return tensor::Guarded([&]() -> absl::StatusOr<tensor::WeightSet> {
    // Merged in the CPU's memory in any case.
    const tensor::WeightSet zero_shot = model.image_weights.CloneTo(tensor::Device());
    std::vector<patch::BlobWeights> checkpoints;
    std::vector<double> coefficients;
    for (const patch::MixtureTerm& term : terms) {
      MP_RETURN_IF_ERROR(cancellation.Check());
      MP_ASSIGN_OR_RETURN(tensor::WeightSet weights, blobs.Get(term.blob, zero_shot.shared_layout()));
      checkpoints.push_back({term.blob, std::make_shared<const tensor::WeightSet>(std::move(weights))});
      coefficients.push_back(term.coefficient);
    }
    tensor::WeightSet merged(zero_shot.shared_layout(), tensor::Device());
    MP_RETURN_IF_ERROR(
        AtTerms(patch::MergeCheckpoints({zero_shot, checkpoints, coefficients, {}}, options, cancellation, merged)));
    return merged;
  });
}

absl::StatusOr<WeightComparison> CompareWeightSets(const tensor::WeightSet& zero_shot, const tensor::WeightSet& first,
                                                   const tensor::WeightSet& second) {
  return tensor::Guarded([&] {
    const at::NoGradGuard no_grad;
    const int64_t count = zero_shot.layout().parameter_count();
    const at::Tensor base = zero_shot.flat().cpu();
    const patch::WeightSimilarity similarity = patch::CompareWeights(first.flat(), second.flat(), count);
    WeightComparison result;
    result.cosine = similarity.cosine;
    result.mean_absolute_difference = similarity.mean_absolute_difference;
    result.distance = (first.flat() - second.flat()).norm(2, at::kDouble).item<double>();
    const at::Tensor first_vector = first.flat() - base;
    const at::Tensor second_vector = second.flat() - base;
    if (first_vector.any().item<bool>() && second_vector.any().item<bool>()) {
      result.task_vector_cosine = patch::CompareWeights(first_vector, second_vector, count).cosine;
    }
    return result;
  });
}

absl::StatusOr<double> CompareFeatures(const std::shared_ptr<const model::ClipModel>& model,
                                       const tensor::WeightSet& first, const tensor::WeightSet& second,
                                       const std::string& task_name, const data::TaskSource& source,
                                       const base::CancellationToken& cancellation) {
  MP_ASSIGN_OR_RETURN(const data::Task task, data::OpenTask(task_name, source));
  const tensor::Device device = model->image_weights.device();
  return tensor::Guarded([&] {
    return patch::CompareFeatures(model, device.is_cuda() ? first.CloneTo(device) : first,
                                  device.is_cuda() ? second.CloneTo(device) : second, task, /*threads=*/1,
                                  cancellation);
  });
}

}  // namespace modelpatch::server
