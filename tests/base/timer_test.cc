#include "core/base/timer.h"

#include <gtest/gtest.h>

#include <future>
#include <vector>

namespace modelpatch::base {
namespace {

using std::chrono::milliseconds;

TEST(TimerTest, RunsTheShortestWaitFirst) {
  const auto timer = MakeTimer();
  std::vector<int> order;
  std::promise<void> done;
  // The timer's thread is kept until both of the others are there.
  std::promise<void> both;
  timer->After(milliseconds(0), [&] { both.get_future().wait(); });
  timer->After(milliseconds(2), [&] {
    order.push_back(2);
    done.set_value();
  });
  timer->After(milliseconds(1), [&] { order.push_back(1); });
  both.set_value();
  done.get_future().wait();
  EXPECT_EQ(order, (std::vector<int>{1, 2}));
}

TEST(TimerTest, ForgetsWhatHasNotRunWhenItGoes) {
  bool ran = false;
  {
    const auto timer = MakeTimer();
    timer->After(std::chrono::hours(1), [&] { ran = true; });
  }
  EXPECT_FALSE(ran);
}

TEST(TimerTest, MoreMayBeAskedForWhileItRuns) {
  const auto timer = MakeTimer();
  std::promise<void> done;
  timer->After(milliseconds(0), [&] { timer->After(milliseconds(0), [&] { done.set_value(); }); });
  EXPECT_EQ(done.get_future().wait_for(std::chrono::seconds(60)), std::future_status::ready);
}

}  // namespace
}  // namespace modelpatch::base
