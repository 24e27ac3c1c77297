// Multi-head self-attention on fused projections.
#pragma once

#include <cstdint>

namespace at {
class Tensor;
}

namespace modelpatch::model {

// softmax(q·kᵀ/√d + mask)·v per head, for `projected` = fp32 [B·T, 3·width] with rows (q | k | v) and `length` = T.
// Queries are the first `queries` tokens of each sequence: the result is [B·queries, width]. `causal` masks positions
// after the query's own. On the CPU one pass reads the fused projection in place, without transposed copies, forward
// and backward; on CUDA it is libtorch's scaled dot-product attention. Throws what libtorch throws.
at::Tensor MultiHeadAttention(const at::Tensor& projected, int64_t length, int64_t heads, int64_t queries, bool causal);

}  // namespace modelpatch::model
