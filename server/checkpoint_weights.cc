#include "server/checkpoint_weights.h"

#include <torch/torch.h>

#include <algorithm>
#include <utility>

#include "core/data/task.h"
#include "core/patch/feature_similarity.h"
#include "core/patch/interpolation.h"
#include "core/patch/weight_metrics.h"
#include "core/tensor/guard.h"

namespace modelpatch::server {
absl::StatusOr<tensor::WeightSet> MergeWeights(const model::ClipModel& model, std::span<const patch::MixtureTerm> terms,
                                               const store::BlobStore& blobs) {
  return tensor::Guarded([&]() -> absl::StatusOr<tensor::WeightSet> {
    const at::NoGradGuard no_grad;
    const tensor::WeightSet& zero_shot = model.image_weights;
    const tensor::Device device = zero_shot.device();
    const patch::BlobLoader load =
        [&](const std::string& digest) -> absl::StatusOr<std::shared_ptr<const tensor::WeightSet>> {
      MP_ASSIGN_OR_RETURN(tensor::WeightSet weights, blobs.Get(digest, zero_shot.shared_layout()));
      if (device.is_cuda()) weights = weights.CloneTo(device);
      return std::make_shared<const tensor::WeightSet>(std::move(weights));
    };
    tensor::WeightSet merged(zero_shot.shared_layout(), device);
    MP_RETURN_IF_ERROR(patch::InterpolateTerms(zero_shot, patch::CanonicalTerms(terms), load, merged));
    if (!at::isfinite(merged.flat()).all().item<bool>()) {
      return base::FailedPrecondition(
          "WEIGHTS_NOT_FINITE",
          "the mixture's weights are infinite or not a number; use coefficients closer to [0, 1]");
    }
    return device.is_cuda() ? merged.CloneTo(tensor::Device()) : merged;
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
