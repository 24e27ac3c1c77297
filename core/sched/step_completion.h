// StepCompletion: what the scheduler asks of whoever knows what jobs mean. The scheduler itself carries specs and
// results as opaque bytes.
//
// Thread safety: called by one thread, the scheduler's. It follows all running jobs, so a call should take a second at
// most. A call may come again for the same step, if the server died before its outcome was stored: answer the same (the
// same checkpoint ids) again.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/base/status.h"
#include "core/store/records.h"

namespace modelpatch::sched {

class StepCompletion {
 public:
  virtual ~StepCompletion() = default;

  // The bytes of spec.json, now that the steps it depends on have succeeded; for example with their results put in.
  // `steps` are all steps of the job; `step` is one of them. An error fails the step.
  virtual absl::StatusOr<std::string> StepSpec(const store::JobRecord& job, const std::vector<store::StepRecord>& steps,
                                               const store::StepRecord& step) {
    (void)job;
    (void)steps;
    return step.spec;
  }

  // The checkpoints that a step made, from its result; they are stored together with its success. `steps` are all steps
  // of the job, those that it depends on with their results. An error fails the step.
  virtual absl::StatusOr<std::vector<store::CheckpointRecord>> OnStepSucceeded(
      const store::JobRecord& job, const std::vector<store::StepRecord>& steps, const store::StepRecord& step,
      std::string_view result) = 0;

  // The result of a job, all of whose steps have succeeded (their results are in the records). An error fails the job.
  virtual absl::StatusOr<std::string> JobResult(const store::JobRecord& job,
                                                const std::vector<store::StepRecord>& steps) = 0;
};

}  // namespace modelpatch::sched
