// Interpolation: the weights of a mixture, in fp32, rounded once.
//
// On the CPU one fused pass streams the result past the cache, at close to the bandwidth of a copy. Thread safety: pure
// functions; nobody else may use `out` meanwhile.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/patch/mixture.h"
#include "core/tensor/weight_set.h"

namespace modelpatch::patch {

// Gives the weights of a blob, on the device of the base model.
using BlobLoader = std::function<absl::StatusOr<std::shared_ptr<const tensor::WeightSet>>(const std::string& blob)>;

// A checkpoint's weights under the digest of their blob, by which the terms of a sum are ordered.
struct BlobWeights {
  std::string blob;
  std::shared_ptr<const tensor::WeightSet> weights;
};

struct WeightedCheckpoint {
  const tensor::WeightSet* weights;
  double coefficient;
};

// out = base + Σ αᵢ·(θᵢ − base), the terms summed in the order given. One term is a linear interpolation that is exact
// at α = 0 and α = 1. All sets have one layout and one device. Throws what libtorch throws.
void Interpolate(const tensor::WeightSet& base, std::span<const WeightedCheckpoint> terms,
                 const tensor::WeightSet& out);

// The same for the elements [begin, end) of the flat tensors alone, both of them multiples of 16.
void InterpolateRange(const tensor::WeightSet& base, std::span<const WeightedCheckpoint> terms, int64_t begin,
                      int64_t end, const tensor::WeightSet& out);

// The same for canonical terms whose weights `load_blob` gives. FAILED_PRECONDITION (LAYOUT_MISMATCH) for a checkpoint
// whose layout is not the model's.
absl::Status InterpolateTerms(const tensor::WeightSet& base, std::span<const MixtureTerm> terms,
                              const BlobLoader& load_blob, const tensor::WeightSet& out);

}  // namespace modelpatch::patch
