// What the jobs of a report have in common and what tells them apart. Pure functions; pointers are those given.
#pragma once

#include <string>
#include <vector>

#include "client/report/report_job.h"

namespace modelpatch::client::report {

using JobPointers = std::vector<const ReportJob*>;

// Jobs whose specs differ in their seeds alone, in the order of the report.
struct Variant {
  // How they patch, and what is different from the first variant that patches in the same way: "joint", "parallel,
  // gradient", "single, learning rate 1e-05". Unique.
  std::string label;
  // That difference alone; may be empty.
  std::string difference;
  JobPointers jobs;
};

// Jobs of the same model with the same patching and supported tasks, whose accuracies may stand side by side; in the
// order of the report.
std::vector<JobPointers> ComparableJobs(const std::vector<ReportJob>& jobs);

std::vector<Variant> VariantsOf(const JobPointers& jobs);

// At most `most` jobs for a figure: all of them, or the first one of each variant, or the first of those.
JobPointers JobsToDraw(const JobPointers& jobs, size_t most);

// "joint", "parallel, gradient", "parallel, TIES".
std::string MethodText(const v1::PatchJobSpec& spec);

// "uniform", "gradient" …: how coefficients are searched, or merged; "line" where there is one checkpoint.
std::string SearchText(const v1::PatchJobSpec& spec);

// The job's own seed: that of the fine-tuning.
int64_t SeedOf(const v1::PatchJobSpec& spec);

// The spec with all seeds cleared.
v1::PatchJobSpec WithoutSeeds(v1::PatchJobSpec spec);

// Bytes that are equal for equal specs.
std::string KeyOf(const v1::PatchJobSpec& spec);

}  // namespace modelpatch::client::report
