// Precision: in which type the large matrix products of an image encoder are computed. Torch-free. Pure.
#pragma once

#include <string_view>

#include "core/base/status.h"

namespace modelpatch::model {

// kBFloat16 rounds the matrices, and what is multiplied with them, to bf16. The residual stream, norms, softmax,
// features and everything after them stay in fp32, and so do θ, checkpoints and mixing, whatever the precision.
enum class Precision { kFloat32, kBFloat16 };

// "fp32", "bf16".
std::string_view NameOf(Precision precision);
// INVALID_ARGUMENT (BAD_PRECISION).
absl::StatusOr<Precision> ParsePrecision(std::string_view name);

}  // namespace modelpatch::model
