#include "core/patch/feature_similarity.h"

#include <torch/torch.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "core/patch/weight_metrics.h"
#include "core/tensor/guard.h"

namespace modelpatch::patch {
namespace {

constexpr int64_t kExamples = 1000;
constexpr int64_t kBatch = 64;

// [N, embedding_width] on the CPU.
absl::StatusOr<at::Tensor> FeaturesOf(const model::ClipModel& model, const tensor::WeightSet& weights,
                                      const data::PixelSet& pixels, const FeatureFunction& features,
                                      const base::CancellationToken& cancellation) {
  std::vector<at::Tensor> parts;
  for (int64_t begin = 0; begin < pixels.count; begin += kBatch) {
    MP_RETURN_IF_ERROR(cancellation.Check());
    const int64_t size = std::min(kBatch, pixels.count - begin);
    at::Tensor batch = at::empty({size, 3, pixels.image_size.height, pixels.image_size.width}, at::kFloat);
    pixels.Normalize(begin, begin + size, model.preprocess, batch.data_ptr<float>());
    MP_ASSIGN_OR_RETURN(at::Tensor part, features(weights, batch));
    parts.push_back(std::move(part));
  }
  return at::cat(parts);
}

}  // namespace

absl::StatusOr<double> CompareFeatures(const std::shared_ptr<const model::ClipModel>& model,
                                       const tensor::WeightSet& first, const tensor::WeightSet& second,
                                       const data::Task& task, int threads,
                                       const base::CancellationToken& cancellation) {
  return tensor::Guarded([&]() -> absl::StatusOr<double> {
    const at::NoGradGuard no_grad;
    MP_ASSIGN_OR_RETURN(const data::PixelSet pixels,
                        data::PreprocessDataset(*task.split(data::Split::kValidation), model->preprocess, threads,
                                                cancellation, kExamples));
    const FeatureFunction features = DirectFeatures(model);
    MP_ASSIGN_OR_RETURN(const at::Tensor a, FeaturesOf(*model, first, pixels, features, cancellation));
    MP_ASSIGN_OR_RETURN(const at::Tensor b, FeaturesOf(*model, second, pixels, features, cancellation));
    return LinearCka(a, b);
  });
}

}  // namespace modelpatch::patch
