// Coefficient groups: which weights of a checkpoint share one coefficient of a mixture, as ranges of the flat vector.
//
// Plain values; pure functions; nobody else may use `out` meanwhile.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/patch/coefficient_search.h"
#include "core/patch/interpolation.h"
#include "core/tensor/weight_layout.h"

namespace modelpatch::patch {

struct GroupRange {
  // In elements; multiples of 16.
  int64_t begin;
  int64_t end;
  size_t group;
};

struct CoefficientGroups {
  // By first appearance in the layout: "visual.transformer.resblocks.3", "visual.transformer.resblocks.3.attn", …;
  // "model" for the one group of kModel.
  std::vector<std::string> names;
  // Ascending, without gaps over the whole storage; neighbours are of different groups.
  std::vector<GroupRange> ranges;

  size_t count() const { return names.size(); }
};

// The groups of a layout with canonical names (OpenAI's).
//   kBlock: each residual block of a ViT, each stage of a ResNet; what comes before and after them is a group each,
//           "visual.stem" and "visual.head".
//   kLayer: each module of these, as its weights' names have it: an attention, an MLP, a norm, a convolution with its
//           BatchNorm; a layer scale belongs to the part it scales.
// A buffer belongs to the group of its layer.
CoefficientGroups GroupWeights(const tensor::WeightLayout& layout, CoefficientGroup group);

// For every group g: out = base + Σ αᵢ,g·(θᵢ − base) on its weights, with `coefficients` [k·groups.count()], checkpoint
// by checkpoint. Summed in the order of the blobs' digests, zero coefficients left out, so that equal coefficients give
// the bits of InterpolateTerms. The blobs differ; all sets have one layout and one device. Throws what libtorch throws.
void InterpolateGroups(const tensor::WeightSet& base, std::span<const BlobWeights> checkpoints,
                       std::span<const double> coefficients, const CoefficientGroups& groups,
                       const tensor::WeightSet& out);

}  // namespace modelpatch::patch
