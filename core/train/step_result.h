// What a step found, as plain structs with a JSON form: a worker writes `result.json`, the server reads it. Torch-free.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/status.h"
#include "core/patch/alpha_policy.h"
#include "core/patch/trade_off_metrics.h"

namespace modelpatch::train {

struct FineTuneResult {
  std::string blob;
  std::string model_digest;
  std::string layout_digest;
  std::string task_digest;
  int64_t steps = 0;
  double final_loss = 0;
  double seconds = 0;
  double images_per_second = 0;
  // Accuracy on the patching task's validation split at the end.
  double validation_accuracy = 0;
  int64_t validation_correct = 0;
  int64_t validation_total = 0;
};

struct SearchResult {
  double alpha = 0;
  // Validation accuracies at every α of the sweep.
  std::vector<patch::AlphaAccuracies> validation;
  // Test accuracies at 0, the chosen α and 1 (each once, ascending); never used for choosing.
  std::vector<patch::AlphaAccuracies> test;
  patch::TradeOffMetrics trade_off;
  // Between θ_zs and θ_ft (see weight_metrics.h).
  double weight_cosine = 0;
  double weight_mean_absolute_difference = 0;
  // Linear CKA of θ_zs' and θ_ft's features on each supported task's validation images, by task name.
  std::map<std::string, double> cka;
  std::map<std::string, std::string> task_digests;
  double seconds = 0;
};

std::string FineTuneResultToJson(const FineTuneResult& result);
absl::StatusOr<FineTuneResult> FineTuneResultFromJson(std::string_view json);
std::string SearchResultToJson(const SearchResult& result);
absl::StatusOr<SearchResult> SearchResultFromJson(std::string_view json);

}  // namespace modelpatch::train
