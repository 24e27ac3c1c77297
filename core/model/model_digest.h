// The name of a model's content. Torch-free. Thread safety: pure.
#pragma once

#include <string>
#include <vector>

#include "core/data/preprocess.h"
#include "core/model/config.h"

namespace modelpatch::model {

// Digests of a model's larger parts, in hexadecimal.
struct ModelDigestParts {
  std::string tokenizer;
  // Of each weight, in the order of its layout: see CopyWeights.
  std::vector<std::string> image_weights;
  std::vector<std::string> text_weights;
};

// SHA-256 over everything that determines the model's outputs, and the dtypes that its weights have in files. It says
// nothing of the layout in which the files came: what was imported, exported and imported again has the digest that it
// had. A model's initial logit scale is not part of it, since the trained one is a weight.
std::string DigestOfModel(const ModelConfig& config, const data::PreprocessConfig& preprocess,
                          const ModelDigestParts& parts);

}  // namespace modelpatch::model
