// Accuracy of weights on tasks.
//
// The image encoder is called through a FeatureFunction, so that a worker evaluates directly and the server through its
// batcher. Plain values and pure functions.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/base/cancellation.h"
#include "core/data/pixel_set.h"
#include "core/data/task.h"
#include "core/model/clip_model.h"
#include "core/model/precision.h"
#include "core/tensor/weight_set.h"

namespace modelpatch::patch {

enum class TaskRole { kPatching, kSupported };

// "patching" or "supported".
std::string_view NameOf(TaskRole role);

struct TaskAccuracy {
  std::string task;
  TaskRole role;
  data::Split split;
  int64_t correct;
  int64_t total;

  double accuracy() const { return total == 0 ? 0.0 : static_cast<double>(correct) / static_cast<double>(total); }
};

// One split of a task, preprocessed for a model, with the task's zero-shot head.
struct EvaluationSet {
  std::string task;
  TaskRole role;
  data::Split split;
  std::shared_ptr<const data::PixelSet> pixels;
  std::shared_ptr<const model::ZeroShotHead> head;
};

// Features fp32 [B, embedding_width], not normalised, on the CPU, of pixels fp32 [B, 3, h, w] at `weights`.
using FeatureFunction =
    std::function<absl::StatusOr<at::Tensor>(const tensor::WeightSet& weights, const at::Tensor& pixels)>;

// The encoder of `model`, called directly in the caller's thread, on weights rounded to `precision`.
FeatureFunction DirectFeatures(std::shared_ptr<const model::ClipModel> model,
                               model::Precision precision = model::Precision::kFloat32);

// Gives the zero-shot head of these prompts, from a cache for one.
using HeadFunction = std::function<absl::StatusOr<std::shared_ptr<const model::ZeroShotHead>>(
    std::span<const model::ClassPrompts> classes)>;

// Opens and preprocesses `split` of a task for `model`. `maximum_examples` 0 means all. The head is made unless
// `find_head` is there to give it.
absl::StatusOr<EvaluationSet> MakeEvaluationSet(const model::ClipModel& model, const data::Task& task, TaskRole role,
                                                data::Split split, int threads, int64_t maximum_examples,
                                                const base::CancellationToken& cancellation,
                                                const HeadFunction& find_head = nullptr);

// The predicted class of every example of the set: argmax of the cosines, among an example's candidates where it has
// its own; first maximum. CANCELLED between batches.
absl::StatusOr<std::vector<int32_t>> EvaluatePredictions(const model::ClipModel& model,
                                                         const tensor::WeightSet& weights, const EvaluationSet& set,
                                                         const FeatureFunction& features,
                                                         const base::CancellationToken& cancellation);

// For each example of the set 1 if its predicted class is its label, else 0. `predictions` are the set's.
std::vector<uint8_t> CorrectnessOf(const EvaluationSet& set, std::span<const int32_t> predictions);

// How many of them are.
TaskAccuracy AccuracyOf(const EvaluationSet& set, std::span<const int32_t> predictions);

// The accuracy of EvaluatePredictions.
absl::StatusOr<TaskAccuracy> EvaluateAccuracy(const model::ClipModel& model, const tensor::WeightSet& weights,
                                              const EvaluationSet& set, const FeatureFunction& features,
                                              const base::CancellationToken& cancellation);

}  // namespace modelpatch::patch
