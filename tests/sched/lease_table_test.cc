#include "core/sched/lease_table.h"

#include <map>
#include <string>
#include <vector>

#include "core/base/random.h"
#include "tests/support/status_matchers.h"

namespace modelpatch::sched {
namespace {

using testing::FailsWith;

const std::vector<Device> kDevices = {{"cpu", 1000, 1}, {"cuda:0", 100, 4}, {"cuda:1", 80, 4}};

TEST(LeaseTableTest, LendsByNameKindOrAny) {
  LeaseTable table(kDevices);
  EXPECT_EQ(table.Acquire("cuda:1", 10)->device, "cuda:1");
  EXPECT_EQ(table.Acquire("cuda", 10)->device, "cuda:0");
  EXPECT_EQ(table.Acquire("", 10)->device, "cpu");
  EXPECT_EQ(table.Acquire("", 10)->device, "cuda:0");  // the cpu takes one step at a time
  EXPECT_FALSE(table.Acquire("cpu", 0).has_value());
  EXPECT_FALSE(table.Acquire("cud", 0).has_value());
  EXPECT_FALSE(table.Acquire("tpu", 0).has_value());
}

TEST(LeaseTableTest, TakesTheFreestDeviceAndLeavesWithheldOnes) {
  LeaseTable table(kDevices);
  ASSERT_EQ(table.Acquire("cuda", 50)->device, "cuda:0");
  EXPECT_EQ(table.Acquire("cuda", 20)->device, "cuda:1");
  EXPECT_FALSE(table.Acquire("cuda", 61).has_value());
  EXPECT_EQ(table.Acquire("cuda", 10, {"cuda:1"})->device, "cuda:0");
  EXPECT_FALSE(table.Acquire("cuda", 10, {"cuda:0", "cuda:1"}).has_value());
}

TEST(LeaseTableTest, ReleasesOnce) {
  LeaseTable table(kDevices);
  const Lease lease = *table.Acquire("cpu", 1000);
  table.Release(lease);
  const Lease next = *table.Acquire("cpu", 1000);
  table.Release(lease);  // again: not the next one's
  EXPECT_EQ(table.UsedBytes("cpu"), 1000);
  table.Release(next);
  EXPECT_EQ(table.UsedBytes("cpu"), 0);
}

TEST(LeaseTableTest, AdoptsBeyondTheLimit) {
  LeaseTable table(kDevices);
  table.Adopt("cuda:0", 90);
  const Lease second = table.Adopt("cuda:0", 90);
  table.Adopt("cuda:7", 5);  // gone from the machine
  EXPECT_EQ(table.UsedBytes("cuda:0"), 180);
  EXPECT_FALSE(table.Acquire("cuda:0", 0).has_value());
  table.Release(second);
  EXPECT_TRUE(table.Acquire("cuda:0", 10).has_value());
}

TEST(LeaseTableTest, SaysWhatCanNeverBe) {
  const LeaseTable table(kDevices);
  EXPECT_OK(table.CheckPossible("cuda", 100));
  EXPECT_OK(table.CheckPossible("", 1000));
  for (const auto& [device, bytes] :
       std::map<std::string, int64_t>{{"cuda", 101}, {"cuda:2", 0}, {"tpu", 0}, {"cpu", -1}}) {
    EXPECT_THAT(table.CheckPossible(device, bytes),
                FailsWith(absl::StatusCode::kFailedPrecondition, "LEASE_IMPOSSIBLE"))
        << device;
  }
}

// Whatever is asked for and given back, no device lends more than it has, and what it lends is what was given.
TEST(LeaseTableTest, NeverLendsMoreThanThereIs) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    base::RandomStream random(seed, "leases");
    LeaseTable table(kDevices);
    std::vector<Lease> held;
    for (int turn = 0; turn < 300; ++turn) {
      if (!held.empty() && random.Below(2) == 0) {
        const size_t which = random.Below(held.size());
        table.Release(held[which]);
        held.erase(held.begin() + static_cast<int64_t>(which));
      } else {
        static const std::vector<std::string> kRequests = {"", "cpu", "cuda", "cuda:0", "cuda:1", "tpu"};
        const std::string requested = kRequests[random.Below(kRequests.size())];
        const auto bytes = static_cast<int64_t>(random.Below(60));
        if (const auto lease = table.Acquire(requested, bytes); lease.has_value()) {
          EXPECT_EQ(lease->bytes, bytes);
          held.push_back(*lease);
        } else {
          // Refused with reason: each fitting device is full or too small.
          for (const std::string& name : table.Fitting(requested, bytes)) {
            for (const Device& device : kDevices) {
              if (device.name != name) continue;
              EXPECT_TRUE(table.Leases(name) >= device.maximum_leases ||
                          table.UsedBytes(name) + bytes > device.total_bytes);
            }
          }
        }
      }
      for (const Device& device : kDevices) {
        int64_t bytes = 0;
        int count = 0;
        for (const Lease& lease : held) {
          if (lease.device != device.name) continue;
          bytes += lease.bytes;
          ++count;
        }
        ASSERT_EQ(table.UsedBytes(device.name), bytes);
        ASSERT_EQ(table.Leases(device.name), count);
        ASSERT_LE(bytes, device.total_bytes);
        ASSERT_LE(count, device.maximum_leases);
      }
    }
  }
}

}  // namespace
}  // namespace modelpatch::sched
