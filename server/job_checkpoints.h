// The checkpoints that a job's steps make, and their names. Pure functions of the records.
//
// The checkpoint of the step `fine-tune` has the job's id; that of `fine-tune-2` is `{job}-2`, that of `specialised-2`
// `{job}-specialised-2`, that of `uninterpolated-2` `{job}-uninterpolated-2`. What a fine-tuning makes beside it ends
// in `-step-{n}` (a snapshot) or `-ema`. What a search merges is `{job}-merged`.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/base/status.h"
#include "core/store/records.h"
#include "core/train/step_result.h"
#include "core/train/step_spec.h"
#include "modelpatch/v1/resources.pb.h"

namespace modelpatch::server {

// The id of the checkpoint of a fine-tuning step.
std::string CheckpointIdOf(const std::string& job_id, const std::string& step_name);
std::string MergedCheckpointId(const std::string& job_id);

// One checkpoint that a step makes.
struct MadeCheckpoint {
  std::string id;
  v1::CheckpointKind kind = v1::CHECKPOINT_KIND_FINE_TUNED;
  std::string blob;
};

// What a fine-tuning step made: its weights first, then what it made beside them.
std::vector<MadeCheckpoint> MadeBy(const store::StepRecord& step, const train::FineTuneResult& result);
// What a search step made: a merged checkpoint, or none.
std::vector<MadeCheckpoint> MadeBy(const store::StepRecord& step, const train::SearchResult& result);

// The ids of all checkpoints that the steps will make, before they run. DATA_LOSS (METADATA_CORRUPT) for a damaged
// spec.
absl::StatusOr<std::vector<std::string>> PlannedCheckpointIds(const std::vector<store::StepRecord>& steps);

// Of each blob that the steps so far made, or that the job mixes, the name of a checkpoint that has it.
absl::StatusOr<std::map<std::string, std::string>> CheckpointNamesByBlob(const v1::PatchJobSpec& spec,
                                                                         const std::vector<store::StepRecord>& steps);

// A mixture of blobs under the names of their checkpoints. DATA_LOSS (METADATA_CORRUPT) for a blob that has none.
absl::StatusOr<v1::Mixture> NamedMixture(const std::string& model, const std::vector<patch::MixtureTerm>& terms,
                                         const std::map<std::string, std::string>& names_by_blob);

}  // namespace modelpatch::server
