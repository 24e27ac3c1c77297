// JobCompletion: what the results of steps mean: a fine-tuning's are checkpoints, the last search's is the job's
// result.
//
// Thread-safe: pure functions of the records, and of the blob's size on disk.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/base/clock.h"
#include "core/sched/step_completion.h"
#include "modelpatch/v1/resources.pb.h"
#include "server/job_checkpoints.h"

namespace modelpatch::server {

class JobCompletion final : public sched::StepCompletion {
 public:
  // `clock` outlives this.
  explicit JobCompletion(const base::Clock& clock) : clock_(clock) {}

  absl::StatusOr<std::vector<store::CheckpointRecord>> OnStepSucceeded(const store::JobRecord& job,
                                                                       const std::vector<store::StepRecord>& steps,
                                                                       const store::StepRecord& step,
                                                                       std::string_view result) override;
  // A serialised v1::PatchJobResult.
  absl::StatusOr<std::string> JobResult(const store::JobRecord& job,
                                        const std::vector<store::StepRecord>& steps) override;

 private:
  // The record of one checkpoint; `message` has its lineage and accuracies.
  absl::StatusOr<store::CheckpointRecord> MakeRecord(const store::JobRecord& job, const store::StepRecord& step,
                                                     const MadeCheckpoint& made, v1::Checkpoint message) const;

  const base::Clock& clock_;
};

}  // namespace modelpatch::server
