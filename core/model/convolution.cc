#include "core/model/convolution.h"

#include <ATen/Parallel.h>
#include <torch/torch.h>

#include <algorithm>
#include <vector>

#include "core/tensor/small_gemm.h"

namespace modelpatch::model {
namespace {

// What the unfolded input of one product may take: it is to stay in a core's second-level cache.
constexpr int64_t kColumnBytes = int64_t{1} << 19;
// Output pixels of one product, at least: fewer make the product slow.
constexpr int64_t kLeastRows = 64;

struct ConvolutionShape {
  int64_t height;  // of the input
  int64_t width;
  int64_t channels;
  int64_t side;  // of the kernel
  int64_t stride;
  int64_t padding;

  int64_t out_height() const { return (height + 2 * padding - side) / stride + 1; }
  int64_t out_width() const { return (width + 2 * padding - side) / stride + 1; }
  int64_t inner() const { return side * side * channels; }
  // The output pixels are the input's own, and nothing needs to be unfolded.
  bool is_pointwise() const { return side == 1 && stride == 1 && padding == 0; }
};

// One row of the kernel's window, [side, channels], that starts at column `x` of an image's row; zeros outside.
void UnfoldRow(const ConvolutionShape& shape, const float* row, int64_t x, float* to) {
  const int64_t first = std::clamp<int64_t>(-x, 0, shape.side);
  const int64_t last = std::clamp<int64_t>(shape.width - x, first, shape.side);
  std::fill(to, to + first * shape.channels, 0.0f);
  std::copy(row + (x + first) * shape.channels, row + (x + last) * shape.channels, to + first * shape.channels);
  std::fill(to + last * shape.channels, to + shape.side * shape.channels, 0.0f);
}

// What the output pixels [begin, end) see, [end − begin, side · side · channels], of images [N, H, W, C].
void Unfold(const ConvolutionShape& shape, const float* images, int64_t begin, int64_t end, float* columns) {
  const int64_t row_values = shape.side * shape.channels;
  for (int64_t pixel = begin; pixel < end; ++pixel) {
    const int64_t x = pixel % shape.out_width() * shape.stride - shape.padding;
    const int64_t y = pixel / shape.out_width() % shape.out_height() * shape.stride - shape.padding;
    const int64_t image = pixel / (shape.out_width() * shape.out_height());
    for (int64_t ky = 0; ky < shape.side; ++ky, columns += row_values) {
      if (y + ky < 0 || y + ky >= shape.height) {
        std::fill(columns, columns + row_values, 0.0f);
      } else {
        UnfoldRow(shape, images + (image * shape.height + y + ky) * shape.width * shape.channels, x, columns);
      }
    }
  }
}

void ScaleShift(const float* scale, const float* shift, int64_t rows, int64_t channels, float* out) {
  for (int64_t row = 0; row < rows; ++row, out += channels) {
    for (int64_t i = 0; i < channels; ++i) out[i] = out[i] * scale[i] + shift[i];
  }
}

// Output pixels of one product: as many as the cache holds, but work for every thread.
int64_t RowsAtOnce(const ConvolutionShape& shape, int64_t rows) {
  const int64_t cached = kColumnBytes / (static_cast<int64_t>(sizeof(float)) * shape.inner());
  const int64_t threads = at::get_num_threads();
  return std::max<int64_t>(1, std::min(std::max(cached, kLeastRows), (rows + threads - 1) / threads));
}

}  // namespace

at::Tensor ConvolveScaleShift(const at::Tensor& given, const at::Tensor& kernel, const at::Tensor& scale,
                              const at::Tensor& shift, int64_t stride, int64_t padding) {
  const at::Tensor input = given.contiguous(at::MemoryFormat::ChannelsLast);
  const ConvolutionShape shape{input.size(2), input.size(3), input.size(1), kernel.size(2), stride, padding};
  const int64_t outputs = kernel.size(0);
  const at::Tensor matrix = kernel.permute({0, 2, 3, 1}).reshape({outputs, shape.inner()}).contiguous();
  const at::Tensor output = at::empty({input.size(0), shape.out_height(), shape.out_width(), outputs}, input.options());
  const int64_t rows = output.numel() / outputs;
  const int64_t rows_at_once = RowsAtOnce(shape, rows);
  const float* images = input.data_ptr<float>();
  at::parallel_for(0, (rows + rows_at_once - 1) / rows_at_once, 1, [&](int64_t first, int64_t last) {
    std::vector<float> columns(static_cast<size_t>(shape.is_pointwise() ? 0 : rows_at_once * shape.inner()));
    for (int64_t part = first; part < last; ++part) {
      const int64_t begin = part * rows_at_once;
      const int64_t end = std::min(rows, begin + rows_at_once);
      const float* unfolded = images + begin * shape.channels;
      if (!shape.is_pointwise()) {
        Unfold(shape, images, begin, end, columns.data());
        unfolded = columns.data();
      }
      float* out = output.data_ptr<float>() + begin * outputs;
      tensor::SmallGemm(end - begin, outputs, shape.inner(), 1.0f, {unfolded, shape.inner(), false},
                        {matrix.data_ptr<float>(), shape.inner(), true}, out, outputs);
      ScaleShift(scale.data_ptr<float>(), shift.data_ptr<float>(), end - begin, outputs, out);
    }
  });
  return output.permute({0, 3, 1, 2});
}

}  // namespace modelpatch::model
