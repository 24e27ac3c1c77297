// MixtureResolver: a mixture of names, or the name of a patch, as a request has it, to a mixture of digests, as the
// engine takes it.
//
// Thread safety: as the metadata store's. Blocks on the store: not for gRPC threads.
#pragma once

#include <optional>
#include <string>

#include "core/base/status.h"
#include "core/patch/mixture.h"
#include "core/serve/inference_engine.h"
#include "core/store/metadata_store.h"
#include "modelpatch/v1/resolved_weights.pb.h"
#include "modelpatch/v1/resources.pb.h"

namespace modelpatch::server {

struct Resolution {
  serve::ResolvedMixture mixture;
  // With the model's name filled in.
  v1::Mixture message;
  // The digests behind it, for the answer.
  v1::ResolvedWeights weights;
  store::ModelRecord model;
};

// Which fields of a request name its weights. The α of a patch is always `alpha`.
struct WeightsFields {
  const char* mixture = "mixture";
  const char* patch = "patch";
};

class MixtureResolver {
 public:
  // `store` outlives this. Models lie in `models_path`/digest.
  MixtureResolver(store::MetadataStore& store, std::string models_path);

  // Errors, with the field's path in the mixture (`terms[0].checkpoint`): INVALID_ARGUMENT (MIXTURE_WITHOUT_MODEL,
  // BAD_RESOURCE_NAME, BAD_RESOURCE_ID, BAD_COEFFICIENT, TOO_MANY_TERMS), NOT_FOUND, FAILED_PRECONDITION
  // (CHECKPOINT_OF_ANOTHER_MODEL).
  absl::StatusOr<Resolution> Resolve(const v1::Mixture& mixture) const;

  // The patch `name` (`patches/digits`, `patches/digits@3`, `patches/digits@production`), its coefficients multiplied
  // with `alpha`; as it is stored without one. Errors of the name, without a field: INVALID_ARGUMENT (those of
  // ParsePatchName), NOT_FOUND (PATCH_NOT_FOUND, PATCH_VERSION_NOT_FOUND, PATCH_ALIAS_NOT_FOUND). With the field
  // `alpha`: INVALID_ARGUMENT (BAD_ALPHA, BAD_COEFFICIENT).
  absl::StatusOr<Resolution> ResolvePatch(const std::string& name, std::optional<double> alpha) const;

  // What a request names: `mixture`, unless it is null, or `patch`, unless it is empty. Errors of Resolve and
  // ResolvePatch, with the request's fields; INVALID_ARGUMENT (MIXTURE_AND_PATCH, ALPHA_WITHOUT_PATCH).
  absl::StatusOr<Resolution> ResolveEither(const v1::Mixture* mixture, const std::string& patch,
                                           std::optional<double> alpha, const WeightsFields& fields = {}) const;

  // The same for a request with the fields `mixture`, `patch` and `alpha`.
  template <typename Request>
  absl::StatusOr<Resolution> ResolveRequest(const Request& request) const {
    return ResolveEither(request.has_mixture() ? &request.mixture() : nullptr, request.patch(),
                         request.has_alpha() ? std::optional<double>(request.alpha()) : std::nullopt);
  }

  // `models/…`, with the field `model`.
  absl::StatusOr<store::ModelRecord> FindModel(const std::string& name) const;
  // `checkpoints/…`, without a field.
  absl::StatusOr<store::CheckpointRecord> FindCheckpoint(const std::string& name) const;
  std::string ModelDirectory(const store::ModelRecord& model) const { return models_path_ + "/" + model.digest; }

 private:
  store::MetadataStore& store_;
  const std::string models_path_;
};

// The message of a mixture between two resolved ones, with the checkpoints' names: (1 − alpha)·start + alpha·end.
v1::Mixture MixtureBetween(const v1::Mixture& start, const v1::Mixture& end, double alpha);

}  // namespace modelpatch::server
