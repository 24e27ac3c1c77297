// CandidateTable: the distinct candidates of a task's examples, numbered in the order of their first appearance.
//
// One table serves all splits of a task, so that a text is the same class in each. Belongs to one thread.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/base/status.h"

namespace modelpatch::data {

class CandidateTable {
 public:
  // The class of this text, a new one if it is new. INVALID_ARGUMENT (TOO_MANY_CLASSES): more than kMaximumClasses.
  absl::StatusOr<int32_t> ClassOf(const std::string& text);

  // By class.
  const std::vector<std::string>& texts() const { return texts_; }

 private:
  std::vector<std::string> texts_;
  std::unordered_map<std::string, int32_t> classes_;
};

}  // namespace modelpatch::data
