// The patches of an image, as a vision transformer sees them. Pure; throws what libtorch throws.
#pragma once

#include <cstdint>

namespace at {
class Tensor;
}

namespace modelpatch::model {

// fp32 [B · rows · columns, 3 · patch²] of pixels fp32 [B, 3, h, w]: the patches row by row, of the upper left
// rows · patch by columns · patch pixels. A convolution whose stride is its kernel is one matrix product over them.
at::Tensor PatchRows(const at::Tensor& pixels, int64_t patch, int64_t rows, int64_t columns);

}  // namespace modelpatch::model
