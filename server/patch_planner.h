// PatchPlanner: from the request for a patch to the record of its next version, with everything checked that can be
// checked, and the evaluation found that justifies it.
//
// Thread safety: as the metadata store's. Blocks on it: not for gRPC threads.
#pragma once

#include <optional>
#include <string>

#include "core/base/clock.h"
#include "core/base/status.h"
#include "core/store/metadata_store.h"
#include "modelpatch/v1/patch_service.pb.h"
#include "server/mixture_resolver.h"

namespace modelpatch::server {

class PatchPlanner {
 public:
  // Both outlive this.
  PatchPlanner(store::MetadataStore& store, const MixtureResolver& resolver) : store_(store), resolver_(resolver) {}

  // Errors, with fields: INVALID_ARGUMENT (BAD_RESOURCE_ID, BAD_RESOURCE_NAME, NO_TERMS, BAD_COEFFICIENT,
  // TOO_MANY_TERMS, BAD_EPSILON, DUPLICATE_TASK, TOO_MANY_TASKS), NOT_FOUND, FAILED_PRECONDITION
  // (CHECKPOINT_OF_ANOTHER_MODEL, JOB_NOT_SUCCEEDED, MIXTURE_NOT_MEASURED).
  absl::StatusOr<store::PatchVersionRecord> Plan(const v1::CreatePatchRequest& request, base::WallTime now) const;

 private:
  // The job `name` (`patchJobs/…`), which has SUCCEEDED.
  absl::StatusOr<v1::PatchJob> FindJob(const std::string& name) const;
  // The job that made all checkpoints of the terms, if there is one, as its id.
  absl::StatusOr<std::string> MakerOf(const Resolution& resolution) const;
  // What a job measured at the mixture. An error of an asked job; nothing if none was asked and none is found.
  absl::StatusOr<std::optional<v1::PatchEvaluation>> FindEvaluation(const Resolution& resolution,
                                                                    const std::optional<v1::PatchJob>& asked) const;
  absl::Status AddBudgets(const v1::CreatePatchRequest& request, v1::PatchVersion& details) const;

  store::MetadataStore& store_;
  const MixtureResolver& resolver_;
};

}  // namespace modelpatch::server
