// What a step does, as plain structs with a JSON form: the server writes it, a worker process reads it.
//
// Torch-free. Plain values; pure functions.
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/base/status.h"
#include "core/data/image_codec.h"
#include "core/data/task_source.h"
#include "core/model/precision.h"
#include "core/patch/alpha_policy.h"

namespace modelpatch::train {

// The paper's recipe (PAINT, appendix B): the defaults.
struct FineTuneOptions {
  int64_t steps = 2000;
  int64_t batch_size = 128;
  double learning_rate = 1e-5;
  int64_t warmup_steps = 200;
  double weight_decay = 0.1;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  // Maximum global norm of the gradient; 0 turns clipping off.
  double gradient_clip = 1.0;
  uint64_t seed = 0;
  // Random-resized-crop of the training images; without it they take the evaluation transform.
  bool augment = true;
  // Steps between accuracies on the validation split; 0 means only at the end.
  int64_t validation_interval_steps = 0;
  // Of the forward and the backward; θ, its gradient and AdamW's state stay in fp32.
  model::Precision precision = model::Precision::kFloat32;
};

// INVALID_ARGUMENT (BAD_FINE_TUNE_OPTION) with the option's name as the field.
absl::Status CheckFineTuneOptions(const FineTuneOptions& options);

struct NamedTask {
  std::string name;
  data::TaskSource source;
};

// Fine-tunes the image encoder of a model on a task, with the text tower frozen.
struct FineTuneSpec {
  std::string model_directory;
  NamedTask task;
  FineTuneOptions options;
};

// Sweeps α on validation data, chooses, and evaluates 0, the chosen α and 1 on test data.
struct SearchSpec {
  std::string model_directory;
  // The directory of the fine-tuning step, whose result names the blob.
  std::string fine_tune_directory;
  std::vector<NamedTask> patching_tasks;
  std::vector<NamedTask> supported_tasks;
  // Ascending, and with 0 and 1 among them unless the policy is fixed.
  std::vector<double> alphas;
  patch::AlphaPolicy policy = patch::AlphaPolicy::kMean;
  double fixed_alpha = 1.0;
  double epsilon_points = 0.5;
  model::Precision precision = model::Precision::kFloat32;
};

struct StepSpec {
  // The store's blob directory.
  std::string blob_directory;
  std::string device = "cpu";
  int64_t lease_bytes = 0;
  int threads = 0;  // 0: as many as there are cores
  // As the server's: what a task was accepted with must do for its jobs.
  data::DecodeLimits decode_limits;
  std::variant<FineTuneSpec, SearchSpec> work;
};

std::string StepSpecToJson(const StepSpec& spec);
absl::StatusOr<StepSpec> StepSpecFromJson(std::string_view json);

}  // namespace modelpatch::train
