#include "core/train/fisher.h"

#include <torch/torch.h>

#include <algorithm>
#include <utility>

#include "core/base/random.h"
#include "core/data/batch_loader.h"
#include "core/model/candidate_mask.h"
#include "core/model/encoder_weights.h"
#include "core/tensor/guard.h"
#include "core/tensor/trainable_weights.h"
#include "core/train/batch_pixels.h"

namespace modelpatch::train {
namespace {

// A class of the distribution whose logarithm is `logs` [C].
int64_t DrawLabel(const at::Tensor& logs, base::RandomStream random) {
  const at::Tensor probabilities = logs.detach().to(at::kCPU, at::kDouble).exp().contiguous();
  const double* p = probabilities.data_ptr<double>();
  const double drawn = random.Uniform();
  double sum = 0;
  int64_t last_possible = 0;
  for (int64_t label = 0; label < probabilities.numel(); ++label) {
    if (p[label] <= 0) continue;
    last_possible = label;
    sum += p[label];
    if (drawn < sum) break;
  }
  return last_possible;
}

}  // namespace

absl::StatusOr<tensor::WeightSet> EstimateFisher(const tensor::WeightSet& weights, const ExampleLogits& logits,
                                                 int64_t examples, uint64_t seed,
                                                 const base::CancellationToken& cancellation) {
  return tensor::Guarded([&]() -> absl::StatusOr<tensor::WeightSet> {
    const at::AutoGradMode with_gradients(true);
    // Nothing steps these: they are there for their gradient.
    tensor::TrainableWeights leaves(weights);
    const tensor::WeightSet fisher(weights.shared_layout(), weights.device());
    at::Tensor squares = fisher.flat().narrow(0, 0, weights.layout().trainable_size());
    for (int64_t i = 0; i < examples; ++i) {
      MP_RETURN_IF_ERROR(cancellation.Check());
      leaves.ZeroGradient();
      MP_ASSIGN_OR_RETURN(const at::Tensor row, logits(i, leaves.parameters()));
      const at::Tensor logs = at::log_softmax(row, 1)[0];
      const int64_t label = DrawLabel(logs, base::RandomStream(seed, "fisher label", 0, static_cast<uint64_t>(i)));
      logs[label].backward();
      squares.addcmul_(leaves.gradient(), leaves.gradient());
    }
    squares.div_(static_cast<double>(examples));
    if (!at::isfinite(squares).all().item<bool>()) {
      return base::FailedPrecondition("TRAINING_DIVERGED",
                                      "the Fisher information is infinite or not a number; lower the learning rate");
    }
    return fisher;
  });
}

absl::StatusOr<tensor::WeightSet> EstimateTaskFisher(const model::ClipModel& model, const tensor::WeightSet& weights,
                                                     const model::ZeroShotHead& head,
                                                     std::shared_ptr<const data::Dataset> dataset,
                                                     const FisherOptions& options,
                                                     const base::CancellationToken& cancellation) {
  const int64_t examples = std::min(options.examples, dataset->size());
  data::BatchLoaderOptions loading;
  // A gradient of its own for each example.
  loading.batch_size = 1;
  loading.seed = options.seed;
  loading.augment = false;
  data::BatchLoader loader(std::move(dataset), model.preprocess, loading);
  const auto logits = [&](int64_t, const std::vector<at::Tensor>& leaves) -> absl::StatusOr<at::Tensor> {
    MP_ASSIGN_OR_RETURN(data::Batch batch, loader.Next());
    // A copy, since the backward pass comes when the batch is gone.
    const at::Tensor pixels = PixelsOf(batch, model.preprocess.image_size).clone().to(head.embeddings->device());
    const std::vector<at::Tensor> rounded = model::RoundForCompute(weights.layout(), leaves, options.precision);
    const at::Tensor features = model::NormalizeFeatures(model.image_encoder->Forward(rounded, pixels));
    return model::MaskCandidates(at::mm(features, head.embeddings->t()) * model.logit_scale, batch.candidates);
  };
  return EstimateFisher(weights, logits, examples, options.seed, cancellation);
}

}  // namespace modelpatch::train
