// Loops over long vectors on libtorch's threads, in pieces that do not depend on the number of threads.
#pragma once

#include <ATen/Parallel.h>

#include <algorithm>
#include <cstdint>

namespace modelpatch::patch {

// Elements that one thread handles at a time; a multiple of 16.
inline constexpr int64_t kPieceSize = int64_t{1} << 14;

// Calls `function(begin, count)` for the pieces of [0, size), in parallel.
template <typename Function>
void ForEachPiece(int64_t size, const Function& function) {
  const int64_t pieces = (size + kPieceSize - 1) / kPieceSize;
  at::parallel_for(0, pieces, 16, [&](int64_t first, int64_t last) {
    for (int64_t piece = first; piece < last; ++piece) {
      const int64_t begin = piece * kPieceSize;
      function(begin, std::min(kPieceSize, size - begin));
    }
  });
}

}  // namespace modelpatch::patch
