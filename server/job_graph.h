// The steps of a patch job, by its strategy. Pure functions.
//
//   SINGLE      fine-tune → search
//   JOINT       fine-tune → search                              beside: specialised-1 … specialised-k → search
//   SEQUENTIAL  fine-tune-1 → search-1 → fine-tune-2 → … → search-k
//               beside: fine-tune-1 → uninterpolated-2 → … → search-k, specialised-2 … specialised-k → search-k
//   PARALLEL    fine-tune-1 … fine-tune-k → search              of existing checkpoints: search alone
//
// What stands beside is trained only to be compared with, and left out on request.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/store/records.h"
#include "core/train/step_spec.h"
#include "modelpatch/v1/resources.pb.h"

namespace modelpatch::server {

// What the steps of a job have in common, and what tells them apart.
struct JobGraphInput {
  std::string job_id;
  // `jobs/{job}` of the data directory: the steps' directories lie there.
  std::string job_directory;
  std::string model_directory;
  std::string blob_directory;
  data::DecodeLimits decode_limits;
  int64_t fine_tune_lease_bytes = 0;
  int64_t search_lease_bytes = 0;
  v1::Strategy strategy = v1::STRATEGY_SINGLE;
  // In the order in which they are taken.
  std::vector<train::NamedTask> patching_tasks;
  // Every fine-tuning; its tasks, start and directories are filled in here.
  train::FineTuneSpec fine_tune;
  // Every search: its supported tasks, policy, search and merging; the rest is filled in here.
  train::SearchSpec search;
  bool with_comparisons = true;
};

// The steps in an order in which each comes after those that it depends on. The last one is a search.
std::vector<store::StepRecord> PlanSteps(const JobGraphInput& input);

// Of the steps that make the result, `fine-tune` and `fine-tune-{n}`; of those that choose, `search` and `search-{n}`.
bool IsFineTuneStep(std::string_view step_name);
bool IsSearchStep(std::string_view step_name);

}  // namespace modelpatch::server
