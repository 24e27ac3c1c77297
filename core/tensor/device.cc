#include "core/tensor/device.h"

#include <fmt/format.h>
#include <torch/torch.h>
#include <unistd.h>

#include <charconv>

#include "core/base/text.h"
#include "core/tensor/compat.h"

namespace modelpatch::tensor {

absl::StatusOr<Device> Device::Parse(std::string_view name) {
  if (name == "cpu") return Device();
  const auto count = static_cast<int>(torch::cuda::device_count());
  int index = 0;
  std::string_view rest = name;
  bool good = rest.substr(0, 4) == "cuda";
  if (good && rest.size() > 4) {
    rest.remove_prefix(4);
    const auto [end, error] = std::from_chars(rest.data() + 1, rest.data() + rest.size(), index);
    good = rest[0] == ':' && error == std::errc() && end == rest.data() + rest.size();
  }
  if (!good || index < 0 || index >= count) {
    return base::InvalidArgument(
        "BAD_DEVICE",
        fmt::format("'{}' is not a device of this machine; it has the CPU (cpu) and {} CUDA devices (cuda:N)",
                    base::Printable(name), count));
  }
  return Device(index);
}

std::string Device::ToString() const { return is_cuda() ? fmt::format("cuda:{}", cuda_index_) : "cpu"; }

std::vector<DeviceInfo> AvailableDevices() {
  std::vector<DeviceInfo> devices;
  const auto count = static_cast<int>(torch::cuda::device_count());
  for (int i = 0; i < count; ++i) {
    const absl::StatusOr<Device> device = Device::Parse(fmt::format("cuda:{}", i));
    if (device.ok()) devices.push_back({*device, DeviceMemoryBytes(*device)});
  }
  if (devices.empty()) devices.push_back({Device(), DeviceMemoryBytes(Device())});
  return devices;
}

}  // namespace modelpatch::tensor
