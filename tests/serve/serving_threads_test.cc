// The batcher, its queue and the caches under many threads, without libtorch: for ThreadSanitizer.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "core/serve/batcher.h"
#include "core/serve/mixture_demand.h"

namespace modelpatch::serve {
namespace {

constexpr int kThreads = 6;
constexpr int kRequests = 400;

ForwardRequest RequestOf(int thread, int number, const base::CancellationToken& cancellation) {
  ForwardRequest request;
  request.count = 1 + number % 3;
  request.client = "client " + std::to_string(thread % 3);
  request.priority = number % 7 == 0 ? Priority::kBackground : Priority::kInteractive;
  request.cancellation = cancellation;
  return request;
}

TEST(ServingThreadsTest, EveryRequestIsAnsweredOnceWhateverHappensToIt) {
  const base::SystemClock clock;
  const std::unique_ptr<base::MetricRegistry> metrics = base::MakeNullMetricRegistry();
  std::array<std::atomic<int>, kThreads * kRequests> answers{};
  std::atomic<int> refused = 0;
  {
    Batcher batcher({/*maximum_batch=*/8, /*maximum_queued_images=*/64}, clock, *metrics);
    std::vector<std::thread> threads;
    for (int thread = 0; thread < kThreads; ++thread) {
      threads.emplace_back([&, thread] {
        for (int number = 0; number < kRequests; ++number) {
          base::CancellationSource source;
          std::atomic<int>& answer = answers[static_cast<size_t>(thread * kRequests + number)];
          batcher.Submit(RequestOf(thread, number, source.token()), [&](const absl::StatusOr<ForwardResult>& result) {
            ++answer;
            if (result.status().code() == absl::StatusCode::kResourceExhausted) ++refused;
          });
          if (number % 5 == 0) source.Cancel();
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    // What still waits is answered when the batcher goes.
  }
  for (const std::atomic<int>& answer : answers) EXPECT_EQ(answer, 1);
  EXPECT_LT(refused, kThreads * kRequests);
}

TEST(ServingThreadsTest, DemandIsCountedOverAllThreads) {
  MixtureDemand demand(8);
  std::atomic<int> worth = 0;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&] {
      for (int number = 0; number < kRequests; ++number) {
        if (demand.Charge("one", 1, 10)) ++worth;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(worth, kThreads * kRequests / 10);
}

}  // namespace
}  // namespace modelpatch::serve
