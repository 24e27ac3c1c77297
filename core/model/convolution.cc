#include "core/model/convolution.h"

#include <ATen/Parallel.h>
#include <torch/torch.h>

#include <algorithm>
#include <limits>
#include <memory>

#include "core/tensor/small_gemm.h"

namespace modelpatch::model {
namespace {

// What the unfolded input of one product should take: about a core's second-level cache.
constexpr int64_t kColumnBytes = int64_t{2} << 20;
// Output pixels of one product, at least: the kernel is packed anew for each.
constexpr int64_t kLeastRows = 512;

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

// The same in the order of a kernel as it is stored, [end − begin, channels · side · side].
void UnfoldLikeKernel(const ConvolutionShape& shape, const float* images, int64_t begin, int64_t end, float* columns) {
  const int64_t window = shape.side * shape.side;
  for (int64_t pixel = begin; pixel < end; ++pixel, columns += shape.inner()) {
    const int64_t x = pixel % shape.out_width() * shape.stride - shape.padding;
    const int64_t y = pixel / shape.out_width() % shape.out_height() * shape.stride - shape.padding;
    const int64_t image = pixel / (shape.out_width() * shape.out_height());
    for (int64_t k = 0; k < window; ++k) {
      const int64_t at_y = y + k / shape.side;
      const int64_t at_x = x + k % shape.side;
      const bool inside = at_y >= 0 && at_y < shape.height && at_x >= 0 && at_x < shape.width;
      const float* from = images + ((image * shape.height + at_y) * shape.width + at_x) * shape.channels;
      float* to = columns + k;
      for (int64_t channel = 0; channel < shape.channels; ++channel) to[channel * window] = inside ? from[channel] : 0;
    }
  }
}

void ScaleShift(const float* scale, const float* shift, int64_t rows, int64_t channels, bool relu, float* out) {
  const float least = relu ? 0.0f : -std::numeric_limits<float>::infinity();
  for (int64_t row = 0; row < rows; ++row, out += channels) {
    for (int64_t i = 0; i < channels; ++i) {
      const float value = out[i] * scale[i] + shift[i];
      // This way round a NaN stays one.
      out[i] = value < least ? least : value;
    }
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
                              const at::Tensor& shift, int64_t stride, int64_t padding, bool relu) {
  const at::Tensor input = given.contiguous(at::MemoryFormat::ChannelsLast);
  const ConvolutionShape shape{input.size(2), input.size(3), input.size(1), kernel.size(2), stride, padding};
  const int64_t outputs = kernel.size(0);
  const at::Tensor output = at::empty({input.size(0), shape.out_height(), shape.out_width(), outputs}, input.options());
  const int64_t rows = output.numel() / outputs;
  const int64_t rows_at_once = RowsAtOnce(shape, rows);
  // Channels go last in the kernel too, or in front in what is unfolded: whichever moves less.
  const bool like_kernel = rows < outputs;
  const at::Tensor ordered = like_kernel ? kernel : kernel.permute({0, 2, 3, 1});
  const at::Tensor matrix = ordered.reshape({outputs, shape.inner()}).contiguous();
  const float* images = input.data_ptr<float>();
  at::parallel_for(0, (rows + rows_at_once - 1) / rows_at_once, 1, [&](int64_t first, int64_t last) {
    const auto columns = std::make_unique_for_overwrite<float[]>(
        static_cast<size_t>(shape.is_pointwise() ? 0 : rows_at_once * shape.inner()));
    for (int64_t part = first; part < last; ++part) {
      const int64_t begin = part * rows_at_once;
      const int64_t end = std::min(rows, begin + rows_at_once);
      const float* unfolded = images + begin * shape.channels;
      if (!shape.is_pointwise()) {
        (like_kernel ? UnfoldLikeKernel : Unfold)(shape, images, begin, end, columns.get());
        unfolded = columns.get();
      }
      float* out = output.data_ptr<float>() + begin * outputs;
      tensor::SmallGemm(end - begin, outputs, shape.inner(), 1.0f, {unfolded, shape.inner(), false},
                        {matrix.data_ptr<float>(), shape.inner(), true}, out, outputs);
      ScaleShift(scale.data_ptr<float>(), shift.data_ptr<float>(), end - begin, outputs, relu, out);
    }
  });
  return output.permute({0, 3, 1, 2});
}

}  // namespace modelpatch::model
