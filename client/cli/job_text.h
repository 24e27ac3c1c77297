// Patch jobs and their events as text. Pure functions.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "modelpatch/v1/patch_job_service.pb.h"
#include "modelpatch/v1/resources.pb.h"

namespace modelpatch::client {

// All of a job: what was asked, its steps, and what came of it.
std::string JobText(const v1::PatchJob& job, bool unicode);

// One line for each job.
std::string JobsText(const v1::ListPatchJobsResponse& response);

// One line for an event that is not progress, with a newline; "" for progress and for what says nothing to a person.
std::string EventText(const v1::PatchJobEvent& event);

// OK if the job has SUCCEEDED, its error if it has FAILED, CANCELLED if it was cancelled.
absl::Status OutcomeOf(const v1::PatchJob& job);

}  // namespace modelpatch::client
