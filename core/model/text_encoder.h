// TextEncoder: the text tower as a function of (weights, token ids). Immutable, thread-safe.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/model/blocks.h"
#include "core/model/config.h"
#include "core/tensor/weight_layout.h"

namespace at {
class Tensor;
}

namespace modelpatch::model {

// Source: openai/CLIP clip/model.py, CLIP.encode_text; for SigLIP's transformers modeling_siglip.py,
// SiglipTextTransformer.
class TextEncoder {
 public:
  TextEncoder(const TextConfig& config, int64_t embedding_width);

  // The weights that Forward takes, in its order; the last is logit_scale (the logarithm, a scalar), which Forward
  // ignores. SigLIP has a logit_bias before it, and both are tensors of one element.
  std::vector<tensor::WeightSpec> WeightSpecs() const;

  // Features fp32 [N, embedding_width], not normalised, of N token sequences (start … end, each at most
  // context_length). Sequences are run up to the last token that is pooled: the mask is causal, so what would follow
  // changes nothing; SigLIP's, which has no mask, pools the last of the context. Shorter ones are padded with the
  // config's padding_id. Throws what libtorch throws.
  at::Tensor Forward(const std::vector<at::Tensor>& weights, std::span<const std::vector<int32_t>> texts) const;

 private:
  // The position of the token whose output represents the text.
  int64_t PoolingPosition(const std::vector<int32_t>& ids) const;

  const TextConfig config_;
  const int64_t embedding_width_;
  const BlockConfig block_;
};

}  // namespace modelpatch::model
