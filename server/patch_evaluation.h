// What justifies a version of a patch: the accuracies that a job measured at its mixture, and the budgets that they
// must keep to. Pure functions.
#pragma once

#include <optional>
#include <string>

#include "core/base/status.h"
#include "modelpatch/v1/patch_service.pb.h"
#include "modelpatch/v1/resources.pb.h"

namespace modelpatch::server {

// What a job that has SUCCEEDED measured at `mixture`, beside what it measured at α = 0; nothing if it measured other
// mixtures only. The checkpoints' names are taken for those of the job.
std::optional<v1::PatchEvaluation> EvaluationAt(const v1::PatchJob& job, const v1::Mixture& mixture);

// OK if every budget of the version is kept: on test data where a task has been measured there, else on validation
// data. FAILED_PRECONDITION: PATCH_OVER_BUDGET, with each task that loses more; PATCH_NOT_EVALUATED, if there is no
// evaluation at all, or none of a task that has a budget.
absl::Status CheckBudgets(const v1::PatchVersion& version);

}  // namespace modelpatch::server
