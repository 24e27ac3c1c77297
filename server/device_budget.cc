#include "server/device_budget.h"

#include <algorithm>

namespace modelpatch::server {

DeviceBudget DivideDevice(int64_t device_bytes, int64_t cache_bytes, bool is_cuda) {
  // One context is the server's, one the running step's.
  const int64_t usable = std::max<int64_t>(0, device_bytes - (is_cuda ? 2 * kCudaContextBytes : 0));
  const int64_t serving = std::min(usable / 2, cache_bytes + kActivationBytes);
  return {serving, usable - serving};
}

}  // namespace modelpatch::server
