// JobCompletion: what the results of steps mean: the fine-tuning's is a checkpoint, the search's is the job's result.
//
// Thread-safe: pure functions of the records, and of the blob's size on disk.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/base/clock.h"
#include "core/sched/step_completion.h"

namespace modelpatch::server {

class JobCompletion final : public sched::StepCompletion {
 public:
  // `clock` outlives this.
  explicit JobCompletion(const base::Clock& clock) : clock_(clock) {}

  absl::StatusOr<std::vector<store::CheckpointRecord>> OnStepSucceeded(const store::JobRecord& job,
                                                                       const store::StepRecord& step,
                                                                       std::string_view result) override;
  // A serialised v1::PatchJobResult.
  absl::StatusOr<std::string> JobResult(const store::JobRecord& job,
                                        const std::vector<store::StepRecord>& steps) override;

 private:
  const base::Clock& clock_;
};

}  // namespace modelpatch::server
