#include "core/model/candidate_mask.h"

#include <torch/torch.h>

#include <algorithm>
#include <limits>

namespace modelpatch::model {

at::Tensor CandidateMask(std::span<const std::vector<int32_t>> candidates, int64_t classes) {
  const auto examples = static_cast<int64_t>(candidates.size());
  at::Tensor mask = at::zeros({examples, classes}, at::kBool);
  bool* row = mask.data_ptr<bool>();
  for (const std::vector<int32_t>& allowed : candidates) {
    if (allowed.empty()) std::fill(row, row + classes, true);
    for (const int32_t index : allowed) row[index] = true;
    row += classes;
  }
  return mask;
}

at::Tensor MaskCandidates(const at::Tensor& logits, std::span<const std::vector<int32_t>> candidates) {
  if (candidates.empty()) return logits;
  const at::Tensor left_out = CandidateMask(candidates, logits.size(1)).logical_not().to(logits.device());
  return logits.masked_fill(left_out, -std::numeric_limits<double>::infinity());
}

}  // namespace modelpatch::model
