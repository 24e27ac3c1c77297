// The models that the benchmarks run: random weights in two shapes.
#pragma once

#include <cstdint>
#include <memory>

#include "core/model/clip_model.h"

namespace modelpatch::benchmarks {

constexpr int64_t kEmbeddingWidth = 512;

// 0: the small ViT (width 192, 6 layers, 32 px, patch 4); 1: ViT-B/32.
const model::VisionConfig& VisionOf(int64_t shape);

// A model without tokenizer: the text tower takes no part in what is measured.
std::shared_ptr<const model::ClipModel> MakeModel(const model::VisionConfig& vision);

}  // namespace modelpatch::benchmarks
