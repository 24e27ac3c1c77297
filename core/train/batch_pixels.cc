#include "core/train/batch_pixels.h"

#include <torch/torch.h>

namespace modelpatch::train {

at::Tensor PixelsOf(data::Batch& batch, data::ImageSize image_size) {
  return at::from_blob(batch.pixels.data(), {batch.count, 3, image_size.height, image_size.width}, at::kFloat);
}

}  // namespace modelpatch::train
