#include "core/model/patches.h"

#include <torch/torch.h>

namespace modelpatch::model {

at::Tensor PatchRows(const at::Tensor& pixels, int64_t patch, int64_t rows, int64_t columns) {
  const int64_t batch = pixels.size(0);
  return pixels.slice(2, 0, rows * patch)
      .slice(3, 0, columns * patch)
      .reshape({batch, 3, rows, patch, columns, patch})
      .permute({0, 2, 4, 1, 3, 5})
      .reshape({batch * rows * columns, 3 * patch * patch});
}

}  // namespace modelpatch::model
