// What a step does, as plain structs with a JSON form: the server writes it, a worker process reads it.
//
// Torch-free. Plain values; pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/base/status.h"
#include "core/data/image_codec.h"
#include "core/data/task_source.h"
#include "core/model/precision.h"
#include "core/patch/alpha_policy.h"
#include "core/patch/coefficient_search.h"
#include "core/patch/merge_options.h"

namespace modelpatch::train {

enum class LearningRateSchedule { kCosine, kConstant };

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
  // After the warm-up: a cosine to zero, or constant.
  LearningRateSchedule schedule = LearningRateSchedule::kCosine;
  double label_smoothing = 0;
  // λ of ½·λ·‖θ − θ_start‖².
  double l2_penalty = 0;
  // λ of ½·λ·Σ F·(θ − θ_start)², with F of FineTuneSpec::elastic_task (Kirkpatrick et al. 2017, equation 3).
  double elastic_weight = 0;
  // Training examples that F is estimated on; as many as there are, if they are fewer.
  int64_t elastic_examples = 1000;
  // β of (1 − β)·cross-entropy + β·contrastive loss.
  double contrastive_weight = 0;
  // Trains the class embeddings too.
  bool learned_head = false;
  // Decay of an exponential moving average of the weights, which is published beside them; 0: none.
  double ema_decay = 0;
  // Publishes the weights of every so many steps; 0: none.
  int64_t snapshot_interval_steps = 0;
};

// INVALID_ARGUMENT (BAD_FINE_TUNE_OPTION) with the option's name as the field.
absl::Status CheckFineTuneOptions(const FineTuneOptions& options);

struct NamedTask {
  std::string name;
  data::TaskSource source;
};

// How several tasks share one training: every example equally often, or every task.
enum class TaskBalance { kBySize, kEven };

// Fine-tunes the image encoder of a model on one task, or on several together, with the text tower frozen.
struct FineTuneSpec {
  std::string model_directory;
  // At least one. Each example is told apart from the classes of its own task alone.
  std::vector<NamedTask> tasks;
  TaskBalance balance = TaskBalance::kBySize;
  // Where training starts: empty for θ_zs; the directory of a step whose result names the weights: a search (its
  // mixture) or a fine-tuning (its last weights).
  std::string start_directory;
  FineTuneOptions options;
  // What the Fisher matrix of `elastic_weight` is estimated on. There if and only if that weight is positive.
  std::optional<NamedTask> elastic_task;
  // Whose images and prompts the contrastive loss sees; absent: those of `tasks`.
  std::optional<NamedTask> contrastive_task;
  // > 0: also publishes the diagonal Fisher information of the trained weights on this many training examples, for
  // merging.
  int64_t fisher_examples = 0;
};

// What a job's last search evaluates on test data, beside θ_zs and its own choice.
struct ComparisonSpec {
  // The fine-tuning steps of the specialised models, in the order of the patching tasks; empty: none.
  std::vector<std::string> specialised_directories;
  // Of a sequence: the searches after each task but this one's, and the fine-tunings without interpolation after each
  // task.
  std::vector<std::string> patched_so_far_directories;
  std::vector<std::string> fine_tuned_so_far_directories;
};

// Chooses coefficients on validation data.
struct SearchSpec {
  std::string model_directory;
  // The fine-tuning steps whose weights are mixed, in the order of the coefficients.
  std::vector<std::string> fine_tune_directories;
  // Blobs of checkpoints that are mixed, where no step makes them. Exactly one of the two lists is not empty.
  std::vector<std::string> blobs;
  // Empty: from θ_zs. Otherwise the search whose mixture the line begins at (one fine-tuning only).
  std::string start_directory;
  std::vector<NamedTask> patching_tasks;
  std::vector<NamedTask> supported_tasks;
  // Ascending, and with 0 and 1 among them unless the policy is fixed.
  std::vector<double> alphas;
  patch::AlphaPolicy policy = patch::AlphaPolicy::kMean;
  double fixed_alpha = 1.0;
  double epsilon_points = 0.5;
  model::Precision precision = model::Precision::kFloat32;
  patch::CoefficientSearchOptions coefficient_search;
  // The fine-tunings become one task vector first.
  std::optional<patch::MergeOptions> merge;
  // Present for the last search of a job.
  std::optional<ComparisonSpec> comparison;
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
