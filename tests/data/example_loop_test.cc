#include "core/data/example_loop.h"

#include <atomic>
#include <new>
#include <string>
#include <vector>

#include "tests/support/status_matchers.h"

namespace modelpatch::data {
namespace {

using ::modelpatch::testing::FailsWith;

TEST(ExampleLoopTest, WorksOnEachExampleOnce) {
  for (const int threads : {0, 1, 4}) {
    std::vector<std::atomic<int>> calls(100);
    ASSERT_OK(ForEachExample(100, threads, {}, [&](int64_t index) {
      ++calls[static_cast<size_t>(index)];
      return absl::OkStatus();
    }));
    for (const std::atomic<int>& count : calls) EXPECT_EQ(count, 1);
  }
}

TEST(ExampleLoopTest, ReportsTheFirstFailure) {
  for (const int threads : {1, 4}) {
    const absl::Status status = ForEachExample(100, threads, {}, [](int64_t index) {
      return index % 10 == 7 ? base::InvalidArgument("BROKEN", std::to_string(index)) : absl::OkStatus();
    });
    EXPECT_EQ(status.message(), "7");
  }
}

TEST(ExampleLoopTest, StopsWhenCancelled) {
  base::CancellationSource source;
  std::atomic<int> calls = 0;
  const absl::Status status = ForEachExample(1000, 2, source.token(), [&](int64_t) {
    ++calls;
    source.Cancel();
    return absl::OkStatus();
  });
  EXPECT_EQ(status.code(), absl::StatusCode::kCancelled);
  EXPECT_LE(calls, 2);
}

TEST(ExampleLoopTest, MemoryThatCannotBeHadIsAnError) {
  const absl::Status status = ForEachExample(2, 2, {}, [](int64_t) -> absl::Status { throw std::bad_alloc(); });
  EXPECT_THAT(status, FailsWith(absl::StatusCode::kResourceExhausted, "OUT_OF_MEMORY"));
}

}  // namespace
}  // namespace modelpatch::data
