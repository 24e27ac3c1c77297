// The pixels of a loaded batch as a tensor.
#pragma once

#include "core/data/batch_loader.h"

namespace at {
class Tensor;
}

namespace modelpatch::train {

// fp32 [B, 3, h, w] on the CPU, of the memory of `batch`, which must outlive it. Throws what libtorch throws.
at::Tensor PixelsOf(data::Batch& batch, data::ImageSize image_size);

}  // namespace modelpatch::train
