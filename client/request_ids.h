// Ids that no two requests share.
#pragma once

#include <random>
#include <string>

#include "absl/strings/str_format.h"

namespace modelpatch::client {

// 32 hexadecimal digits.
inline std::string RandomId() {
  std::random_device random;
  return absl::StrFormat("%08x%08x%08x%08x", random(), random(), random(), random());
}

// A creation with a request_id can be repeated without making two.
template <typename Request>
void EnsureRequestId(Request& request) {
  if (request.request_id().empty()) request.set_request_id(RandomId());
}

}  // namespace modelpatch::client
