// Writes a CLIP as a Hugging Face `CLIPModel` directory that LoadModel and other tools read.
#pragma once

#include <string>

#include "core/model/config.h"
#include "core/tensor/weight_set.h"

namespace modelpatch::model {

struct ModelFiles {
  ModelConfig config;
  // Written with CLIP's own mean and standard deviation.
  std::string vocab_json;
  std::string merges_txt;
};

// Creates `directory` and writes config.json, preprocessor_config.json, vocab.json, merges.txt, tokenizer_config.json
// and model.safetensors, the weights rounded to `dtype` (F32, F16 or BF16) once. Weights are on the CPU.
absl::Status WriteModel(const std::string& directory, const ModelFiles& files, const tensor::WeightSet& image_weights,
                        const tensor::WeightSet& text_weights, tensor::DType dtype);

}  // namespace modelpatch::model
