#include "core/model/encoder_weights.h"

#include <torch/torch.h>

#include <string_view>
#include <utility>

namespace modelpatch::model {
namespace {

bool EntersMatrixProducts(const tensor::WeightSpec& spec) {
  return spec.shape.size() >= 2 && !std::string_view(spec.name).ends_with("positional_embedding");
}

}  // namespace

struct EncoderWeights::Rounded {
  std::vector<at::Tensor> views;
  int64_t bytes = 0;
};

std::vector<at::Tensor> RoundForCompute(const tensor::WeightLayout& layout, const std::vector<at::Tensor>& weights,
                                        Precision precision) {
  std::vector<at::Tensor> rounded = weights;
  if (precision == Precision::kFloat32) return rounded;
  for (size_t i = 0; i < rounded.size(); ++i) {
    if (EntersMatrixProducts(layout.weights()[i].spec)) rounded[i] = rounded[i].to(at::kBFloat16);
  }
  return rounded;
}

EncoderWeights::EncoderWeights(tensor::WeightSet weights, Precision precision) : device_(weights.device()) {
  if (precision == Precision::kFloat32) {
    exact_ = std::move(weights);
    return;
  }
  const at::NoGradGuard no_grad;
  auto rounded = std::make_shared<Rounded>();
  rounded->views = RoundForCompute(weights.layout(), weights.views(), precision);
  for (at::Tensor& view : rounded->views) {
    if (view.scalar_type() == at::kFloat) view = view.clone();
    rounded->bytes += static_cast<int64_t>(view.nbytes());
  }
  rounded_ = std::move(rounded);
}

const std::vector<at::Tensor>& EncoderWeights::views() const {
  return rounded_ != nullptr ? rounded_->views : exact_->views();
}

int64_t EncoderWeights::bytes() const { return rounded_ != nullptr ? rounded_->bytes : exact_->bytes(); }

const void* EncoderWeights::id() const { return views()[0].data_ptr(); }

}  // namespace modelpatch::model
