#include "server/mixture_resolver.h"

#include <fmt/format.h>

#include <cmath>
#include <map>
#include <utility>
#include <vector>

#include "server/resource_names.h"

namespace modelpatch::server {
namespace {

constexpr int kMaximumTerms = 1000;

}  // namespace

MixtureResolver::MixtureResolver(store::MetadataStore& store, std::string models_path)
    : store_(store), models_path_(std::move(models_path)) {}

absl::StatusOr<store::ModelRecord> MixtureResolver::FindModel(const std::string& name) const {
  const auto id = ParseResourceName(kModels, name);
  if (!id.ok()) return base::WithField(id.status(), "model");
  auto record = store_.GetModel(*id);
  if (!record.ok()) return base::WithField(record.status(), "model");
  return record;
}

absl::StatusOr<store::CheckpointRecord> MixtureResolver::FindCheckpoint(const std::string& name) const {
  MP_ASSIGN_OR_RETURN(const std::string id, ParseResourceName(kCheckpoints, name));
  return store_.GetCheckpoint(id);
}

absl::StatusOr<Resolution> MixtureResolver::Resolve(const v1::Mixture& mixture) const {
  if (mixture.model().empty() && mixture.terms().empty()) {
    return base::WithField(
        base::InvalidArgument("MIXTURE_WITHOUT_MODEL",
                              "the mixture has neither a model nor a term; name a model (models/ID) or "
                              "a checkpoint with its coefficient"),
        "model");
  }
  if (mixture.terms_size() > kMaximumTerms) {
    return base::WithField(
        base::InvalidArgument("TOO_MANY_TERMS", fmt::format("the mixture has {} terms; at most {} are allowed",
                                                            mixture.terms_size(), kMaximumTerms)),
        "terms");
  }
  Resolution result;
  std::vector<store::CheckpointRecord> checkpoints;
  for (int i = 0; i < mixture.terms_size(); ++i) {
    auto checkpoint = FindCheckpoint(mixture.terms(i).checkpoint());
    if (!checkpoint.ok()) return base::WithField(checkpoint.status(), fmt::format("terms[{}].checkpoint", i));
    result.mixture.terms.push_back({checkpoint->blob_digest, mixture.terms(i).coefficient()});
    checkpoints.push_back(*std::move(checkpoint));
  }
  MP_RETURN_IF_ERROR(patch::CheckTerms(result.mixture.terms, mixture.allow_extrapolation()));
  const std::string model_name =
      mixture.model().empty() ? ResourceName(kModels, checkpoints.front().model_id) : mixture.model();
  MP_ASSIGN_OR_RETURN(result.model, FindModel(model_name));
  for (size_t i = 0; i < checkpoints.size(); ++i) {
    if (checkpoints[i].model_id == result.model.id) continue;
    // The same model imported under two names is one model.
    const auto other = store_.GetModel(checkpoints[i].model_id);
    if (other.ok() && other->digest == result.model.digest) continue;
    return base::WithField(
        base::FailedPrecondition("CHECKPOINT_OF_ANOTHER_MODEL",
                                 fmt::format("checkpoints/{} belongs to models/{}, not to models/{}", checkpoints[i].id,
                                             checkpoints[i].model_id, result.model.id)),
        fmt::format("terms[{}].checkpoint", i));
  }
  result.mixture.model_directory = ModelDirectory(result.model);
  result.message = mixture;
  result.message.set_model(model_name);
  return result;
}

v1::Mixture MixtureBetween(const v1::Mixture& start, const v1::Mixture& end, double alpha) {
  v1::Mixture result;
  result.set_model(end.model());
  result.set_allow_extrapolation(start.allow_extrapolation() || end.allow_extrapolation());
  std::map<std::string, double> coefficients;
  for (const auto& [mixture, share] : {std::pair(&start, 1 - alpha), std::pair(&end, alpha)}) {
    for (const auto& term : mixture->terms()) coefficients[term.checkpoint()] += share * term.coefficient();
  }
  for (const auto& [checkpoint, coefficient] : coefficients) {
    if (coefficient == 0) continue;
    auto* term = result.add_terms();
    term->set_checkpoint(checkpoint);
    term->set_coefficient(coefficient);
  }
  return result;
}

}  // namespace modelpatch::server
