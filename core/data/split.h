// Stratified, seeded choices of examples: each class gives its share.
//
// A total is apportioned among the classes by largest remainder, ties going to the lower class, so it is met exactly
// where a class's bounds allow. Which examples of a class are taken depends on (seed, class) alone.
// Thread safety: pure functions. All results ascend.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/base/status.h"
#include "core/data/dataset.h"

namespace modelpatch::data {

// What the choices below are stratified by: the labels. Examples with candidates of their own are one stratum (all 0):
// their answers may be as many as they are, and then each would be a class that gives nothing.
std::vector<int32_t> StrataOf(const Dataset& dataset);

struct SplitIndices {
  std::vector<int64_t> train;
  std::vector<int64_t> validation;
};

// Carves round(fraction · count) examples for validation out of the examples with these labels (each ≥ 0); every class
// keeps at least one example for training. INVALID_ARGUMENT: BAD_VALIDATION_FRACTION if `fraction` is not in (0, 1),
// SPLIT_TOO_SMALL if nothing would be left for validation.
absl::StatusOr<SplitIndices> StratifiedSplit(std::span<const int32_t> labels, double fraction, uint64_t seed);

// `count` of the examples, or all if there are not more.
std::vector<int64_t> StratifiedSubset(std::span<const int32_t> labels, int64_t count, uint64_t seed);

}  // namespace modelpatch::data
