// What a step found, as plain structs with a JSON form: a worker writes `result.json`, the server reads it. Torch-free.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/status.h"
#include "core/patch/alpha_policy.h"
#include "core/patch/bootstrap.h"
#include "core/patch/mixture.h"
#include "core/patch/proxy_choice.h"
#include "core/patch/trade_off_metrics.h"

namespace modelpatch::train {

// Weights that a fine-tuning passed through.
struct Snapshot {
  int64_t step = 0;  // steps taken
  std::string blob;
};

struct FineTuneResult {
  std::string blob;
  // Where it started: empty for θ_zs.
  std::vector<patch::MixtureTerm> start;
  std::vector<Snapshot> snapshots;
  // Of the moving average, and of the Fisher information, where they were asked for; empty otherwise.
  std::string average_blob;
  std::string fisher_blob;
  std::string model_digest;
  std::string layout_digest;
  // Of every task that was read, by name.
  std::map<std::string, std::string> task_digests;
  int64_t steps = 0;
  double final_loss = 0;
  double seconds = 0;
  double images_per_second = 0;
  // At the end, on the validation split of each task that was trained on.
  std::vector<patch::TaskAccuracy> validation;
  // The same under the learned head, where there was one.
  std::vector<patch::TaskAccuracy> learned_head_validation;
};

// The points of the curve that a search looked along: from its start (α = 0) to its end (α = 1).
struct CurvePoint {
  double alpha = 0;
  std::vector<patch::MixtureTerm> terms;
  std::vector<patch::TaskAccuracy> accuracies;
};

struct SearchedCandidate {
  // Empty for coefficients of groups.
  std::vector<double> coefficients;
  std::vector<patch::TaskAccuracy> accuracies;
};

struct SearchTotals {
  // "line", or the name of the method.
  std::string method = "line";
  int64_t evaluations = 0;
  double gradient_evaluations = 0;
  double seconds = 0;
  double objective = 0;
  double uniform_objective = 0;
  // At most 2,000.
  std::vector<SearchedCandidate> candidates;
};

enum class ComparisonKind {
  kUnpatched,
  kPatched,
  kFineTuned,
  kSpecialised,
  kPatchedSoFar,
  kFineTunedSoFar,
  kSnapshot,
  kMovingAverage,
  kAverage
};

// Accuracies of some weights on the test data of all tasks.
struct ComparedWeights {
  ComparisonKind kind = ComparisonKind::kUnpatched;
  // Of kSpecialised: none, though its models are not θ_zs.
  std::vector<patch::MixtureTerm> terms;
  // From 1: after which task of a sequence. 0 elsewhere.
  int64_t after = 0;
  // Steps of a snapshot.
  int64_t training_step = 0;
  std::vector<patch::TaskAccuracy> accuracies;
};

struct ClassCorrect {
  int64_t total = 0;
  int64_t zero_shot = 0;
  int64_t patched = 0;
  int64_t fine_tuned = 0;
};

// What one task's test examples say in detail.
struct TaskDetails {
  std::string task;
  // 95 % bootstrap intervals of the accuracies, and of patched − zero-shot.
  patch::Interval zero_shot, patched, fine_tuned, gain;
  std::vector<std::string> class_names;
  std::vector<ClassCorrect> classes;
};

struct SearchResult {
  // The mixture, canonical.
  std::vector<patch::MixtureTerm> terms;
  // The chosen α along the curve; 1 where coefficients were searched one by one.
  double alpha = 0;
  // What was mixed, in the order of the coefficients; a merged blob alone if the search made one.
  std::vector<std::string> blobs;
  // The blob that a merging method or a search over groups made; empty otherwise.
  std::string merged_blob;
  // On validation data.
  std::vector<CurvePoint> curve;
  SearchTotals search;
  std::map<std::string, std::string> task_digests;
  double seconds = 0;
  // Of the last search of a job; never used for choosing.
  std::vector<ComparedWeights> comparisons;
  std::vector<TaskDetails> details;
  patch::TradeOffMetrics trade_off;
  // Between θ_zs and the curve's end (see weight_metrics.h).
  double weight_cosine = 0;
  double weight_mean_absolute_difference = 0;
  // Linear CKA of θ_zs' features and the end's on each supported task's validation images, by task name.
  std::map<std::string, double> cka;
  std::vector<patch::ProxyChoice> proxy_choices;
};

std::string FineTuneResultToJson(const FineTuneResult& result);
absl::StatusOr<FineTuneResult> FineTuneResultFromJson(std::string_view json);
std::string SearchResultToJson(const SearchResult& result);
absl::StatusOr<SearchResult> SearchResultFromJson(std::string_view json);

}  // namespace modelpatch::train
