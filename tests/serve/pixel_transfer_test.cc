#include "core/serve/pixel_transfer.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <vector>

#include "tests/support/status_matchers.h"

namespace modelpatch::serve {
namespace {

TEST(PixelTransferTest, FewShapesForAllBatches) {
  EXPECT_EQ(ShapeBucket(1), 1);
  EXPECT_EQ(ShapeBucket(2), 2);
  EXPECT_EQ(ShapeBucket(3), 4);
  EXPECT_EQ(ShapeBucket(64), 64);
  EXPECT_EQ(ShapeBucket(65), 128);
}

TEST(PixelTransferTest, NothingIsTransferredToTheCpu) {
  const std::vector<float> pixels(3 * 2 * 2);
  EXPECT_EQ(StartTransfer(pixels, 1, {2, 2}, tensor::Device()), nullptr);
}

TEST(PixelTransferTest, PixelsArriveOnADevice) {
  const auto device = tensor::Device::Parse("cuda");
  if (!device.ok()) GTEST_SKIP() << "this machine has no CUDA device";
  std::vector<float> pixels(2 * 3 * 4 * 5);
  for (size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<float>(i);
  const auto transfer = StartTransfer(pixels, 2, {4, 5}, *device);
  ASSERT_NE(transfer, nullptr);
  const at::Tensor arrived = FinishTransfer(*transfer);
  EXPECT_TRUE(arrived.is_cuda());
  EXPECT_TRUE(at::equal(arrived.cpu().flatten(), at::arange(static_cast<int64_t>(pixels.size()), at::kFloat)));
}

}  // namespace
}  // namespace modelpatch::serve
