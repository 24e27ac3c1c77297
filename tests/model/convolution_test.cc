// The fused convolution against libtorch's convolution and BatchNorm.
#include "core/model/convolution.h"

#include <fmt/format.h>
#include <torch/torch.h>

#include <string>

#include "tests/support/status_matchers.h"

namespace modelpatch::model {
namespace {

void ExpectPlain(int64_t channels, int64_t height, int64_t width, int64_t outputs, int64_t side, int64_t stride,
                 int64_t padding) {
  const at::Tensor input = at::randn({2, channels, height, width});
  const at::Tensor kernel = at::randn({outputs, channels, side, side});
  const at::Tensor scale = at::randn({outputs});
  const at::Tensor shift = at::randn({outputs});
  const at::Tensor expected =
      at::conv2d(input, kernel, {}, stride, padding) * scale.view({1, -1, 1, 1}) + shift.view({1, -1, 1, 1});
  const std::string what = fmt::format("{} channels {}x{} to {}, kernel {}, stride {}, padding {}", channels, height,
                                       width, outputs, side, stride, padding);
  for (const at::MemoryFormat format : {at::MemoryFormat::Contiguous, at::MemoryFormat::ChannelsLast}) {
    const at::Tensor ours = ConvolveScaleShift(input.contiguous(format), kernel, scale, shift, stride, padding, false);
    const at::Tensor above = ConvolveScaleShift(input.contiguous(format), kernel, scale, shift, stride, padding, true);
    ASSERT_EQ(ours.sizes(), expected.sizes()) << what;
    EXPECT_TRUE(at::equal(above, ours.relu())) << what;
    EXPECT_TRUE(ours.is_contiguous(at::MemoryFormat::ChannelsLast)) << what;
    EXPECT_TRUE(at::allclose(ours, expected, 1e-4, 1e-4)) << what;
  }
}

TEST(ConvolutionTest, IsConvolutionAndBatchNorm) {
  at::manual_seed(3);
  for (const int64_t side : {1, 3, 5}) {
    for (const int64_t stride : {1, 2}) {
      for (const int64_t padding : {int64_t{0}, side / 2}) {
        ExpectPlain(3, 9, 6, 8, side, stride, padding);
        ExpectPlain(16, 5, 5, 3, side, stride, padding);
      }
    }
  }
}

TEST(ConvolutionTest, AnImageSmallerThanTheWindowAndOneOfManyRows) {
  at::manual_seed(4);
  ExpectPlain(4, 1, 1, 5, 3, 1, 1);
  ExpectPlain(2, 1, 7, 5, 3, 2, 1);
  ExpectPlain(64, 40, 40, 6, 3, 1, 1);
  // More channels than pixels.
  ExpectPlain(7, 4, 3, 50, 3, 1, 1);
  ExpectPlain(7, 4, 3, 50, 3, 2, 1);
}

}  // namespace
}  // namespace modelpatch::model
