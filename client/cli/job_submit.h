// The options of `job submit`, and the request that they make.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "modelpatch/v1/patch_job_service.pb.h"

namespace CLI {
class App;
}

namespace modelpatch::client {

struct SubmitOptions {
  std::string model;
  std::vector<std::string> patching_tasks;
  std::vector<std::string> supported_tasks;
  v1::Strategy strategy = v1::STRATEGY_SINGLE;
  v1::Precision precision = v1::PRECISION_UNSPECIFIED;
  std::string alpha_policy = "mean";
  double epsilon_points = 0.5;
  double alpha = 1;
  std::string alphas;
  std::string name;
  std::string request_id;
  std::optional<int32_t> steps;
  std::optional<int32_t> batch_size;
  std::optional<double> learning_rate;
  std::optional<int32_t> warmup_steps;
  std::optional<double> weight_decay;
  std::optional<double> beta1;
  std::optional<double> beta2;
  std::optional<double> adam_epsilon;
  std::optional<double> gradient_clip;
  std::optional<int64_t> seed;
  bool no_augment = false;
  std::optional<int32_t> validation_interval_steps;
  bool watch = false;
};

// `options` outlives the parsing.
void AddSubmitOptions(CLI::App& submit, SubmitOptions& options);

// INVALID_ARGUMENT if --alphas cannot be read; all else is for the server to judge.
absl::StatusOr<v1::CreatePatchJobRequest> RequestOf(const SubmitOptions& options);

}  // namespace modelpatch::client
