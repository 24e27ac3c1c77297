// Layers: the weights of one forward pass, as the operations that use them.
//
// A tower describes its forward once, over this interface; whose weights an operation takes is the implementation's
// matter: PlainLayers has one set for the whole batch, MixedLayers (mixed_layers.h) a mixture of its own for every
// sample. A weight is named by its place in the layout; an operation of several weights takes the place of the first,
// and the others follow it. Activations have rows of `width` for each token of each sample, row b·T + t.
//
// Thread safety: for one thread, like the forward that it belongs to. Everything throws what libtorch throws.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "core/model/config.h"

namespace at {
class Tensor;
}

namespace modelpatch::model {

class Layers {
 public:
  virtual ~Layers() = default;

  // LayerNorm over the last dimension, in fp32: weight and bias.
  virtual at::Tensor Norm(size_t first, const at::Tensor& input, double epsilon) const = 0;
  // input·Wᵀ + b in the dtype of W: weight [out, in] (whatever its shape, flattened behind `out`) and bias [out].
  virtual at::Tensor Linear(size_t first, const at::Tensor& input) const = 0;
  // The same with the rows [begin, begin + rows) of weight and bias.
  virtual at::Tensor LinearRows(size_t first, const at::Tensor& input, int64_t begin, int64_t rows) const = 0;
  // fp32 input·Wᵀ, without a bias.
  virtual at::Tensor Product(size_t weight, const at::Tensor& input) const = 0;
  // fp32 input·W, for a weight that is stored [in, out].
  virtual at::Tensor Project(size_t weight, const at::Tensor& input) const = 0;
  // The four weights of mlp.h.
  virtual at::Tensor Mlp(size_t first, const at::Tensor& input, Activation activation) const = 0;
  // Each row times a gain [width].
  virtual at::Tensor Scale(size_t weight, const at::Tensor& input) const = 0;
  // The weight [n], flattened, for each of `batch` samples: [batch, n].
  virtual at::Tensor Expand(size_t weight, int64_t batch) const = 0;
  // Activations [B, T, width] plus a weight [T, width].
  virtual at::Tensor AddPositions(size_t weight, const at::Tensor& input) const = 0;
};

// One set of weights for the whole batch. Records gradients when autograd is on.
class PlainLayers final : public Layers {
 public:
  // In the order of the layout; outlive this.
  explicit PlainLayers(std::span<const at::Tensor> weights) : weights_(weights) {}

  at::Tensor Norm(size_t first, const at::Tensor& input, double epsilon) const override;
  at::Tensor Linear(size_t first, const at::Tensor& input) const override;
  at::Tensor LinearRows(size_t first, const at::Tensor& input, int64_t begin, int64_t rows) const override;
  at::Tensor Product(size_t weight, const at::Tensor& input) const override;
  at::Tensor Project(size_t weight, const at::Tensor& input) const override;
  at::Tensor Mlp(size_t first, const at::Tensor& input, Activation activation) const override;
  at::Tensor Scale(size_t weight, const at::Tensor& input) const override;
  at::Tensor Expand(size_t weight, int64_t batch) const override;
  at::Tensor AddPositions(size_t weight, const at::Tensor& input) const override;

 private:
  const std::span<const at::Tensor> weights_;
};

// input · weightᵀ + bias in the dtype of `weight`.
at::Tensor Linear(const at::Tensor& input, const at::Tensor& weight, const at::Tensor& bias);

}  // namespace modelpatch::model
