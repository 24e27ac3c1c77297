// Pixels on their way to a CUDA device: copied out of pinned memory on a stream of their own, while the forwards of
// earlier batches run on the compute stream. So a batch finds its pixels on the device. On the CPU there is nothing to
// transfer.
//
// Thread safety: StartTransfer from any thread; FinishTransfer from one thread at a time, on the stream that shall
// read. Both throw what libtorch throws.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "core/data/image_size.h"
#include "core/tensor/device.h"

namespace at {
class Tensor;
}

namespace modelpatch::serve {

struct PixelTransfer;

// Starts to copy fp32 [count, 3, h, w], flattened, to a CUDA device, and returns. Null for the CPU. The pixels are
// copied before it returns, so the caller may let go of them.
std::shared_ptr<const PixelTransfer> StartTransfer(std::span<const float> pixels, int64_t count, data::ImageSize size,
                                                   const tensor::Device& device);

// [count, 3, h, w] on the device. The current stream waits for the copy; the calling thread does not.
at::Tensor FinishTransfer(const PixelTransfer& transfer);

// The number of images that a forward of `images` has on a CUDA device: the next power of two. Kernels are chosen and
// loaded for a shape when it is first seen, so few shapes, all of them seen at start, keep a first batch from stalling.
int64_t ShapeBucket(int64_t images);

}  // namespace modelpatch::serve
