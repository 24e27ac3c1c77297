#include "core/serve/forward_queue.h"

#include <string>
#include <utility>
#include <vector>

#include "tests/support/status_matchers.h"

namespace modelpatch::serve {
namespace {

using ::modelpatch::testing::FailsWith;

WaitingForward Waiting(const std::string& client, int64_t images = 1, int arrival_seconds = 0) {
  WaitingForward waiting;
  waiting.request.client = client;
  waiting.request.count = images;
  waiting.done = [](const absl::StatusOr<ForwardResult>&) {};
  waiting.arrival = base::SteadyTime(std::chrono::seconds(arrival_seconds));
  return waiting;
}

absl::Status Push(ForwardQueue& queue, WaitingForward waiting) { return queue.Push(waiting); }

std::string Clients(const std::vector<const WaitingForward*>& waiting) {
  std::string names;
  for (const WaitingForward* one : waiting) names += one->request.client;
  return names;
}

TEST(ForwardQueueTest, ClientsTakeTurnsAndTheOneThatWasServedGoesBehind) {
  ForwardQueue queue(100);
  for (int i = 0; i < 3; ++i) ASSERT_OK(Push(queue, Waiting("a")));
  ASSERT_OK(Push(queue, Waiting("b")));
  ASSERT_OK(Push(queue, Waiting("c")));
  ASSERT_OK(Push(queue, Waiting("c")));
  EXPECT_EQ(Clients(queue.InFairOrder()), "abcaca");
  const std::vector<size_t> leader = {0};
  EXPECT_EQ(queue.Take(leader)[0].request.client, "a");
  EXPECT_EQ(Clients(queue.InFairOrder()), "bcaca");
  // Others that ride along do not cost their clients the turn.
  const std::vector<size_t> leader_and_last = {0, 4};
  const auto taken = queue.Take(leader_and_last);
  EXPECT_EQ(taken[0].request.client, "b");
  EXPECT_EQ(taken[1].request.client, "a");
  EXPECT_EQ(Clients(queue.InFairOrder()), "cac");
}

TEST(ForwardQueueTest, ImagesAreCountedAndBounded) {
  ForwardQueue queue(10);
  ASSERT_OK(Push(queue, Waiting("a", 5)));
  ASSERT_OK(Push(queue, Waiting("b", 5)));
  EXPECT_EQ(queue.images(), 10);
  WaitingForward refused = Waiting("c", 1);
  EXPECT_THAT(queue.Push(refused), FailsWith(absl::StatusCode::kResourceExhausted, "QUEUE_FULL"));
  EXPECT_NE(refused.done, nullptr) << "what is refused is left as it is";
  const std::vector<size_t> leader = {0};
  queue.Take(leader);
  EXPECT_EQ(queue.images(), 5);
  EXPECT_OK(queue.Push(refused));
}

TEST(ForwardQueueTest, OneClientHoldsHalfAtMost) {
  ForwardQueue queue(10);
  ASSERT_OK(Push(queue, Waiting("greedy", 3)));
  ASSERT_OK(Push(queue, Waiting("greedy", 2)));
  EXPECT_THAT(Push(queue, Waiting("greedy")), FailsWith(absl::StatusCode::kResourceExhausted, "CLIENT_QUEUE_FULL"));
  EXPECT_OK(Push(queue, Waiting("other")));
}

TEST(ForwardQueueTest, ARequestLargerThanTheQueuePassesWhereNothingWaits) {
  ForwardQueue queue(10);
  ASSERT_OK(Push(queue, Waiting("a", 50)));
  EXPECT_THAT(Push(queue, Waiting("b")), FailsWith(absl::StatusCode::kResourceExhausted, "QUEUE_FULL"));
}

TEST(ForwardQueueTest, TheOldestArrivalIsOverAllClients) {
  ForwardQueue queue(100);
  ASSERT_OK(Push(queue, Waiting("a", 1, 7)));
  ASSERT_OK(Push(queue, Waiting("b", 1, 3)));
  EXPECT_EQ(queue.oldest_arrival(), base::SteadyTime(std::chrono::seconds(3)));
  EXPECT_EQ(queue.TakeAll().size(), 2u);
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(queue.images(), 0);
}

}  // namespace
}  // namespace modelpatch::serve
