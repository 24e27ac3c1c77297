// The transformer of both towers: pre-norm residual attention blocks as functions of (layers, activations).
//
// Activations are fp32 [B·T, width], row b·T + t. All functions are pure and thread-safe, record gradients when
// autograd is on, and throw what libtorch throws: call them inside tensor::Guarded. Source: openai/CLIP clip/model.py,
// ResidualAttentionBlock.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/model/config.h"
#include "core/model/layers.h"
#include "core/tensor/weight_layout.h"

namespace modelpatch::model {

struct BlockConfig {
  int64_t width;
  int64_t heads;
  int64_t mlp_width;
  Activation activation;
  double layer_norm_epsilon;
  // Masks positions after the query's own (text tower).
  bool causal;
  // Each branch is multiplied by a gain before it is added (open_clip transformer.py, LayerScale).
  bool layer_scale;

  // The weights of one block follow each other in a layout, in this number and in the order of AppendBlockWeights.
  int64_t weight_count() const { return layer_scale ? 14 : 12; }
};

// Appends `prefix`ln_1.weight … `prefix`mlp.c_proj.bias, and with layer scale `prefix`ls_1.gamma and ls_2.gamma. q, k
// and v are fused rows: attn.in_proj_weight is [3·width, width].
void AppendBlockWeights(const BlockConfig& config, const std::string& prefix, std::vector<tensor::WeightSpec>& specs);

// One block over activations [B·T, width] of sequences of `length` = T tokens, whose weights lie from `first` on.
// With `first_query_only` the result is [B, width]: the block's output at token 0 alone, which is all that a
// class-token encoder's last block has to give; keys and values still come from every token.
at::Tensor ResidualBlock(const BlockConfig& config, const Layers& layers, size_t first, const at::Tensor& activations,
                         int64_t length, bool first_query_only);

}  // namespace modelpatch::model
