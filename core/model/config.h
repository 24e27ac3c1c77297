// The shape of a CLIP model: what its weights must look like, whatever layout they were published in.
//
// Thread safety: plain values.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "core/base/status.h"
#include "core/data/image_size.h"

namespace modelpatch::model {

// QuickGELU is x·sigmoid(1.702x); GELU is x·Φ(x); its tanh form is the approximation of Hendrycks and Gimpel.
enum class Activation { kQuickGelu, kGelu, kGeluTanh };

// Which token's output represents the text: the first one whose id is end_of_text_id, the first one of the largest id
// (the same thing where the end of text is the vocabulary's last id), or the last one of the context, padding included.
enum class TextPooling { kFirstEndOfText, kArgmax, kLast };

// The name used in Hugging Face files: "quick_gelu", "gelu", "gelu_pytorch_tanh".
std::string_view NameOf(Activation activation);

// What of a ViT's output represents the image: the class token, the mean over the patches, or SigLIP's attention of a
// learned query over the patches. With the last there is no class token, no norm before the blocks and no projection,
// and the patches have a bias.
enum class ImagePooling { kClassToken, kMeanOfPatches, kAttention };

// A ModifiedResNet has four stages, reduces an image 32 times, and multiplies the width of its first stage by 32.
inline constexpr int64_t kResNetStages = 4;
inline constexpr int64_t kResNetReduction = 32;
inline constexpr int64_t kResNetExpansion = 32;

struct VisionConfig {
  data::ImageSize image_size;
  int64_t patch_size = 0;  // pixels of one side; each side of an image is rounded down to whole patches
  int64_t width = 0;
  int64_t layers = 0;
  int64_t heads = 0;
  int64_t mlp_width = 0;
  Activation activation = Activation::kQuickGelu;
  double layer_norm_epsilon = 1e-5;
  // A LayerNorm before the first block.
  bool pre_norm = true;
  ImagePooling pooling = ImagePooling::kClassToken;
  // The last LayerNorm comes after the pooling, not before. For a class token that is the same.
  bool norm_after_pooling = false;
  // Each residual branch has a learned gain for each channel.
  bool layer_scale = false;
  // The blocks of the four stages of a ModifiedResNet; empty for a ViT. A ResNet's width is that of its first stage
  // (64 for RN50), its heads are those of the attention pool; patch_size, layers, mlp_width and what follows them here
  // mean nothing to it.
  std::vector<int64_t> stages;

  bool is_resnet() const { return !stages.empty(); }
  // The cells of the grid into which the image is cut: patches of a ViT, what a ResNet leaves to its attention pool.
  data::ImageSize grid() const {
    const int64_t cell = is_resnet() ? kResNetReduction : patch_size;
    return {image_size.height / cell, image_size.width / cell};
  }
  bool operator==(const VisionConfig&) const = default;
};

struct TextConfig {
  int64_t vocabulary_size = 0;
  int64_t context_length = 0;  // tokens, start and end of text included
  int64_t width = 0;
  int64_t layers = 0;
  int64_t heads = 0;
  int64_t mlp_width = 0;
  Activation activation = Activation::kQuickGelu;
  double layer_norm_epsilon = 1e-5;
  TextPooling pooling = TextPooling::kArgmax;
  int64_t end_of_text_id = 0;  // in [0, vocabulary_size)
  bool layer_scale = false;
  // SigLIP's tower: every token sees every other, padding included; the projection has a bias; and beside the logit
  // scale there is a logit bias.
  bool is_siglip = false;
  int64_t padding_id = 0;  // what fills a text up to the context length; in [0, vocabulary_size)

  bool operator==(const TextConfig&) const = default;
};

struct ModelConfig {
  VisionConfig vision;
  TextConfig text;
  int64_t embedding_width = 0;       // of the space that images and texts share
  double initial_logit_scale = 0.0;  // natural logarithm; a model's own weight replaces it

  // A model with sigmoid scores, of both of SigLIP's towers.
  bool is_siglip() const { return text.is_siglip; }

  bool operator==(const ModelConfig&) const = default;
};

// The bound of the logit scale's natural logarithm, either way: beyond e^20 the logits of two classes differ by so much
// that their softmax says nothing, and a little further it overflows.
inline constexpr double kMaximumLogitScale = 20.0;

// Whether `logarithm` is a number within that bound.
bool IsValidLogitScale(double logarithm);

// INVALID_ARGUMENT (MODEL_CONFIG_INVALID, with the field's path, such as `vision.heads`) unless every size is positive
// and within sane limits (far above any published model, so that an absurd file cannot make us allocate), the heads
// divide the widths, a patch fits into the image (which a ResNet reduces 32 times), the numbers are finite, and
// SigLIP's towers come together.
absl::Status CheckModelConfig(const ModelConfig& config);

}  // namespace modelpatch::model
