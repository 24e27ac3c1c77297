#include "core/serve/pixel_transfer.h"

#include <c10/core/Event.h>
#include <c10/core/StreamGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <torch/torch.h>

#include <algorithm>

#include "core/tensor/compat.h"

namespace modelpatch::serve {

struct PixelTransfer {
  at::Tensor pixels;
  // Recorded on the copy stream after the copy.
  std::shared_ptr<c10::Event> copied;
};

std::shared_ptr<const PixelTransfer> StartTransfer(std::span<const float> pixels, int64_t count, data::ImageSize size,
                                                   const tensor::Device& device) {
  if (!device.is_cuda()) return nullptr;
  const at::NoGradGuard no_grad;
  const c10::Device to = tensor::ToTorchDevice(device);
  at::Tensor staged = at::empty({count, 3, size.height, size.width}, at::TensorOptions(at::kFloat).pinned_memory(true));
  std::copy(pixels.begin(), pixels.end(), staged.data_ptr<float>());
  const c10::impl::VirtualGuardImpl streams(to.type());
  const c10::StreamGuard on_copy_stream(streams.getStreamFromGlobalPool(to));
  auto transfer = std::make_shared<PixelTransfer>();
  // Pinned memory that is still being read is not given out again: libtorch's host allocator sees to that.
  transfer->pixels = staged.to(to, /*non_blocking=*/true);
  transfer->copied = std::make_shared<c10::Event>(to.type());
  transfer->copied->record(on_copy_stream.current_stream());
  return transfer;
}

at::Tensor FinishTransfer(const PixelTransfer& transfer) {
  const c10::impl::VirtualGuardImpl streams(transfer.pixels.device().type());
  const c10::Stream reader = streams.getStream(transfer.pixels.device());
  transfer.copied->block(reader);
  // Its memory belongs to the copy stream, which must not have it again before the reader is done.
  transfer.pixels.record_stream(reader);
  return transfer.pixels;
}

int64_t ShapeBucket(int64_t images) {
  int64_t bucket = 1;
  while (bucket < images) bucket *= 2;
  return bucket;
}

}  // namespace modelpatch::serve
