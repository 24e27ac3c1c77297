#include "core/patch/evaluation.h"

#include <torch/torch.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "core/model/candidate_mask.h"
#include "core/model/class_prompts.h"
#include "core/model/encoder_weights.h"
#include "core/tensor/compat.h"
#include "core/tensor/guard.h"

namespace modelpatch::patch {
namespace {

// Images in one forward of an evaluation.
constexpr int64_t kEvaluationBatch = 128;

at::Tensor NormalizedBatch(const data::PixelSet& pixels, int64_t begin, int64_t end,
                           const data::PreprocessConfig& preprocess) {
  at::Tensor batch = at::empty({end - begin, 3, pixels.image_size.height, pixels.image_size.width}, at::kFloat);
  pixels.Normalize(begin, end, preprocess, batch.data_ptr<float>());
  return batch;
}

// Of the examples [begin, end); empty if all have all classes.
std::span<const std::vector<int32_t>> CandidatesOf(const data::PixelSet& pixels, int64_t begin, int64_t end) {
  if (pixels.candidates.empty()) return {};
  return std::span(pixels.candidates).subspan(static_cast<size_t>(begin), static_cast<size_t>(end - begin));
}

}  // namespace

std::string_view NameOf(TaskRole role) { return role == TaskRole::kPatching ? "patching" : "supported"; }

FeatureFunction DirectFeatures(std::shared_ptr<const model::ClipModel> model, model::Precision precision) {
  return [model, precision](const tensor::WeightSet& weights, const at::Tensor& pixels) {
    return tensor::Guarded([&] {
      const at::NoGradGuard no_grad;
      const at::Tensor input = pixels.to(tensor::ToTorchDevice(weights.device()));
      const model::EncoderWeights rounded(weights, precision);
      return model->image_encoder->Forward(rounded.views(), input).cpu();
    });
  };
}

absl::StatusOr<EvaluationSet> MakeEvaluationSet(const model::ClipModel& model, const data::Task& task, TaskRole role,
                                                data::Split split, int threads, int64_t maximum_examples,
                                                const base::CancellationToken& cancellation,
                                                const HeadFunction& find_head) {
  MP_ASSIGN_OR_RETURN(data::PixelSet pixels, data::PreprocessDataset(*task.split(split), model.preprocess, threads,
                                                                     cancellation, maximum_examples));
  MP_ASSIGN_OR_RETURN(const std::vector<model::ClassPrompts> prompts,
                      model::ExpandClassPrompts(task.class_names, task.templates, {.unique_names = false}));
  std::shared_ptr<const model::ZeroShotHead> head;
  if (find_head) {
    MP_ASSIGN_OR_RETURN(head, find_head(prompts));
  } else {
    MP_ASSIGN_OR_RETURN(model::ZeroShotHead made, model::MakeZeroShotHead(model, prompts, cancellation));
    head = std::make_shared<const model::ZeroShotHead>(std::move(made));
  }
  return EvaluationSet{task.name, role, split, std::make_shared<const data::PixelSet>(std::move(pixels)),
                       std::move(head)};
}

absl::StatusOr<std::vector<int32_t>> EvaluatePredictions(const model::ClipModel& model,
                                                         const tensor::WeightSet& weights, const EvaluationSet& set,
                                                         const FeatureFunction& features,
                                                         const base::CancellationToken& cancellation) {
  return tensor::Guarded([&]() -> absl::StatusOr<std::vector<int32_t>> {
    const at::NoGradGuard no_grad;
    std::vector<int32_t> classes;
    classes.reserve(static_cast<size_t>(set.pixels->count));
    const at::Tensor head = set.head->embeddings->cpu();
    for (int64_t begin = 0; begin < set.pixels->count; begin += kEvaluationBatch) {
      MP_RETURN_IF_ERROR(cancellation.Check());
      const int64_t end = std::min(begin + kEvaluationBatch, set.pixels->count);
      MP_ASSIGN_OR_RETURN(const at::Tensor batch,
                          features(weights, NormalizedBatch(*set.pixels, begin, end, model.preprocess)));
      const at::Tensor cosines = at::mm(model::NormalizeFeatures(batch), head.t());
      const at::Tensor predictions = model::MaskCandidates(cosines, CandidatesOf(*set.pixels, begin, end)).argmax(1);
      const int64_t* predicted = predictions.data_ptr<int64_t>();
      for (int64_t i = 0; i < end - begin; ++i) classes.push_back(static_cast<int32_t>(predicted[i]));
    }
    return classes;
  });
}

std::vector<uint8_t> CorrectnessOf(const EvaluationSet& set, std::span<const int32_t> predictions) {
  std::vector<uint8_t> correct(predictions.size());
  for (size_t i = 0; i < predictions.size(); ++i) correct[i] = predictions[i] == set.pixels->labels[i] ? 1 : 0;
  return correct;
}

TaskAccuracy AccuracyOf(const EvaluationSet& set, std::span<const int32_t> predictions) {
  const std::vector<uint8_t> correct = CorrectnessOf(set, predictions);
  return {set.task, set.role, set.split, std::accumulate(correct.begin(), correct.end(), int64_t{0}),
          set.pixels->count};
}

absl::StatusOr<TaskAccuracy> EvaluateAccuracy(const model::ClipModel& model, const tensor::WeightSet& weights,
                                              const EvaluationSet& set, const FeatureFunction& features,
                                              const base::CancellationToken& cancellation) {
  MP_ASSIGN_OR_RETURN(const std::vector<int32_t> predictions,
                      EvaluatePredictions(model, weights, set, features, cancellation));
  return AccuracyOf(set, predictions);
}

}  // namespace modelpatch::patch
