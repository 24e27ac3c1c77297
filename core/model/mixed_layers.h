// MixedLayers: layers in which every sample of a batch has its own mixture, exactly.
//
// A weight enters its layer linearly, so with θ_b = Σ_s c_bs·θ_s a layer's output for sample b is Σ_s c_bs·(W_s·x): the
// sources' matrix products, combined row by row, and no mixture is ever materialised. A sample costs one product for
// each source that it has a coefficient for. Inference only.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "core/model/layers.h"

namespace modelpatch::model {

// The weights of a batch of B samples: Σ_s coefficients[b·S + s] · sources[s] for sample b.
struct MixedBatch {
  // Each as the views of a forward, in the order of one layout, on one device and in one precision; they outlive the
  // batch. For a mixture: θ_zs with 1 − Σ αᵢ, and each checkpoint with αᵢ.
  std::vector<const std::vector<at::Tensor>*> sources;
  // [B, S], row by row.
  std::vector<float> coefficients;

  int64_t samples() const { return static_cast<int64_t>(coefficients.size() / sources.size()); }
};

// `batch` outlives it.
std::unique_ptr<Layers> MakeMixedLayers(const MixedBatch& batch);

}  // namespace modelpatch::model
