#include "core/base/executor.h"

#include <gtest/gtest.h>

#include <atomic>

namespace modelpatch::base {
namespace {

TEST(ThreadPoolTest, RunsEverythingBeforeItEnds) {
  std::atomic<int> count = 0;
  {
    const auto pool = MakeThreadPool(3);
    for (int i = 0; i < 1000; ++i) pool->Schedule([&count] { ++count; });
  }
  EXPECT_EQ(count, 1000);
}

TEST(ThreadPoolTest, WorkMaySchedule) {
  std::atomic<int> count = 0;
  {
    const auto pool = MakeThreadPool(1);
    pool->Schedule([&] {
      ++count;
      pool->Schedule([&count] { ++count; });
    });
    while (count < 2) {
    }
  }
  EXPECT_EQ(count, 2);
}

}  // namespace
}  // namespace modelpatch::base
