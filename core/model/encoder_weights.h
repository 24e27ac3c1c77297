// EncoderWeights: the weights of one mixture as an image encoder's forward takes them at a precision.
//
// A handle: copies share the storage. Immutable, so thread-safe. At kFloat32 it is the weight set itself and costs
// nothing; at kBFloat16 it holds rounded copies of its own and lets go of the weight set.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "core/model/precision.h"
#include "core/tensor/weight_set.h"

namespace modelpatch::model {

// `weights`, which lie as `layout` says, with those that enter matrix products (matrices and convolutions, but no
// embedding of positions) rounded to `precision`. Differentiable: a gradient goes back to the fp32 weights. Throws what
// libtorch throws.
std::vector<at::Tensor> RoundForCompute(const tensor::WeightLayout& layout, const std::vector<at::Tensor>& weights,
                                        Precision precision);

class EncoderWeights {
 public:
  // Throws what libtorch throws.
  EncoderWeights(tensor::WeightSet weights, Precision precision);

  // In the order of the layout, for ImageEncoder::Forward.
  const std::vector<at::Tensor>& views() const;
  // Of its own storage or the weight set's.
  int64_t bytes() const;
  const tensor::Device& device() const { return device_; }
  // Equal for handles of the same storage, and for no others that live at the same time.
  const void* id() const;

 private:
  struct Rounded;
  tensor::Device device_;
  // One of them.
  std::optional<tensor::WeightSet> exact_;
  std::shared_ptr<const Rounded> rounded_;
};

}  // namespace modelpatch::model
