// The CPU kernels of interpolation. Torch-free; pure functions on plain memory.
#pragma once

#include <cstdint>
#include <span>

namespace modelpatch::patch {

// out[i] = base[i] + alpha·(end[i] − base[i]) for alpha < ½, else end[i] − (1 − alpha)·(end[i] − base[i]): exact at
// both ends. Writes past the cache, since the result is larger than any cache. The pointers are 64-byte aligned and
// `size` is a multiple of 16 (a weight layout's promise).
void LerpStreaming(const float* base, const float* end, float alpha, float* out, int64_t size);

struct MixTerm {
  const float* end;
  float alpha;
};

// out[i] = base[i] + Σ alpha·(end[i] − base[i]), summed in the order of the terms, in one pass over all of them. Memory
// as above.
void MixStreaming(const float* base, std::span<const MixTerm> terms, float* out, int64_t size);

}  // namespace modelpatch::patch
