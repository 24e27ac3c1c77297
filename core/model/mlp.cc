#include "core/model/mlp.h"

#include <torch/torch.h>

namespace modelpatch::model {
namespace {

constexpr double kQuickGeluSlope = 1.702;

at::Tensor ScaledHidden(const at::Tensor& input, const at::Tensor& weight, const at::Tensor& bias) {
  return at::addmm(bias, input, weight.t(), kQuickGeluSlope, kQuickGeluSlope);
}

at::Tensor ScaledOutput(const at::Tensor& hidden, const at::Tensor& weight, const at::Tensor& bias) {
  return at::addmm(bias, hidden, weight.t(), 1.0, 1.0 / kQuickGeluSlope);
}

// With s = 1.702·(x·W₁ᵀ + b₁) and y = silu(s)·W₂ᵀ/1.702 + b₂ the two factors cancel in the gradient of x·W₁ᵀ + b₁:
// it is silu'(s) ∘ (dy·W₂).
class QuickGeluMlp : public torch::autograd::Function<QuickGeluMlp> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& input,
                            const at::Tensor& weight1, const at::Tensor& bias1, const at::Tensor& weight2,
                            const at::Tensor& bias2) {
    const at::Tensor scaled = ScaledHidden(input, weight1, bias1);
    const at::Tensor hidden = at::silu(scaled);
    context->save_for_backward({input, weight1, weight2, scaled, hidden});
    return ScaledOutput(hidden, weight2, bias2);
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradients) {
    const auto saved = context->get_saved_variables();
    const at::Tensor& input = saved[0];
    const at::Tensor& weight1 = saved[1];
    const at::Tensor& weight2 = saved[2];
    const at::Tensor& scaled = saved[3];
    const at::Tensor& hidden = saved[4];
    const at::Tensor output_gradient = gradients[0].contiguous();
    const at::Tensor weight2_gradient = at::mm(output_gradient.t(), hidden).mul_(1.0 / kQuickGeluSlope);
    const at::Tensor bias2_gradient = output_gradient.sum(0);
    const at::Tensor pre_gradient = at::silu_backward(at::mm(output_gradient, weight2), scaled);
    return {at::mm(pre_gradient, weight1), at::mm(pre_gradient.t(), input), pre_gradient.sum(0), weight2_gradient,
            bias2_gradient};
  }
};

}  // namespace

at::Tensor Mlp(const at::Tensor& given, const at::Tensor& weight1, const at::Tensor& given_bias1,
               const at::Tensor& weight2, const at::Tensor& given_bias2, Activation activation) {
  const at::Tensor input = given.to(weight1.scalar_type());
  const at::Tensor bias1 = given_bias1.to(weight1.scalar_type());
  const at::Tensor bias2 = given_bias2.to(weight2.scalar_type());
  if (activation == Activation::kQuickGelu) {
    if (at::GradMode::is_enabled()) return QuickGeluMlp::apply(input, weight1, bias1, weight2, bias2);
    at::Tensor hidden = ScaledHidden(input, weight1, bias1);
    at::silu_(hidden);
    return ScaledOutput(hidden, weight2, bias2);
  }
  const at::Tensor pre = at::linear(input, weight1, bias1);
  const at::Tensor hidden = at::gelu(pre, activation == Activation::kGeluTanh ? "tanh" : "none");
  return at::linear(hidden, weight2, bias2);
}

}  // namespace modelpatch::model
