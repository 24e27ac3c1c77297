#include "core/data/candidate_table.h"

#include <fmt/format.h>

#include "core/data/prompt_templates.h"

namespace modelpatch::data {

absl::StatusOr<int32_t> CandidateTable::ClassOf(const std::string& text) {
  const auto [entry, is_new] = classes_.try_emplace(text, static_cast<int32_t>(texts_.size()));
  if (!is_new) return entry->second;
  if (texts_.size() == kMaximumClasses) {
    return base::InvalidArgument("TOO_MANY_CLASSES",
                                 fmt::format("the examples of all splits have more than {} distinct candidates; use "
                                             "fewer, or several tasks",
                                             kMaximumClasses));
  }
  texts_.push_back(text);
  return entry->second;
}

}  // namespace modelpatch::data
