#include "server/checkpoint_weights.h"

#include <torch/torch.h>

#include <algorithm>
#include <utility>

#include "core/data/task.h"
#include "core/patch/evaluation.h"
#include "core/patch/interpolation.h"
#include "core/patch/weight_metrics.h"
#include "core/tensor/guard.h"

namespace modelpatch::server {
namespace {

// As in a search step: enough for a stable value, few enough to be quick.
constexpr int64_t kCkaExamples = 1000;
constexpr int64_t kCkaBatch = 64;

absl::StatusOr<at::Tensor> FeaturesOf(const model::ClipModel& model, const tensor::WeightSet& weights,
                                      const patch::EvaluationSet& set, const patch::FeatureFunction& features,
                                      const base::CancellationToken& cancellation) {
  const int64_t count = std::min(kCkaExamples, set.pixels->count);
  const int64_t side = set.pixels->image_size;
  std::vector<at::Tensor> parts;
  for (int64_t begin = 0; begin < count; begin += kCkaBatch) {
    MP_RETURN_IF_ERROR(cancellation.Check());
    const int64_t size = std::min(kCkaBatch, count - begin);
    at::Tensor pixels = at::empty({size, 3, side, side}, at::kFloat);
    set.pixels->Normalize(begin, begin + size, model.preprocess, pixels.data_ptr<float>());
    MP_ASSIGN_OR_RETURN(at::Tensor part, features(weights, pixels));
    parts.push_back(std::move(part));
  }
  return at::cat(parts);
}

}  // namespace

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
  return tensor::Guarded([&]() -> absl::StatusOr<double> {
    const at::NoGradGuard no_grad;
    MP_ASSIGN_OR_RETURN(const data::Task task, data::OpenTask(task_name, source));
    MP_ASSIGN_OR_RETURN(const patch::EvaluationSet set,
                        patch::MakeEvaluationSet(*model, task, patch::TaskRole::kSupported, data::Split::kValidation,
                                                 /*threads=*/1, kCkaExamples, cancellation));
    const patch::FeatureFunction features = patch::DirectFeatures(model);
    const tensor::Device device = model->image_weights.device();
    MP_ASSIGN_OR_RETURN(const at::Tensor a, FeaturesOf(*model, device.is_cuda() ? first.CloneTo(device) : first, set,
                                                       features, cancellation));
    MP_ASSIGN_OR_RETURN(const at::Tensor b, FeaturesOf(*model, device.is_cuda() ? second.CloneTo(device) : second, set,
                                                       features, cancellation));
    return patch::LinearCka(a, b);
  });
}

}  // namespace modelpatch::server
