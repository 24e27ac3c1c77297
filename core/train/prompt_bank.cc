#include "core/train/prompt_bank.h"

#include <ATen/core/Tensor.h>

#include <map>
#include <string>
#include <utility>

#include "core/base/random.h"

namespace modelpatch::train {

absl::StatusOr<PromptBank> PromptBank::Make(const model::ClipModel& model, std::span<const model::ClassPrompts> classes,
                                            const base::CancellationToken& cancellation) {
  PromptBank bank;
  std::vector<std::string> prompts;
  std::map<std::string, int64_t> known;
  for (const model::ClassPrompts& entry : classes) {
    std::vector<int64_t>& rows = bank.rows_of_class_.emplace_back();
    for (const std::string& prompt : entry.prompts) {
      const auto [found, is_new] = known.emplace(prompt, static_cast<int64_t>(prompts.size()));
      if (is_new) prompts.push_back(prompt);
      rows.push_back(found->second);
    }
  }
  MP_ASSIGN_OR_RETURN(at::Tensor embeddings,
                      model::EncodeTexts(model, prompts, /*normalize=*/true, cancellation, /*truncated=*/nullptr));
  bank.embeddings_ = std::make_shared<const at::Tensor>(std::move(embeddings));
  return bank;
}

ChosenPrompts PromptBank::Choose(std::span<const int32_t> labels, uint64_t seed, int64_t step) const {
  ChosenPrompts chosen;
  std::map<int64_t, int64_t> places;
  for (size_t i = 0; i < labels.size(); ++i) {
    const std::vector<int64_t>& rows = rows_of_class_[static_cast<size_t>(labels[i])];
    base::RandomStream random(seed, "prompt", static_cast<uint64_t>(step), i);
    const int64_t row = rows[random.Below(rows.size())];
    const auto [found, is_new] = places.emplace(row, static_cast<int64_t>(chosen.rows.size()));
    if (is_new) chosen.rows.push_back(row);
    chosen.prompt_of.push_back(found->second);
  }
  return chosen;
}

}  // namespace modelpatch::train
