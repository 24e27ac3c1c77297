#include "core/train/start_weights.h"

#include <ATen/core/Tensor.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/base/file.h"
#include "core/tensor/guard.h"
#include "core/train/step_result.h"

namespace modelpatch::train {
namespace {

constexpr uint64_t kMaximumResultBytes = 256 << 20;

// Of the two kinds of results only a search's names terms.
bool IsSearchResult(const std::string& text) {
  const auto object = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  return object.is_object() && object.contains("terms");
}

}  // namespace

absl::StatusOr<std::vector<patch::MixtureTerm>> ReadResultTerms(const std::string& directory) {
  MP_ASSIGN_OR_RETURN(const std::string text, base::ReadFile(directory + "/result.json", kMaximumResultBytes));
  if (IsSearchResult(text)) {
    MP_ASSIGN_OR_RETURN(const SearchResult result, SearchResultFromJson(text));
    return patch::CanonicalTerms(result.terms);
  }
  MP_ASSIGN_OR_RETURN(FineTuneResult result, FineTuneResultFromJson(text));
  return std::vector<patch::MixtureTerm>{{std::move(result.blob), 1.0}};
}

patch::BlobLoader LoadFrom(const store::BlobStore& blobs, const model::ClipModel& model) {
  return [&](const std::string& digest) -> absl::StatusOr<std::shared_ptr<const tensor::WeightSet>> {
    MP_ASSIGN_OR_RETURN(const tensor::WeightSet stored, blobs.Get(digest, model.image_weights.shared_layout()));
    const tensor::Device device = model.image_weights.device();
    return tensor::Guarded(
        [&] { return std::make_shared<const tensor::WeightSet>(device.is_cuda() ? stored.CloneTo(device) : stored); });
  };
}

absl::StatusOr<StartWeights> ReadStartWeights(const std::string& directory, const model::ClipModel& model,
                                              const store::BlobStore& blobs) {
  const tensor::WeightSet& base = model.image_weights;
  if (directory.empty()) return StartWeights{{}, base};
  MP_ASSIGN_OR_RETURN(std::vector<patch::MixtureTerm> terms, ReadResultTerms(directory));
  MP_ASSIGN_OR_RETURN(const tensor::WeightSet weights,
                      tensor::Guarded([&] { return tensor::WeightSet(base.shared_layout(), base.device()); }));
  MP_RETURN_IF_ERROR(patch::InterpolateTerms(base, terms, LoadFrom(blobs, model), weights));
  return StartWeights{std::move(terms), weights};
}

}  // namespace modelpatch::train
