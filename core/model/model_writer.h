// Writes a CLIP as a directory that LoadModel and other tools read.
#pragma once

#include <optional>
#include <string>

#include "core/data/preprocess.h"
#include "core/model/config.h"
#include "core/tensor/weight_set.h"

namespace modelpatch::model {

struct ModelFiles {
  ModelConfig config;
  std::string vocab_json;
  std::string merges_txt;
  // The image size is the config's.
  data::PreprocessConfig preprocess = {};
  // In place of vocab_json and merges_txt, where the tokenizer is SigLIP's.
  std::string tokenizer_json = {};
};

// Creates `directory` and writes a Hugging Face `CLIPModel`, or a `SiglipModel` with its tokenizer.json: config.json,
// preprocessor_config.json, vocab.json, merges.txt, tokenizer_config.json and model.safetensors. The weights are
// rounded once, to `dtype` (F32, F16 or BF16), or each to the dtype that it had where it came from. FAILED_PRECONDITION
// (LAYOUT_UNSUPPORTED): a CLIPModel has no ResNet, layer scale, mean over patches, or tower without its first norm,
// neither takes images that are no squares; and see WritePreprocessConfig.
absl::Status WriteModel(const std::string& directory, const ModelFiles& files, const tensor::WeightSet& image_weights,
                        const tensor::WeightSet& text_weights, std::optional<tensor::DType> dtype);

// The same for OpenCLIP: open_clip_config.json, vocab.json, merges.txt, tokenizer_config.json and
// open_clip_model.safetensors. FAILED_PRECONDITION (LAYOUT_UNSUPPORTED): see WriteOpenClipConfig.
absl::Status WriteOpenClipModel(const std::string& directory, const ModelFiles& files,
                                const tensor::WeightSet& image_weights, const tensor::WeightSet& text_weights,
                                std::optional<tensor::DType> dtype);

}  // namespace modelpatch::model
