#include "core/patch/sweep.h"

#include <ATen/core/Tensor.h>
#include <fmt/format.h>

#include <cmath>
#include <map>
#include <optional>
#include <utility>

#include "core/tensor/guard.h"

namespace modelpatch::patch {
namespace {

constexpr size_t kMaximumAlphas = 1001;

// Remembers what `load_blob` gave, so that a sweep asks for each checkpoint once.
BlobLoader Remembering(const BlobLoader& load_blob) {
  auto held = std::make_shared<std::map<std::string, std::shared_ptr<const tensor::WeightSet>>>();
  return [load_blob, held](const std::string& blob) -> absl::StatusOr<std::shared_ptr<const tensor::WeightSet>> {
    const auto found = held->find(blob);
    if (found != held->end()) return found->second;
    MP_ASSIGN_OR_RETURN(auto weights, load_blob(blob));
    held->emplace(blob, weights);
    return weights;
  };
}

}  // namespace

absl::Status CheckAlphas(std::span<const double> alphas, bool allow_extrapolation) {
  if (alphas.empty() || alphas.size() > kMaximumAlphas) {
    return base::WithField(base::InvalidArgument("BAD_ALPHA", fmt::format("{} values of α were given; give 1 to {}",
                                                                          alphas.size(), kMaximumAlphas)),
                           "alphas");
  }
  for (size_t i = 0; i < alphas.size(); ++i) {
    if (!std::isfinite(alphas[i]) || (!allow_extrapolation && (alphas[i] < 0 || alphas[i] > 1))) {
      return base::WithField(
          base::InvalidArgument("BAD_ALPHA", fmt::format("α = {} does not lie in [0, 1]", alphas[i])),
          fmt::format("alphas[{}]", i));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<SweepPoint>> RunSweep(const SweepInput& input, const BlobLoader& load_blob,
                                                 const FeatureFunction& features,
                                                 const base::CancellationToken& cancellation,
                                                 const std::function<absl::Status(const SweepPoint&)>& on_point) {
  const tensor::WeightSet& base = input.model->image_weights;
  MP_ASSIGN_OR_RETURN(const tensor::WeightSet scratch,
                      tensor::Guarded([&] { return tensor::WeightSet(base.shared_layout(), base.device()); }));
  const BlobLoader loader = Remembering(load_blob);
  std::vector<SweepPoint> points;
  for (const double alpha : input.alphas) {
    MP_RETURN_IF_ERROR(cancellation.Check());
    SweepPoint point{alpha, TermsBetween(input.start, input.end, alpha), {}};
    MP_RETURN_IF_ERROR(InterpolateTerms(base, point.terms, loader, scratch));
    for (const EvaluationSet& set : input.sets) {
      MP_ASSIGN_OR_RETURN(TaskAccuracy accuracy, EvaluateAccuracy(*input.model, scratch, set, features, cancellation));
      point.accuracies.push_back(std::move(accuracy));
    }
    if (on_point) MP_RETURN_IF_ERROR(on_point(point));
    points.push_back(std::move(point));
  }
  return points;
}

}  // namespace modelpatch::patch
