#include "core/model/layers.h"

#include <torch/torch.h>

#include "core/model/mlp.h"

namespace modelpatch::model {

at::Tensor Linear(const at::Tensor& input, const at::Tensor& weight, const at::Tensor& bias) {
  return at::linear(input.to(weight.scalar_type()), weight, bias.to(weight.scalar_type()));
}

at::Tensor PlainLayers::Norm(size_t first, const at::Tensor& input, double epsilon) const {
  return at::layer_norm(input, {input.size(-1)}, weights_[first], weights_[first + 1], epsilon);
}

at::Tensor PlainLayers::Linear(size_t first, const at::Tensor& input) const {
  return model::Linear(input, weights_[first].flatten(1), weights_[first + 1]);
}

at::Tensor PlainLayers::LinearRows(size_t first, const at::Tensor& input, int64_t begin, int64_t rows) const {
  return model::Linear(input, weights_[first].narrow(0, begin, rows), weights_[first + 1].narrow(0, begin, rows));
}

at::Tensor PlainLayers::Product(size_t weight, const at::Tensor& input) const {
  const at::Tensor& matrix = weights_[weight];
  return at::mm(input.to(matrix.scalar_type()), matrix.flatten(1).t()).to(at::kFloat);
}

at::Tensor PlainLayers::Project(size_t weight, const at::Tensor& input) const {
  const at::Tensor& matrix = weights_[weight];
  return at::mm(input.to(matrix.scalar_type()), matrix).to(at::kFloat);
}

at::Tensor PlainLayers::Mlp(size_t first, const at::Tensor& input, Activation activation) const {
  return model::Mlp(input, weights_[first], weights_[first + 1], weights_[first + 2], weights_[first + 3], activation);
}

at::Tensor PlainLayers::Scale(size_t weight, const at::Tensor& input) const { return input * weights_[weight]; }

at::Tensor PlainLayers::Expand(size_t weight, int64_t batch) const {
  return weights_[weight].reshape({1, -1}).expand({batch, -1});
}

at::Tensor PlainLayers::AddPositions(size_t weight, const at::Tensor& input) const { return input + weights_[weight]; }

}  // namespace modelpatch::model
