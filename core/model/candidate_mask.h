// Examples that are told apart from some classes alone: their own candidates, or the classes of their own task.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace at {
class Tensor;
}

namespace modelpatch::model {

// Whether class c is a candidate of example b: bool [B, C], on the CPU. `candidates` is [B]; an empty list means all
// classes.
at::Tensor CandidateMask(std::span<const std::vector<int32_t>> candidates, int64_t classes);

// `logits` [B, C] with −∞ where `candidates` (as above, or empty: all classes for all examples) leaves a class out.
at::Tensor MaskCandidates(const at::Tensor& logits, std::span<const std::vector<int32_t>> candidates);

}  // namespace modelpatch::model
