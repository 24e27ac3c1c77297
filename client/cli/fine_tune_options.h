// The options of `job submit` that say how to fine-tune, and the message that they make.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "modelpatch/v1/fine_tune.pb.h"

namespace CLI {
class App;
}

namespace modelpatch::client {

// What was not said is for the server to fill in.
struct FineTuneArguments {
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
  v1::Precision precision = v1::PRECISION_UNSPECIFIED;
  v1::LearningRateSchedule schedule = v1::LEARNING_RATE_SCHEDULE_UNSPECIFIED;
  std::optional<double> label_smoothing;
  std::optional<int32_t> snapshot_interval_steps;
  std::optional<double> ema_decay;
  std::optional<double> l2_penalty;
  std::optional<double> ewc_weight;
  std::string ewc_task;
  std::optional<int32_t> ewc_examples;
  std::optional<double> contrastive_weight;
  std::string contrastive_task;
  bool learned_head = false;
};

// `arguments` outlives the parsing.
void AddFineTuneOptions(CLI::App& submit, FineTuneArguments& arguments);

v1::FineTuneOptions FineTuneOptionsOf(const FineTuneArguments& arguments);

}  // namespace modelpatch::client
