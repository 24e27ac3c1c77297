// LearnedHead: a linear classifier of features that is trained, beginning at a zero-shot head.
//
// As the reference's classification head whose weights are not frozen: the rows are the class embeddings times the
// logit scale, the features are normalised and the rows are not, and there is no bias. One thread. Source:
// mlfoundations/patching src/modeling.py, ClassificationHead.
#pragma once

#include <memory>

#include "core/model/clip_model.h"
#include "core/train/optimizer.h"

namespace modelpatch::train {

class LearnedHead {
 public:
  // Throws what libtorch throws.
  LearnedHead(const model::ZeroShotHead& start, double logit_scale);

  // fp32 [B, C], differentiable, of normalised features fp32 [B, embedding_width].
  at::Tensor Logits(const at::Tensor& normalized_features) const;

  // The trained rows, fp32 [C, embedding_width].
  const at::Tensor& weight() const { return state_.weights.weights().views().front(); }

  TrainingState& state() { return state_; }

 private:
  TrainingState state_;
};

}  // namespace modelpatch::train
