#include "core/patch/interpolation.h"

#include <fmt/format.h>
#include <torch/torch.h>

#include <vector>

#include "core/patch/lerp_kernel.h"
#include "core/patch/piece_loop.h"
#include "core/tensor/guard.h"

namespace modelpatch::patch {
namespace {

// The tensors are of one size.
void InterpolateOnCpu(const at::Tensor& base, std::span<const at::Tensor> ends, std::span<const double> coefficients,
                      const at::Tensor& out) {
  const float* from = base.data_ptr<float>();
  float* to = out.data_ptr<float>();
  const int64_t size = base.numel();
  if (ends.size() == 1) {
    const float* end = ends[0].data_ptr<float>();
    const auto alpha = static_cast<float>(coefficients[0]);
    ForEachPiece(size, [&](int64_t begin, int64_t count) {
      LerpStreaming(from + begin, end + begin, alpha, to + begin, count);
    });
    return;
  }
  ForEachPiece(size, [&](int64_t begin, int64_t count) {
    std::vector<MixTerm> mix;
    for (size_t i = 0; i < ends.size(); ++i) {
      mix.push_back({ends[i].data_ptr<float>() + begin, static_cast<float>(coefficients[i])});
    }
    MixStreaming(from + begin, mix, to + begin, count);
  });
}

void InterpolateOnDevice(const at::Tensor& base, std::span<const at::Tensor> ends, std::span<const double> coefficients,
                         at::Tensor out) {
  if (ends.size() == 1) {
    at::lerp_out(out, base, ends[0], coefficients[0]);
    return;
  }
  out.copy_(base);
  for (size_t i = 0; i < ends.size(); ++i) out.add_(ends[i] - base, coefficients[i]);
}

}  // namespace

void InterpolateRange(const tensor::WeightSet& base, std::span<const WeightedCheckpoint> terms, int64_t begin,
                      int64_t end, const tensor::WeightSet& out) {
  const at::NoGradGuard no_grad;
  const at::Tensor from = base.flat().narrow(0, begin, end - begin);
  at::Tensor to = out.flat().narrow(0, begin, end - begin);
  std::vector<at::Tensor> ends;
  std::vector<double> coefficients;
  for (const WeightedCheckpoint& term : terms) {
    ends.push_back(term.weights->flat().narrow(0, begin, end - begin));
    coefficients.push_back(term.coefficient);
  }
  if (terms.empty()) {
    to.copy_(from);
  } else if (base.device().is_cuda()) {
    InterpolateOnDevice(from, ends, coefficients, to);
  } else {
    InterpolateOnCpu(from, ends, coefficients, to);
  }
}

void Interpolate(const tensor::WeightSet& base, std::span<const WeightedCheckpoint> terms,
                 const tensor::WeightSet& out) {
  InterpolateRange(base, terms, 0, base.flat().numel(), out);
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
