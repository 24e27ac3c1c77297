#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "core/patch/merge_methods.h"
#include "core/patch/piece_loop.h"

namespace modelpatch::patch {
namespace {

struct Products {
  double first = 0;
  double second = 0;
  double cross = 0;
};

// ‖τ₁‖², ‖τ₂‖² and ⟨τ₁, τ₂⟩, summed piece by piece, so that the number of threads changes no bit.
Products ProductsOf(const MergeParts& parts) {
  std::vector<Products> pieces(static_cast<size_t>((parts.trainable_size + kPieceSize - 1) / kPieceSize));
  ForEachPiece(parts.trainable_size, [&](int64_t begin, int64_t count) {
    Products products;
    for (int64_t i = begin; i < begin + count; ++i) {
      const auto base = static_cast<double>(parts.base[i]);
      const double first = static_cast<double>(parts.checkpoints[0].weights[i]) - base;
      const double second = static_cast<double>(parts.checkpoints[1].weights[i]) - base;
      products.first += first * first;
      products.second += second * second;
      products.cross += first * second;
    }
    pieces[static_cast<size_t>(begin / kPieceSize)] = products;
  });
  Products total;
  for (const Products& piece : pieces) {
    total.first += piece.first;
    total.second += piece.second;
    total.cross += piece.cross;
  }
  return total;
}

// The factors of τ₁ and τ₂.
absl::StatusOr<std::pair<double, double>> FactorsOf(const MergeParts& parts, double t) {
  // The sine below which an arc is a line as far as fp32 weights can tell.
  constexpr double kParallel = 1e-6;
  const Products products = ProductsOf(parts);
  const double first = std::sqrt(products.first);
  const double second = std::sqrt(products.second);
  const std::pair<double, double> linear(1 - t, t);
  if (t == 0 || t == 1 || first == 0 || second == 0) return linear;
  const double cosine = std::clamp(products.cross / (first * second), -1.0, 1.0);
  const double sine = std::sqrt(1 - cosine * cosine);
  if (sine < kParallel) {
    if (cosine > 0) return linear;
    return base::FailedPrecondition(
        "OPPOSITE_TASK_VECTORS",
        "the two task vectors point in opposite directions, so that there is no arc between "
        "them; merge them in another way");
  }
  const double angle = std::acos(cosine);
  const double length = (1 - t) * first + t * second;
  return std::pair(length * std::sin((1 - t) * angle) / (sine * first), length * std::sin(t * angle) / (sine * second));
}

}  // namespace

absl::Status MergeBySlerp(const MergeParts& parts) {
  const double t = parts.checkpoints[1].coefficient / CoefficientSum(parts);
  MP_ASSIGN_OR_RETURN(const auto factors, FactorsOf(parts, t));
  ForEachPiece(parts.trainable_size, [&](int64_t begin, int64_t count) {
    for (int64_t i = begin; i < begin + count; ++i) {
      const auto base = static_cast<double>(parts.base[i]);
      const double first = static_cast<double>(parts.checkpoints[0].weights[i]) - base;
      const double second = static_cast<double>(parts.checkpoints[1].weights[i]) - base;
      parts.out[i] = static_cast<float>(base + (factors.first * first + factors.second * second));
    }
  });
  return absl::OkStatus();
}

}  // namespace modelpatch::patch
