#include "core/serve/batched_sweep.h"

#include <fmt/format.h>
#include <torch/torch.h>

#include <algorithm>
#include <future>
#include <memory>
#include <span>
#include <utility>

namespace modelpatch::serve {
namespace {

// Images in one background forward on the CPU, which whoever comes meanwhile must wait for.
constexpr int64_t kBackgroundImages = 16;

absl::Status CheckBytes(const std::vector<data::Task>& tasks, const std::vector<SweepTask>& entries,
                        data::ImageSize image_size, int64_t maximum_bytes) {
  const int64_t per_image = 3 * image_size.pixels();
  int64_t images = 0;
  for (size_t i = 0; i < tasks.size(); ++i) {
    const auto& split = tasks[i].split(entries[i].split);
    if (split != nullptr) images += split->size();
  }
  if (images <= maximum_bytes / per_image) return absl::OkStatus();
  return base::ResourceExhausted(
      "SWEEP_TOO_LARGE", fmt::format("the tasks' {} images would take {} bytes of memory, and one evaluation may take "
                                     "{}; evaluate fewer tasks at once, or smaller splits",
                                     images, images * per_image, maximum_bytes));
}

absl::StatusOr<at::Tensor> BackgroundFeatures(const std::shared_ptr<const model::ClipModel>& model,
                                              const tensor::WeightSet& weights, const at::Tensor& pixels,
                                              const BatchedSweepOptions& options, Batcher& batcher) {
  const auto shared_weights = std::make_shared<const model::EncoderWeights>(weights, options.precision);
  const int64_t images_at_once = weights.device().is_cuda() ? options.maximum_batch : kBackgroundImages;
  const int64_t per_image = pixels[0].numel();
  std::vector<at::Tensor> parts;
  for (int64_t begin = 0; begin < pixels.size(0); begin += images_at_once) {
    ForwardRequest request;
    request.encoder = model->image_encoder;
    request.weights.materialised = shared_weights;
    request.count = std::min(images_at_once, pixels.size(0) - begin);
    request.image_size = {pixels.size(2), pixels.size(3)};
    request.priority = Priority::kBackground;
    const float* first = pixels.data_ptr<float>() + begin * per_image;
    request.pixels.assign(first, first + request.count * per_image);
    std::promise<absl::StatusOr<ForwardResult>> promise;
    batcher.Submit(std::move(request),
                   [&](absl::StatusOr<ForwardResult> result) { promise.set_value(std::move(result)); });
    MP_ASSIGN_OR_RETURN(const ForwardResult result, promise.get_future().get());
    parts.push_back(*result.features);
  }
  return at::cat(parts);
}

absl::StatusOr<std::vector<patch::EvaluationSet>> OpenSets(const std::shared_ptr<const model::ClipModel>& model,
                                                           const std::vector<SweepTask>& entries,
                                                           const BatchedSweepOptions& options, ResourceCaches& caches,
                                                           const base::CancellationToken& cancellation) {
  std::vector<data::Task> tasks;
  for (const SweepTask& entry : entries) {
    MP_ASSIGN_OR_RETURN(data::Task task, data::OpenTask(entry.name, entry.source, options.decode_limits));
    tasks.push_back(std::move(task));
  }
  MP_RETURN_IF_ERROR(CheckBytes(tasks, entries, model->preprocess.image_size, options.pixel_bytes));
  const patch::HeadFunction find_head = [&](std::span<const model::ClassPrompts> classes) {
    const ClassList list(std::vector<model::ClassPrompts>(classes.begin(), classes.end()));
    return caches.heads().Get(model, list, cancellation);
  };
  std::vector<patch::EvaluationSet> sets;
  for (size_t i = 0; i < tasks.size(); ++i) {
    MP_ASSIGN_OR_RETURN(patch::EvaluationSet set,
                        patch::MakeEvaluationSet(*model, tasks[i], entries[i].role, entries[i].split, /*threads=*/1,
                                                 /*maximum_examples=*/0, cancellation, find_head));
    sets.push_back(std::move(set));
  }
  return sets;
}

}  // namespace

absl::StatusOr<std::vector<patch::SweepPoint>> RunBatchedSweep(
    const BatchedSweepInput& input, const BatchedSweepOptions& options, ResourceCaches& caches, Batcher& batcher,
    const base::CancellationToken& cancellation,
    const std::function<absl::Status(const patch::SweepPoint&)>& on_point) {
  MP_ASSIGN_OR_RETURN(const auto model, caches.models().Get(input.start.model_directory));
  MP_ASSIGN_OR_RETURN(const std::vector<patch::EvaluationSet> sets,
                      OpenSets(model, input.tasks, options, caches, cancellation));
  const patch::SweepInput sweep{model, input.start.terms, input.end.terms, input.alphas, sets};
  const patch::BlobLoader load_blob = [&](const std::string& blob) { return caches.mixtures().GetBlob(model, blob); };
  const patch::FeatureFunction features = [&](const tensor::WeightSet& weights, const at::Tensor& pixels) {
    return BackgroundFeatures(model, weights, pixels, options, batcher);
  };
  return patch::RunSweep(sweep, load_blob, features, cancellation, on_point);
}

}  // namespace modelpatch::serve
