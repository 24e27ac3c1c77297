// ClassLists: what the class prompts of requests became, kept for those that come with the same prompts again.
//
// They are found by the bytes of their message, whole: of thousands of names that were seen before, none is parsed,
// checked, copied or hashed, and two lists that differ in any byte are two lists. Bounded in bytes, keys included; what
// was used least recently goes first. Thread safety: thread-safe. Get waits while another thread expands the same
// prompts: milliseconds, so not for gRPC's threads.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "core/base/status.h"
#include "core/model/class_prompts.h"
#include "core/serve/class_list.h"
#include "core/serve/single_flight_cache.h"

namespace modelpatch::server {

class ClassLists {
 public:
  ClassLists(const model::PromptLimits& limits, int64_t maximum_bytes) : limits_(limits), lists_(maximum_bytes) {}

  // `class_prompts`: a v1.ClassPrompts as bytes. INVALID_ARGUMENT: MALFORMED_REQUEST, and the errors of ToClassPrompts
  // with their fields; they are not kept.
  absl::StatusOr<std::shared_ptr<const serve::ClassList>> Get(const std::string& class_prompts);

  // Bytes that are held, hits and misses.
  serve::SingleFlightCache<serve::ClassList>::Statistics statistics() { return lists_.statistics(); }

 private:
  const model::PromptLimits limits_;
  serve::SingleFlightCache<serve::ClassList> lists_;
};

}  // namespace modelpatch::server
