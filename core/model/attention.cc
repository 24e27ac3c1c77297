#include "core/model/attention.h"

#include <ATen/Parallel.h>
#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/tensor/compat.h"
#include "core/tensor/small_gemm.h"

namespace modelpatch::model {
namespace {

struct AttentionShape {
  int64_t batch;
  int64_t length;   // T
  int64_t queries;  // the first tokens that ask
  int64_t heads;
  int64_t head_width;  // d
  bool causal;

  int64_t width() const { return heads * head_width; }
  int64_t row() const { return 3 * width(); }
  float scale() const { return 1.0f / std::sqrt(static_cast<float>(head_width)); }
};

// One (sequence, head): its rows lie `row()` floats apart.
struct HeadPointers {
  int64_t query_offset;  // of q; k and v follow at width() and 2·width()
  int64_t output_offset;
  int64_t score_offset;
};

HeadPointers PointersOf(const AttentionShape& shape, int64_t index) {
  const int64_t sequence = index / shape.heads;
  const int64_t head = index % shape.heads;
  return {sequence * shape.length * shape.row() + head * shape.head_width,
          sequence * shape.queries * shape.width() + head * shape.head_width, index * shape.queries * shape.length};
}

using tensor::GemmOperand;
using tensor::SmallGemm;

// Softmax of each row in place, of its first `valid` columns; the others become 0.
void SoftmaxRow(float* row, int64_t valid, int64_t length) {
  float maximum = row[0];
  for (int64_t i = 1; i < valid; ++i) maximum = std::max(maximum, row[i]);
  float sum = 0;
  for (int64_t i = 0; i < valid; ++i) {
    row[i] = std::exp(row[i] - maximum);
    sum += row[i];
  }
  const float inverse = 1.0f / sum;
  for (int64_t i = 0; i < valid; ++i) row[i] *= inverse;
  std::fill(row + valid, row + length, 0.0f);
}

// probabilities [B·heads, queries, T] and output [B·queries, width] from the fused projection.
void ForwardOnCpu(const AttentionShape& shape, const float* projected, float* probabilities, float* output) {
  at::parallel_for(0, shape.batch * shape.heads, 1, [&](int64_t begin, int64_t end) {
    for (int64_t index = begin; index < end; ++index) {
      const HeadPointers at = PointersOf(shape, index);
      const float* query = projected + at.query_offset;
      const float* key = query + shape.width();
      const float* value = key + shape.width();
      float* scores = probabilities + at.score_offset;
      SmallGemm(shape.queries, shape.length, shape.head_width, shape.scale(), GemmOperand{query, shape.row(), false},
                GemmOperand{key, shape.row(), true}, scores, shape.length);
      for (int64_t i = 0; i < shape.queries; ++i) {
        SoftmaxRow(scores + i * shape.length, shape.causal ? i + 1 : shape.length, shape.length);
      }
      SmallGemm(shape.queries, shape.head_width, shape.length, 1.0f, GemmOperand{scores, shape.length, false},
                GemmOperand{value, shape.row(), false}, output + at.output_offset, shape.width());
    }
  });
}

// gradient [B·T, 3·width] (zero at first) of the fused projection from the gradient of the output.
void BackwardOnCpu(const AttentionShape& shape, const float* projected, const float* probabilities,
                   const float* output_gradient, float* gradient) {
  at::parallel_for(0, shape.batch * shape.heads, 1, [&](int64_t begin, int64_t end) {
    std::vector<float> score_gradient(static_cast<size_t>(shape.queries * shape.length));
    for (int64_t index = begin; index < end; ++index) {
      const HeadPointers at = PointersOf(shape, index);
      const float* query = projected + at.query_offset;
      const float* key = query + shape.width();
      const float* value = key + shape.width();
      const float* scores = probabilities + at.score_offset;
      const float* outer = output_gradient + at.output_offset;
      float* query_gradient = gradient + at.query_offset;
      float* key_gradient = query_gradient + shape.width();
      float* value_gradient = key_gradient + shape.width();
      // dV = Pᵀ·dO and dP = dO·Vᵀ.
      SmallGemm(shape.length, shape.head_width, shape.queries, 1.0f, GemmOperand{scores, shape.length, true},
                GemmOperand{outer, shape.width(), false}, value_gradient, shape.row());
      SmallGemm(shape.queries, shape.length, shape.head_width, 1.0f, GemmOperand{outer, shape.width(), false},
                GemmOperand{value, shape.row(), true}, score_gradient.data(), shape.length);
      // The softmax's backward: dS = P ∘ (dP − Σ P∘dP).
      for (int64_t i = 0; i < shape.queries; ++i) {
        const float* p = scores + i * shape.length;
        float* d = score_gradient.data() + i * shape.length;
        float dot = 0;
        for (int64_t j = 0; j < shape.length; ++j) dot += p[j] * d[j];
        for (int64_t j = 0; j < shape.length; ++j) d[j] = p[j] * (d[j] - dot);
      }
      // dQ = dS·K/√d and dK = dSᵀ·Q/√d.
      SmallGemm(shape.queries, shape.head_width, shape.length, shape.scale(),
                GemmOperand{score_gradient.data(), shape.length, false}, GemmOperand{key, shape.row(), false},
                query_gradient, shape.row());
      SmallGemm(shape.length, shape.head_width, shape.queries, shape.scale(),
                GemmOperand{score_gradient.data(), shape.length, true}, GemmOperand{query, shape.row(), false},
                key_gradient, shape.row());
    }
  });
}

class AttentionFunction : public torch::autograd::Function<AttentionFunction> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& projected, int64_t length,
                            int64_t heads, int64_t queries, bool causal) {
    const AttentionShape shape{projected.size(0) / length,      length, queries, heads,
                               projected.size(1) / (3 * heads), causal};
    const at::Tensor input = projected.contiguous();
    const at::Tensor probabilities = at::empty({shape.batch * heads, queries, length}, input.options());
    at::Tensor output = at::empty({shape.batch * queries, shape.width()}, input.options());
    ForwardOnCpu(shape, input.data_ptr<float>(), probabilities.data_ptr<float>(), output.data_ptr<float>());
    context->save_for_backward({input, probabilities});
    context->saved_data["length"] = length;
    context->saved_data["heads"] = heads;
    context->saved_data["queries"] = queries;
    context->saved_data["causal"] = causal;
    return output;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list output_gradients) {
    const auto saved = context->get_saved_variables();
    const at::Tensor& projected = saved[0];
    const int64_t length = context->saved_data["length"].toInt();
    const int64_t heads = context->saved_data["heads"].toInt();
    const AttentionShape shape{projected.size(0) / length,
                               length,
                               context->saved_data["queries"].toInt(),
                               heads,
                               projected.size(1) / (3 * heads),
                               context->saved_data["causal"].toBool()};
    const at::Tensor output_gradient = output_gradients[0].contiguous();
    // Queries that do not ask have no gradient; where all ask, every element is written.
    at::Tensor gradient = shape.queries == shape.length ? at::empty_like(projected) : at::zeros_like(projected);
    BackwardOnCpu(shape, projected.data_ptr<float>(), saved[1].data_ptr<float>(), output_gradient.data_ptr<float>(),
                  gradient.data_ptr<float>());
    return {gradient, at::Tensor(), at::Tensor(), at::Tensor(), at::Tensor()};
  }
};

}  // namespace

at::Tensor MultiHeadAttention(const at::Tensor& projected, int64_t length, int64_t heads, int64_t queries,
                              bool causal) {
  const bool is_exact = projected.scalar_type() == at::kFloat;
  if (projected.device().is_cpu() && is_exact)
    return AttentionFunction::apply(projected, length, heads, queries, causal);
  const int64_t batch = projected.size(0) / length;
  const int64_t head_width = projected.size(1) / (3 * heads);
  const at::Tensor split = projected.view({batch, length, 3, heads, head_width}).permute({2, 0, 3, 1, 4});
  const at::Tensor query = split[0].slice(2, 0, queries);
  const at::Tensor output = tensor::ScaledDotProductAttention(query, split[1], split[2], causal);
  return output.transpose(1, 2).reshape({batch * queries, heads * head_width});
}

}  // namespace modelpatch::model
