// A convolution and what follows it, for inference on the CPU: one matrix product over channels-last activations.
//
// Thread safety: pure; runs on libtorch's threads. Throws what libtorch throws.
#pragma once

#include <cstdint>

namespace at {
class Tensor;
}

namespace modelpatch::model {

// scale · (input ∗ kernel) + shift for each output channel, and with `relu` nothing below 0: a convolution without
// bias, and its BatchNorm with the running statistics folded in. fp32 [N, C, H, W] in channels-last memory (made so if
// it is not), kernel [O, C, k, k], scale and shift [O]; the result [N, O, H', W'] is channels-last too. Records no
// gradients.
at::Tensor ConvolveScaleShift(const at::Tensor& input, const at::Tensor& kernel, const at::Tensor& scale,
                              const at::Tensor& shift, int64_t stride, int64_t padding, bool relu);

}  // namespace modelpatch::model
