#include "client/retry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace modelpatch::client {
namespace {

using std::chrono::milliseconds;

TEST(RetryTest, WaitsGrowUpToTheMaximum) {
  RetryPolicy policy;
  policy.maximum_attempts = 7;
  std::vector<int64_t> waits;
  policy.sleep = [&](milliseconds time) { waits.push_back(time.count()); };
  EXPECT_TRUE(absl::IsUnavailable(Retry(policy, [] { return absl::UnavailableError("no"); })));
  EXPECT_THAT(waits, ::testing::ElementsAre(100, 200, 400, 800, 1600, 2000));
  EXPECT_EQ(BackoffAfter(policy, 1000000), milliseconds(2000));
}

TEST(RetryTest, StopsAtSuccessAndAtOtherErrors) {
  RetryPolicy policy;
  policy.sleep = [](milliseconds) {};
  int calls = 0;
  EXPECT_TRUE(Retry(policy, [&] { return ++calls == 2 ? absl::OkStatus() : absl::UnavailableError("no"); }).ok());
  EXPECT_EQ(calls, 2);
  calls = 0;
  EXPECT_TRUE(absl::IsNotFound(Retry(policy, [&] {
    ++calls;
    return absl::NotFoundError("none");
  })));
  EXPECT_EQ(calls, 1);
}

}  // namespace
}  // namespace modelpatch::client
