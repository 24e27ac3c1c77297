// PromptBank: the embeddings of every prompt of some classes, made once, for the contrastive loss under a frozen text
// tower.
//
// Immutable, thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/base/cancellation.h"
#include "core/model/clip_model.h"

namespace modelpatch::train {

// The prompts of a batch's images. Images with equal prompts share one, so that none is another's negative.
struct ChosenPrompts {
  // Rows of PromptBank::embeddings, all different, [U].
  std::vector<int64_t> rows;
  // The place in `rows` of each image's prompt, [B].
  std::vector<int64_t> prompt_of;
};

class PromptBank {
 public:
  // Errors: those of EncodeTexts.
  static absl::StatusOr<PromptBank> Make(const model::ClipModel& model, std::span<const model::ClassPrompts> classes,
                                         const base::CancellationToken& cancellation);

  // fp32 [P, embedding_width], L2-normalised: one row for each different prompt.
  const at::Tensor& embeddings() const { return *embeddings_; }

  // For each image a prompt of its class, a function of (seed, "prompt", step, place in the batch).
  ChosenPrompts Choose(std::span<const int32_t> labels, uint64_t seed, int64_t step) const;

 private:
  PromptBank() = default;

  std::shared_ptr<const at::Tensor> embeddings_;
  // The rows of each class's prompts.
  std::vector<std::vector<int64_t>> rows_of_class_;
};

}  // namespace modelpatch::train
