// JobPlanner: from the request for a patch job to its record and its steps, with everything checked that can be checked
// now.
//
// Thread safety: as the metadata store's. Blocks on it: not for gRPC threads.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/sched/lease_table.h"
#include "core/store/metadata_store.h"
#include "core/train/step_spec.h"
#include "modelpatch/v1/patch_job_service.pb.h"
#include "server/job_graph.h"
#include "server/mixture_resolver.h"

namespace modelpatch::server {

struct PlannedJob {
  store::JobRecord job;
  std::vector<store::StepRecord> steps;
};

// Of the request's content: equal for requests that ask for the same job.
std::string RequestDigestOf(const v1::CreatePatchJobRequest& request);

struct JobPaths {
  std::string jobs;
  std::string tasks;
  std::string blobs;
};

class JobPlanner {
 public:
  // `store` and `resolver` outlive this. `devices` are those that steps may lease.
  JobPlanner(store::MetadataStore& store, const MixtureResolver& resolver, JobPaths paths,
             const data::DecodeLimits& decode_limits, std::vector<sched::Device> devices);

  // Errors, with fields (`patch_job.spec.…`): INVALID_ARGUMENT (BAD_RESOURCE_ID, BAD_RESOURCE_NAME, those of
  // CheckStrategy, SUPPORTED_TASKS_REQUIRED, DUPLICATE_TASK, BAD_ALPHA, DUPLICATE_ALPHA, BAD_EPSILON,
  // BAD_FINE_TUNE_OPTION, BAD_SEARCH_OPTION, BAD_MERGE_OPTION, BAD_REQUEST_ID), NOT_FOUND, ALREADY_EXISTS
  // (CHECKPOINT_ALREADY_EXISTS, NAME_HELD_BY_PATCH_JOB), FAILED_PRECONDITION (TASK_OF_ONE_CLASS, EMPTY_SPLIT,
  // CHECKPOINT_OF_ANOTHER_MODEL).
  absl::StatusOr<PlannedJob> Plan(const v1::CreatePatchJobRequest& request, base::WallTime now) const;

 private:
  struct Tasks {
    std::vector<train::NamedTask> patching;
    std::vector<train::NamedTask> supported;
    std::optional<train::NamedTask> elastic;
    std::optional<train::NamedTask> contrastive;
    std::vector<v1::TaskReference> references;
  };

  absl::StatusOr<Tasks> FindTasks(const v1::PatchJobSpec& spec) const;
  // A task that a job needs training examples of, validation and test examples, or both.
  absl::StatusOr<train::NamedTask> FindTask(const std::string& name, bool trains, bool evaluates,
                                            v1::TaskReference& reference) const;
  // The blobs of existing checkpoints of `model`.
  absl::StatusOr<std::vector<std::string>> FindBlobs(const v1::PatchJobSpec& spec, const std::string& model_id,
                                                     std::vector<store::ResourceUse>& uses) const;
  // What core is told, but for tasks and directories. Fills the defaults of `spec` in.
  absl::Status ResolveChoices(v1::PatchJobSpec& spec, JobGraphInput& graph) const;
  // That none of the checkpoints to be has another's name, or one too long.
  absl::Status CheckCheckpointIds(const std::string& job_id, const std::vector<store::StepRecord>& steps) const;
  // Nor one that an unfinished job will give.
  absl::Status CheckIdsNotPlanned(const std::string& job_id, const std::vector<std::string>& ids) const;

  store::MetadataStore& store_;
  const MixtureResolver& resolver_;
  const JobPaths paths_;
  const data::DecodeLimits decode_limits_;
  const std::vector<sched::Device> devices_;
};

}  // namespace modelpatch::server
