#include <vector>

#include "core/base/random.h"
#include "core/patch/merge_methods.h"
#include "core/patch/piece_loop.h"

namespace modelpatch::patch {

void MergeByDare(const MergeParts& parts, double drop_rate, uint64_t seed) {
  const double scale = 1 / (1 - drop_rate);
  std::vector<std::string> purposes;
  for (const MergeParts::Checkpoint& checkpoint : parts.checkpoints) purposes.push_back("dare " + checkpoint.blob);
  // What is dropped is a function of the piece's number, so kPieceSize is part of the result.
  ForEachPiece(parts.trainable_size, [&](int64_t begin, int64_t count) {
    std::vector<double> sums(static_cast<size_t>(count), 0.0);
    for (size_t k = 0; k < parts.checkpoints.size(); ++k) {
      const MergeParts::Checkpoint& checkpoint = parts.checkpoints[k];
      base::RandomStream random(seed, purposes[k], static_cast<uint64_t>(begin / kPieceSize));
      for (int64_t i = begin; i < begin + count; ++i) {
        const bool is_kept = random.Uniform() >= drop_rate;
        if (!is_kept) continue;
        const double entry = static_cast<double>(checkpoint.weights[i]) - static_cast<double>(parts.base[i]);
        sums[static_cast<size_t>(i - begin)] += checkpoint.coefficient * entry;
      }
    }
    for (int64_t i = begin; i < begin + count; ++i) {
      parts.out[i] =
          static_cast<float>(static_cast<double>(parts.base[i]) + scale * sums[static_cast<size_t>(i - begin)]);
    }
  });
}

}  // namespace modelpatch::patch
