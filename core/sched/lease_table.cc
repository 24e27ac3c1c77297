#include "core/sched/lease_table.h"

#include <fmt/format.h>

#include "core/base/text.h"

namespace modelpatch::sched {
namespace {

bool Matches(const Device& device, const std::string& requested) {
  return requested.empty() || device.name == requested ||
         device.name.compare(0, requested.size() + 1, requested + ":") == 0;
}

}  // namespace

absl::Status LeaseTable::CheckPossible(const std::string& requested, int64_t bytes) const {
  if (bytes < 0)
    return base::FailedPrecondition("LEASE_IMPOSSIBLE", fmt::format("a lease of {} bytes; give 0 or more", bytes));
  if (!Fitting(requested, bytes).empty()) return absl::OkStatus();
  std::string known;
  for (const Device& device : devices_) {
    known += fmt::format("{}{} ({} bytes)", known.empty() ? "" : ", ", device.name, device.total_bytes);
  }
  return base::FailedPrecondition("LEASE_IMPOSSIBLE",
                                  fmt::format("no device can lend {} bytes of '{}'; there are: {}", bytes,
                                              requested.empty() ? "any device" : base::Printable(requested), known));
}

std::optional<Lease> LeaseTable::Acquire(const std::string& requested, int64_t bytes,
                                         const std::set<std::string>& withheld) {
  const Device* best = nullptr;
  int64_t best_free = -1;
  for (const Device& device : devices_) {
    if (bytes < 0 || !Matches(device, requested) || withheld.count(device.name) != 0) continue;
    const int64_t free = device.total_bytes - UsedBytes(device.name);
    if (Leases(device.name) >= device.maximum_leases || free < bytes || free <= best_free) continue;
    best = &device;
    best_free = free;
  }
  if (best == nullptr) return std::nullopt;
  return Adopt(best->name, bytes);
}

Lease LeaseTable::Adopt(const std::string& device, int64_t bytes) {
  const Lease lease{next_id_++, device, bytes};
  leases_.emplace(lease.id, lease);
  return lease;
}

void LeaseTable::Release(const Lease& lease) { leases_.erase(lease.id); }

std::vector<std::string> LeaseTable::Fitting(const std::string& requested, int64_t bytes) const {
  std::vector<std::string> names;
  for (const Device& device : devices_) {
    if (Matches(device, requested) && device.maximum_leases > 0 && device.total_bytes >= bytes)
      names.push_back(device.name);
  }
  return names;
}

int64_t LeaseTable::UsedBytes(const std::string& device) const {
  int64_t used = 0;
  for (const auto& [id, lease] : leases_) {
    if (lease.device == device) used += lease.bytes;
  }
  return used;
}

int LeaseTable::Leases(const std::string& device) const {
  int count = 0;
  for (const auto& [id, lease] : leases_) count += lease.device == device ? 1 : 0;
  return count;
}

}  // namespace modelpatch::sched
