#include "server/mixture_resolver.h"

#include <fmt/format.h>

#include <cmath>
#include <map>
#include <utility>
#include <vector>

#include "server/patch_names.h"
#include "server/resource_names.h"

namespace modelpatch::server {
namespace {

constexpr int kMaximumTerms = 1000;

// `mixture.terms` has the blobs of `message`'s terms, in their order.
v1::ResolvedWeights WeightsOf(const Resolution& resolution) {
  v1::ResolvedWeights weights;
  weights.set_model_digest(resolution.model.digest);
  for (int i = 0; i < resolution.message.terms_size(); ++i) {
    auto* term = weights.add_terms();
    term->set_checkpoint(resolution.message.terms(i).checkpoint());
    term->set_coefficient(resolution.message.terms(i).coefficient());
    term->set_blob_digest(resolution.mixture.terms[static_cast<size_t>(i)].blob);
  }
  return weights;
}

absl::Status CheckAlpha(double alpha, const std::vector<patch::MixtureTerm>& terms,
                        const store::PatchVersionRecord& version) {
  const std::string what = fmt::format("{} at alpha {}", PatchVersionName(version.patch_id, version.version), alpha);
  if (!std::isfinite(alpha)) {
    return base::WithField(base::InvalidArgument("BAD_ALPHA", fmt::format("{}: give a finite number", what)), "alpha");
  }
  const absl::Status status = patch::CheckTerms(terms, version.allow_extrapolation);
  if (status.ok()) return status;
  // The coefficient's own path is none of the request's.
  return base::WithField(
      base::Error(status.code(), base::ReasonOf(status), fmt::format("{}: {}", what, std::string(status.message()))),
      "alpha");
}

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
                              "the mixture has neither a model nor a term; name a model (models/ID), a checkpoint "
                              "with its coefficient, or a patch instead of a mixture"),
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
  result.weights = WeightsOf(result);
  return result;
}

absl::StatusOr<Resolution> MixtureResolver::ResolvePatch(const std::string& name, std::optional<double> alpha) const {
  MP_ASSIGN_OR_RETURN(const PatchReference reference, ParsePatchName(name));
  MP_ASSIGN_OR_RETURN(const store::PatchVersionRecord version,
                      store_.GetPatchVersion(reference.id, reference.selector));
  Resolution result;
  MP_ASSIGN_OR_RETURN(result.model, store_.GetModel(version.model_id));
  result.mixture.model_directory = ModelDirectory(result.model);
  result.message.set_model(ResourceName(kModels, version.model_id));
  result.message.set_allow_extrapolation(version.allow_extrapolation);
  for (const store::PatchTermRecord& term : version.terms) {
    const double coefficient = alpha.value_or(1) * term.coefficient;
    result.mixture.terms.push_back({term.blob_digest, coefficient});
    auto* message = result.message.add_terms();
    message->set_checkpoint(ResourceName(kCheckpoints, term.checkpoint_id));
    message->set_coefficient(coefficient);
  }
  if (alpha.has_value()) MP_RETURN_IF_ERROR(CheckAlpha(*alpha, result.mixture.terms, version));
  result.weights = WeightsOf(result);
  result.weights.set_patch(PatchVersionName(version.patch_id, version.version));
  return result;
}

absl::StatusOr<Resolution> MixtureResolver::ResolveEither(const v1::Mixture* mixture, const std::string& patch,
                                                          std::optional<double> alpha,
                                                          const WeightsFields& fields) const {
  if (patch.empty()) {
    if (alpha.has_value()) {
      return base::WithField(
          base::InvalidArgument("ALPHA_WITHOUT_PATCH",
                                fmt::format("alpha is {}, but no patch is given; the coefficients of a mixture are in "
                                            "its terms",
                                            *alpha)),
          "alpha");
    }
    auto resolution = Resolve(mixture == nullptr ? v1::Mixture() : *mixture);
    if (!resolution.ok()) return base::WithField(resolution.status(), fields.mixture);
    return resolution;
  }
  if (mixture != nullptr) {
    return base::WithField(
        base::InvalidArgument("MIXTURE_AND_PATCH",
                              fmt::format("both {} and {} are given; give one of them", fields.mixture, fields.patch)),
        fields.patch);
  }
  auto resolution = ResolvePatch(patch, alpha);
  if (resolution.ok()) return resolution;
  const bool is_alpha = base::FieldOf(resolution.status()) == "alpha";
  return is_alpha ? resolution.status() : base::WithField(resolution.status(), fields.patch);
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
