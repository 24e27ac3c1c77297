// ClipModel: an imported open-vocabulary model, everything but a mixture: both towers, θ_zs, tokenizer, preprocessing.
//
// Immutable once made, so thread-safe; shared by pointer. It holds the one resident copy of θ_zs.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/base/cancellation.h"
#include "core/data/preprocess.h"
#include "core/model/class_prompts.h"
#include "core/model/config.h"
#include "core/model/image_encoder.h"
#include "core/model/text_encoder.h"
#include "core/model/tokenizer.h"
#include "core/tensor/weight_set.h"

namespace modelpatch::model {

struct ClipModel {
  ModelConfig config;
  data::PreprocessConfig preprocess;
  std::shared_ptr<const Tokenizer> tokenizer;
  std::shared_ptr<const ImageEncoder> image_encoder;
  std::shared_ptr<const TextEncoder> text_encoder;
  // θ_zs, and the frozen text tower.
  tensor::WeightSet image_weights;
  tensor::WeightSet text_weights;
  // exp of the model's logit_scale weight.
  double logit_scale;
  // SHA-256 over everything above: see DigestOfModel.
  std::string digest;
  // What is added to a logit. With it each class has a probability of its own, the sigmoid of its logit; without it the
  // classes of a request share one, their softmax.
  std::optional<double> logit_bias = {};
};

// Embeddings fp32 [N, embedding_width] of `texts`, L2-normalised if `normalize`; texts of more tokens than the context
// are cut, and `truncated` (of the texts' number, unless null) says which. INVALID_ARGUMENT (TEXT_NOT_UTF8) with the
// field `[i]`.
absl::StatusOr<at::Tensor> EncodeTexts(const ClipModel& model, std::span<const std::string> texts, bool normalize,
                                       const base::CancellationToken& cancellation, std::vector<bool>* truncated);

// fp32 [C, embedding_width]: per class the mean of its prompts' normalised embeddings, normalised again (without the
// logit scale). It depends on the model and the prompts, never on α. Equal prompts are encoded once.
struct ZeroShotHead {
  std::shared_ptr<const at::Tensor> embeddings;
  std::vector<std::string> class_names;
  // Prompts that were cut at the context length.
  int64_t truncated_prompts = 0;
};
absl::StatusOr<ZeroShotHead> MakeZeroShotHead(const ClipModel& model, std::span<const ClassPrompts> classes,
                                              const base::CancellationToken& cancellation);

// Features divided by their L2 norm, without an epsilon, as the reference does.
at::Tensor NormalizeFeatures(const at::Tensor& features);

}  // namespace modelpatch::model
