// MixtureResolver: a mixture of names, as a request has it, to one of digests, as the engine takes it.
//
// Thread safety: as the metadata store's. Blocks on the store: not for gRPC threads.
#pragma once

#include <string>

#include "core/base/status.h"
#include "core/patch/mixture.h"
#include "core/serve/inference_engine.h"
#include "core/store/metadata_store.h"
#include "modelpatch/v1/resources.pb.h"

namespace modelpatch::server {

struct Resolution {
  serve::ResolvedMixture mixture;
  // With the model's name filled in.
  v1::Mixture message;
  store::ModelRecord model;
};

class MixtureResolver {
 public:
  // `store` outlives this. Models lie in `models_path`/digest.
  MixtureResolver(store::MetadataStore& store, std::string models_path);

  // Errors, with the field's path in the mixture (`terms[0].checkpoint`): INVALID_ARGUMENT (MIXTURE_WITHOUT_MODEL,
  // BAD_RESOURCE_NAME, BAD_RESOURCE_ID, BAD_COEFFICIENT, TOO_MANY_TERMS), NOT_FOUND, FAILED_PRECONDITION
  // (CHECKPOINT_OF_ANOTHER_MODEL).
  absl::StatusOr<Resolution> Resolve(const v1::Mixture& mixture) const;

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
