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
#include "core/train/fine_tune_options.h"

namespace modelpatch::train {

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
