#include "core/train/start_weights.h"

#include <ATen/core/Tensor.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "core/patch/interpolation.h"
#include "core/tensor/guard.h"
#include "core/train/step_inputs.h"
#include "core/train/step_result.h"

namespace modelpatch::train {
namespace {

// Of the two kinds of results only a search's names terms.
bool IsSearchResult(const std::string& text) {
  const auto object = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  return object.is_object() && object.contains("terms");
}

}  // namespace

absl::StatusOr<std::vector<patch::MixtureTerm>> ReadResultTerms(const std::string& directory) {
  MP_ASSIGN_OR_RETURN(const std::string text, ReadResult(directory));
  if (IsSearchResult(text)) {
    MP_ASSIGN_OR_RETURN(const SearchResult result, SearchResultFromJson(text));
    return patch::CanonicalTerms(result.terms);
  }
  MP_ASSIGN_OR_RETURN(FineTuneResult result, FineTuneResultFromJson(text));
  return std::vector<patch::MixtureTerm>{{std::move(result.blob), 1.0}};
}

absl::StatusOr<StartWeights> ReadStartWeights(const std::string& directory, const model::ClipModel& model,
                                              const std::string& blob_directory) {
  const tensor::WeightSet& base = model.image_weights;
  if (directory.empty()) return StartWeights{{}, base};
  MP_ASSIGN_OR_RETURN(std::vector<patch::MixtureTerm> terms, ReadResultTerms(directory));
  MP_ASSIGN_OR_RETURN(const tensor::WeightSet weights,
                      tensor::Guarded([&] { return tensor::WeightSet(base.shared_layout(), base.device()); }));
  BlobWeightsReader reader(blob_directory, base);
  MP_RETURN_IF_ERROR(patch::InterpolateTerms(base, terms, reader.loader(), weights));
  return StartWeights{std::move(terms), weights};
}

}  // namespace modelpatch::train
