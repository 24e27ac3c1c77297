#include "core/serve/single_flight_cache.h"

#include <atomic>
#include <future>
#include <new>
#include <thread>
#include <vector>

#include "tests/support/status_matchers.h"

namespace modelpatch::serve {
namespace {

using Cache = SingleFlightCache<int>;

Cache::Builder Build(int value, int64_t bytes, int* builds = nullptr) {
  return [=](const base::CancellationToken&) -> absl::StatusOr<Cache::Built> {
    if (builds != nullptr) ++*builds;
    return Cache::Built{std::make_shared<const int>(value), bytes};
  };
}

TEST(SingleFlightCacheTest, BuildsOnceAndKeeps) {
  Cache cache(100);
  int builds = 0;
  for (int i = 0; i < 3; ++i) {
    ASSERT_OK_AND_ASSIGN(const auto value, cache.Get("a", Build(7, 10, &builds)));
    EXPECT_EQ(*value, 7);
  }
  EXPECT_EQ(builds, 1);
  EXPECT_EQ(cache.statistics().hits, 2);
  EXPECT_EQ(cache.statistics().bytes, 10);
}

TEST(SingleFlightCacheTest, TheLeastRecentlyUsedGoesFirst) {
  Cache cache(20);
  EXPECT_OK(cache.Get("a", Build(1, 10)));
  EXPECT_OK(cache.Get("b", Build(2, 10)));
  EXPECT_OK(cache.Get("a", Build(1, 10)));
  EXPECT_OK(cache.Get("c", Build(3, 10)));
  EXPECT_NE(cache.Find("a"), nullptr);
  EXPECT_EQ(cache.Find("b"), nullptr);
  EXPECT_NE(cache.Find("c"), nullptr);
}

TEST(SingleFlightCacheTest, AValueLargerThanTheBudgetIsGivenAndNotKept) {
  Cache cache(20);
  EXPECT_OK(cache.Get("small", Build(1, 10)));
  ASSERT_OK_AND_ASSIGN(const auto value, cache.Get("large", Build(2, 21)));
  EXPECT_EQ(*value, 2);
  EXPECT_EQ(cache.Find("large"), nullptr);
  EXPECT_NE(cache.Find("small"), nullptr);
}

TEST(SingleFlightCacheTest, WhatIsPinnedStaysUntilItIsNot) {
  Cache cache(20);
  cache.SetPinned({"a", "later"});
  for (const char* key : {"a", "b", "c", "later"}) EXPECT_OK(cache.Get(key, Build(1, 10)));
  EXPECT_NE(cache.Find("a"), nullptr);
  EXPECT_NE(cache.Find("later"), nullptr);
  EXPECT_EQ(cache.Find("c"), nullptr);
  // With both pinned there is room for nothing else.
  EXPECT_OK(cache.Get("d", Build(1, 10)));
  EXPECT_EQ(cache.Find("d"), nullptr);
  cache.SetPinned({});
  EXPECT_OK(cache.Get("d", Build(1, 10)));
  EXPECT_NE(cache.Find("d"), nullptr);
  EXPECT_EQ(cache.statistics().bytes, 20);
}

TEST(SingleFlightCacheTest, AnErrorIsForgotten) {
  Cache cache(20);
  const auto fail = [](const base::CancellationToken&) -> absl::StatusOr<Cache::Built> {
    return base::Unavailable("NO", "no");
  };
  EXPECT_THAT(cache.Get("a", fail), testing::FailsWith(absl::StatusCode::kUnavailable, "NO"));
  EXPECT_OK(cache.Get("a", Build(1, 1)));
}

TEST(SingleFlightCacheTest, ContainsWhatIsThereWithoutUsingIt) {
  Cache cache(20);
  const auto is_one = [](int value) { return value == 1; };
  EXPECT_FALSE(cache.Contains(is_one));
  EXPECT_OK(cache.Get("a", Build(1, 10)));
  EXPECT_OK(cache.Get("b", Build(2, 10)));
  EXPECT_TRUE(cache.Contains(is_one));
  EXPECT_OK(cache.Get("c", Build(3, 10)));
  EXPECT_FALSE(cache.Contains(is_one));
}

TEST(SingleFlightCacheTest, EvictsByPrefixOnly) {
  Cache cache(100);
  for (const char* key : {"m1|a", "m1|b", "m2|a"}) EXPECT_OK(cache.Get(key, Build(1, 10)));
  cache.EvictPrefix("m1");
  EXPECT_EQ(cache.Find("m1|a"), nullptr);
  EXPECT_EQ(cache.Find("m1|b"), nullptr);
  EXPECT_NE(cache.Find("m2|a"), nullptr);
  EXPECT_EQ(cache.statistics().bytes, 10);
  EXPECT_OK(cache.Get("m2|b", Build(1, 10)));
  cache.EvictContaining("|b");
  EXPECT_EQ(cache.Find("m2|b"), nullptr);
  EXPECT_EQ(cache.statistics().bytes, 10);
}

TEST(SingleFlightCacheTest, ManyThreadsShareOneBuild) {
  Cache cache(100);
  std::atomic<int> builds = 0;
  std::atomic<int> right = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      const auto value = cache.Get("a", [&](const base::CancellationToken&) -> absl::StatusOr<Cache::Built> {
        ++builds;
        return Cache::Built{std::make_shared<const int>(7), 1};
      });
      if (value.ok() && **value == 7) ++right;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(builds, 1);
  EXPECT_EQ(right, 8);
}

TEST(SingleFlightCacheTest, WhatTheBuilderThrowsIsAnErrorAndForgotten) {
  Cache cache(100);
  const auto fail = [](const base::CancellationToken&) -> absl::StatusOr<Cache::Built> { throw std::bad_alloc(); };
  EXPECT_THAT(cache.Get("a", fail), testing::FailsWith(absl::StatusCode::kResourceExhausted, "OUT_OF_MEMORY"));
  EXPECT_OK(cache.Get("a", Build(1, 1)));
}

TEST(SingleFlightCacheTest, ABuildThatNobodyWaitsForIsGivenUp) {
  Cache cache(100);
  base::CancellationSource first;
  base::CancellationSource second;
  std::promise<void> building;
  std::thread builder([&] {
    const auto value = cache.Get(
        "a",
        [&](const base::CancellationToken& unwanted) -> absl::StatusOr<Cache::Built> {
          building.set_value();
          while (!unwanted.cancelled()) std::this_thread::yield();
          return unwanted.Check();
        },
        first.token());
    EXPECT_EQ(value.status().code(), absl::StatusCode::kCancelled);
  });
  building.get_future().wait();
  std::thread waiter([&] {
    const auto value = cache.Get("a", Build(1, 1), second.token());
    EXPECT_EQ(value.status().code(), absl::StatusCode::kCancelled);
  });
  while (cache.statistics().misses < 2) std::this_thread::yield();  // the waiter has joined
  second.Cancel();
  waiter.join();
  // The first caller still waits; the build ends with the last who does.
  first.Cancel();
  builder.join();
  ASSERT_OK_AND_ASSIGN(const auto value, cache.Get("a", Build(5, 1)));
  EXPECT_EQ(*value, 5);
}

TEST(SingleFlightCacheTest, ACancelledCallerDoesNotEndTheBuildOfOthers) {
  Cache cache(100);
  base::CancellationSource first;
  std::promise<void> building;
  std::atomic<bool> joined = false;
  std::thread builder([&] {
    const auto value = cache.Get(
        "a",
        [&](const base::CancellationToken& unwanted) -> absl::StatusOr<Cache::Built> {
          building.set_value();
          while (!joined) std::this_thread::yield();
          MP_RETURN_IF_ERROR(unwanted.Check());
          return Cache::Built{std::make_shared<const int>(7), 1};
        },
        first.token());
    EXPECT_OK(value);
  });
  building.get_future().wait();
  std::thread waiter([&] {
    const auto value = cache.Get("a", Build(1, 1));
    ASSERT_OK(value);
    EXPECT_EQ(**value, 7);
  });
  while (cache.statistics().misses < 2) std::this_thread::yield();
  first.Cancel();
  joined = true;
  builder.join();
  waiter.join();
}

}  // namespace
}  // namespace modelpatch::serve
