#include "core/patch/interpolation.h"

#include <ATen/Parallel.h>
#include <fmt/format.h>
#include <torch/torch.h>

#include <algorithm>
#include <vector>

#include "core/patch/lerp_kernel.h"
#include "core/tensor/guard.h"

namespace modelpatch::patch {
namespace {

// Elements that one thread handles at a time.
constexpr int64_t kPiece = int64_t{1} << 14;

// Calls `function(begin, size)` for the pieces of [0, size), in parallel.
template <typename Function>
void ForEachPiece(int64_t size, const Function& function) {
  const int64_t pieces = (size + kPiece - 1) / kPiece;
  at::parallel_for(0, pieces, 16, [&](int64_t first, int64_t last) {
    for (int64_t piece = first; piece < last; ++piece) {
      const int64_t begin = piece * kPiece;
      function(begin, std::min(kPiece, size - begin));
    }
  });
}

void InterpolateOnCpu(const at::Tensor& base, std::span<const WeightedCheckpoint> terms, const at::Tensor& out) {
  const float* from = base.data_ptr<float>();
  float* to = out.data_ptr<float>();
  const int64_t size = base.numel();
  if (terms.size() == 1) {
    const float* end = terms[0].weights->flat().data_ptr<float>();
    const auto alpha = static_cast<float>(terms[0].coefficient);
    ForEachPiece(size, [&](int64_t begin, int64_t count) {
      LerpStreaming(from + begin, end + begin, alpha, to + begin, count);
    });
    return;
  }
  ForEachPiece(size, [&](int64_t begin, int64_t count) {
    std::vector<MixTerm> mix;
    for (const WeightedCheckpoint& term : terms) {
      mix.push_back({term.weights->flat().data_ptr<float>() + begin, static_cast<float>(term.coefficient)});
    }
    MixStreaming(from + begin, mix, to + begin, count);
  });
}

void InterpolateOnDevice(const at::Tensor& base, std::span<const WeightedCheckpoint> terms, at::Tensor out) {
  if (terms.size() == 1) {
    at::lerp_out(out, base, terms[0].weights->flat(), terms[0].coefficient);
    return;
  }
  out.copy_(base);
  for (const WeightedCheckpoint& term : terms) out.add_(term.weights->flat() - base, term.coefficient);
}

}  // namespace

void Interpolate(const tensor::WeightSet& base, std::span<const WeightedCheckpoint> terms,
                 const tensor::WeightSet& out) {
  const at::NoGradGuard no_grad;
  if (terms.empty()) {
    at::Tensor target = out.flat();
    target.copy_(base.flat());
  } else if (base.device().is_cuda()) {
    InterpolateOnDevice(base.flat(), terms, out.flat());
  } else {
    InterpolateOnCpu(base.flat(), terms, out.flat());
  }
}

absl::Status InterpolateTerms(const tensor::WeightSet& base, std::span<const MixtureTerm> terms,
                              const BlobLoader& load_blob, const tensor::WeightSet& out) {
  std::vector<std::shared_ptr<const tensor::WeightSet>> held;
  std::vector<WeightedCheckpoint> weighted;
  for (const MixtureTerm& term : terms) {
    MP_ASSIGN_OR_RETURN(std::shared_ptr<const tensor::WeightSet> weights, load_blob(term.blob));
    if (weights->layout().digest() != base.layout().digest()) {
      return base::FailedPrecondition(
          "LAYOUT_MISMATCH", fmt::format("the checkpoint with blob {} was not made from this model", term.blob));
    }
    weighted.push_back({weights.get(), term.coefficient});
    held.push_back(std::move(weights));
  }
  return tensor::Guarded([&] { Interpolate(base, weighted, out); });
}

}  // namespace modelpatch::patch
