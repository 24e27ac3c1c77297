// Device: where tensors live, "cpu" or "cuda:N", without libtorch's headers. An immutable value.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/status.h"

namespace modelpatch::tensor {

class Device {
 public:
  // The CPU.
  Device() = default;
  // "cpu", "cuda" (meaning cuda:0) or "cuda:N" of a device that this machine has; else INVALID_ARGUMENT (BAD_DEVICE).
  static absl::StatusOr<Device> Parse(std::string_view name);

  bool is_cuda() const { return cuda_index_ >= 0; }
  // The index of a CUDA device; -1 for the CPU.
  int cuda_index() const { return cuda_index_; }
  std::string ToString() const;

  bool operator==(const Device&) const = default;

 private:
  explicit Device(int cuda_index) : cuda_index_(cuda_index) {}
  int cuda_index_ = -1;
};

struct DeviceInfo {
  Device device;
  // Bytes of the device's memory (of the machine's, for the CPU).
  int64_t memory_bytes;
};

// The devices that training may lease: every CUDA device, or the CPU if there is none.
std::vector<DeviceInfo> AvailableDevices();

}  // namespace modelpatch::tensor
