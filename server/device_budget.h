// How the memory of a device is divided between the server's inference and the jobs that run on it. Pure.
#pragma once

#include <cstdint>

namespace modelpatch::server {

// What a CUDA context takes in each process.
constexpr int64_t kCudaContextBytes = int64_t{1} << 30;
// What the forwards of one batch may take beside the weights.
constexpr int64_t kActivationBytes = int64_t{2} << 30;

struct DeviceBudget {
  // Of the server's own process: caches and activations.
  int64_t serving_bytes;
  // Of the steps on the device together.
  int64_t leasable_bytes;
};

// The caches and activations have what they may grow to, or half of the device if that is less; the steps have the
// rest. With `is_cuda` each of the two processes has a context of its own beside that.
DeviceBudget DivideDevice(int64_t device_bytes, int64_t cache_bytes, bool is_cuda);

}  // namespace modelpatch::server
