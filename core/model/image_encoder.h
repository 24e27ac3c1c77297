// ImageEncoder: an image tower as a function of (weights, pixels).
//
// Training, serving and sweeping call the same function with different weights. Immutable, thread-safe.
#pragma once

#include <memory>
#include <vector>

#include "core/model/config.h"
#include "core/tensor/weight_layout.h"

namespace at {
class Tensor;
}

namespace modelpatch::model {

struct MixedBatch;

class ImageEncoder {
 public:
  virtual ~ImageEncoder() = default;

  // The weights that Forward takes, in its order, under their canonical names.
  virtual std::vector<tensor::WeightSpec> WeightSpecs() const = 0;

  // Features fp32 [B, embedding_width], not normalised, of pixels fp32 [B, 3, h, w] of the config's image size.
  // `weights` are views (or leaves, to train) in the order of WeightSpecs; a matrix product is computed in the dtype of
  // its matrix (see RoundForCompute). Throws what libtorch throws.
  virtual at::Tensor Forward(const std::vector<at::Tensor>& weights, const at::Tensor& pixels) const = 0;

  // The same for a training step. A BatchNorm normalises by the batch's own statistics here, and moves the running ones
  // among `weights` in place.
  virtual at::Tensor TrainingForward(const std::vector<at::Tensor>& weights, const at::Tensor& pixels) const;

  // Whether every weight enters its layer linearly, so that MixedForward is there. A BatchNorm's variance does not.
  virtual bool can_mix() const { return false; }

  // The same for pixels [B, 3, h, w] of B samples that have a mixture of weights each (mixed_layers.h). Equal to
  // Forward with the mixtures up to the rounding of fp32. Only if can_mix().
  virtual at::Tensor MixedForward(const MixedBatch& batch, const at::Tensor& pixels) const;
};

// The vision transformer of openai/CLIP clip/model.py, VisionTransformer.
std::unique_ptr<ImageEncoder> MakeVisionTransformer(const VisionConfig& config, int64_t embedding_width);

// The ResNet of openai/CLIP clip/model.py, ModifiedResNet, with its attention pool. Takes images of exactly the
// config's size.
std::unique_ptr<ImageEncoder> MakeModifiedResNet(const VisionConfig& config, int64_t embedding_width);

// The vision transformer of transformers modeling_siglip.py, SiglipVisionTransformer, with its attention-pooling head.
// Its features have the width of the tower.
std::unique_ptr<ImageEncoder> MakeSiglipVision(const VisionConfig& config);

// Whichever of them `config` describes.
std::unique_ptr<ImageEncoder> MakeImageEncoder(const VisionConfig& config, int64_t embedding_width);

}  // namespace modelpatch::model
