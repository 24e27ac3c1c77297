// PretrainSpec: what `modelpatch-pretrain` trains, from a JSON file. Torch-free; plain values.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/base/status.h"
#include "core/train/step_spec.h"

namespace modelpatch::train {

struct PretrainTask {
  std::string name;
  data::TaskSource source;
  // Training examples taken, seeded; 0 means all. A task of which the model shall see little gets a small number.
  int64_t maximum_examples = 0;
  // Mirror half of the images; wrong for digits and letters.
  bool flip = false;
};

struct PretrainSpec {
  int64_t image_size = 32;
  int64_t patch_size = 8;
  int64_t width = 128;
  int64_t layers = 4;
  int64_t heads = 2;
  int64_t text_width = 128;
  int64_t text_layers = 2;
  int64_t text_heads = 2;
  int64_t context_length = 77;
  int64_t embedding_width = 64;
  // Merges of the byte-pair vocabulary, learnt from the captions.
  int64_t merges = 400;

  std::vector<PretrainTask> tasks;
  double epochs = 10;
  int64_t batch_size = 256;
  double learning_rate = 1e-3;
  int64_t warmup_steps = 100;
  double weight_decay = 0.1;
  uint64_t seed = 0;
  // "F32", "F16" or "BF16": how the weights are written.
  std::string dtype = "F16";
};

// INVALID_ARGUMENT (BAD_PRETRAIN_SPEC) naming the member; unknown members are refused, so that a typing error is seen.
// Relative paths in the tasks' sources are taken from `directory`.
absl::StatusOr<PretrainSpec> ParsePretrainSpec(std::string_view json, const std::string& directory);

}  // namespace modelpatch::train
