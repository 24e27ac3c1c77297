// LeaseTable: which device's memory is lent to which step.
//
// A lease is the right of a step to {device, bytes of its memory}. Invariant: on each device, the leases given by
// Acquire never exceed its bytes nor its number of leases; Adopt may exceed both, since the worker it stands for runs
// already. Thread safety: none; belongs to the scheduler's thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/base/status.h"

namespace modelpatch::sched {

struct Device {
  std::string name;  // "cpu", "cuda:0"
  int64_t total_bytes = 0;
  int maximum_leases = 1;
};

struct Lease {
  int64_t id = 0;
  std::string device;
  int64_t bytes = 0;
};

class LeaseTable {
 public:
  explicit LeaseTable(std::vector<Device> devices) : devices_(std::move(devices)) {}

  // Whether the request could be met on an idle machine: FAILED_PRECONDITION (LEASE_IMPOSSIBLE) otherwise.
  // `requested` is a device's name, its kind ("cuda" means any "cuda:<n>"), or empty for any device. `bytes` >= 0.
  absl::Status CheckPossible(const std::string& requested, int64_t bytes) const;

  // A lease on the fitting device with the most free bytes, or nothing. Devices in `withheld` are left alone.
  std::optional<Lease> Acquire(const std::string& requested, int64_t bytes, const std::set<std::string>& withheld = {});

  // A lease for a worker that runs already.
  Lease Adopt(const std::string& device, int64_t bytes);

  // A lease that was released before, or never given, is ignored.
  void Release(const Lease& lease);

  // The names of the devices that can meet the request when idle.
  std::vector<std::string> Fitting(const std::string& requested, int64_t bytes) const;

  // Bytes and leases in use on a device.
  int64_t UsedBytes(const std::string& device) const;
  int Leases(const std::string& device) const;
  const std::vector<Device>& devices() const { return devices_; }

 private:
  const std::vector<Device> devices_;
  std::map<int64_t, Lease> leases_;
  int64_t next_id_ = 1;
};

}  // namespace modelpatch::sched
