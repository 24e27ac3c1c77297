#include "server/device_budget.h"

#include <gtest/gtest.h>

namespace modelpatch::server {
namespace {

constexpr int64_t kGibibyte = int64_t{1} << 30;

TEST(DeviceBudgetTest, NothingIsGivenTwice) {
  for (const int64_t device : {int64_t{0}, kGibibyte, 8 * kGibibyte, 80 * kGibibyte}) {
    for (const int64_t caches : {int64_t{0}, 10 * kGibibyte, 100 * kGibibyte}) {
      for (const bool is_cuda : {false, true}) {
        const DeviceBudget budget = DivideDevice(device, caches, is_cuda);
        EXPECT_GE(budget.serving_bytes, 0);
        EXPECT_GE(budget.leasable_bytes, budget.serving_bytes) << "a large cache leaves half to the jobs";
        const int64_t contexts = is_cuda && device >= 2 * kCudaContextBytes ? 2 * kCudaContextBytes : 0;
        EXPECT_LE(budget.serving_bytes + budget.leasable_bytes + contexts, device);
      }
    }
  }
}

TEST(DeviceBudgetTest, SmallCachesLeaveTheRestToJobs) {
  const DeviceBudget budget = DivideDevice(80 * kGibibyte, 10 * kGibibyte, /*is_cuda=*/true);
  EXPECT_EQ(budget.serving_bytes, 12 * kGibibyte);
  EXPECT_EQ(budget.leasable_bytes, 66 * kGibibyte);
}

}  // namespace
}  // namespace modelpatch::server
