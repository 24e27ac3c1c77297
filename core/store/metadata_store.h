// MetadataStore: which models, tasks, checkpoints, patches and jobs there are.
//
// Narrow enough to be implemented on another database: every method is one transaction, lists are paged by key, and
// nothing of the database shows. Writes are durable when a method returns. Checkpoint weights, model files and step
// directories lie elsewhere; only their digests and ids are here. Thread safety: implementations are thread-safe.
// Methods may block on the disk. Errors of every method: DATA_LOSS (METADATA_CORRUPT), RESOURCE_EXHAUSTED (DISK_FULL),
// UNAVAILABLE (METADATA_UNAVAILABLE). An unknown id is NOT_FOUND (MODEL_NOT_FOUND, TASK_NOT_FOUND,
// CHECKPOINT_NOT_FOUND, PATCH_NOT_FOUND, PATCH_JOB_NOT_FOUND); inserting an id that exists is ALREADY_EXISTS
// (MODEL_ALREADY_EXISTS, …); an id that is no resource id is INVALID_ARGUMENT (BAD_RESOURCE_ID).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/base/status.h"
#include "core/store/patch_records.h"
#include "core/store/records.h"

namespace modelpatch::store {

struct PageRequest {
  int page_size = 0;       // 0: 50; more than 1000 counts as 1000
  std::string page_token;  // from the page before; empty: the first page
};

// Records in the order of (create_time, id). An empty token: this was the last page.
template <typename Record>
struct Page {
  std::vector<Record> records;
  std::string next_page_token;
};

struct CreatedPatchVersion {
  PatchVersionRecord version;
  bool created = true;  // false: `version` is an earlier one of the same request_id
};

struct CreatedJob {
  JobRecord job;
  bool created = true;  // false: `job` is an earlier one of the same request_id
};

class MetadataStore {
 public:
  virtual ~MetadataStore() = default;

  virtual absl::Status InsertModel(const ModelRecord& model) = 0;
  virtual absl::StatusOr<ModelRecord> GetModel(const std::string& id) = 0;
  // All lists: INVALID_ARGUMENT (BAD_PAGE_SIZE, BAD_PAGE_TOKEN), with the field.
  virtual absl::StatusOr<Page<ModelRecord>> ListModels(const PageRequest& request) = 0;
  // FAILED_PRECONDITION (RESOURCE_IN_USE) while it has checkpoints, a patch names it, or an unfinished job uses it.
  virtual absl::Status DeleteModel(const std::string& id) = 0;

  virtual absl::Status InsertTask(const TaskRecord& task) = 0;
  virtual absl::StatusOr<TaskRecord> GetTask(const std::string& id) = 0;
  virtual absl::StatusOr<Page<TaskRecord>> ListTasks(const PageRequest& request) = 0;
  // FAILED_PRECONDITION (RESOURCE_IN_USE) while an unfinished job uses it.
  virtual absl::Status DeleteTask(const std::string& id) = 0;

  // NOT_FOUND (MODEL_NOT_FOUND) if its model is not there. ALREADY_EXISTS (NAME_HELD_BY_PATCH_JOB) if an unfinished job
  // has this id, or one that this begins with, before a '-': its own checkpoints get such names, with CommitTransition.
  virtual absl::Status InsertCheckpoint(const CheckpointRecord& checkpoint) = 0;
  virtual absl::StatusOr<CheckpointRecord> GetCheckpoint(const std::string& id) = 0;
  // Those of one model, or all if `model_id` is empty.
  virtual absl::StatusOr<Page<CheckpointRecord>> ListCheckpoints(const PageRequest& request,
                                                                 const std::string& model_id) = 0;
  // FAILED_PRECONDITION (RESOURCE_IN_USE) while a patch names it or an unfinished job uses it, the one that made it
  // included.
  virtual absl::Status DeleteCheckpoint(const std::string& id) = 0;
  // The blobs of all checkpoints and patches, each once, ascending: garbage collection spares them.
  virtual absl::StatusOr<std::vector<std::string>> ListBlobDigests() = 0;

  // Makes the patch if it is not there, and its next version, whose number the store gives. NOT_FOUND if the model or a
  // checkpoint is not there; FAILED_PRECONDITION (CHECKPOINT_CHANGED) if a checkpoint has another blob than the term
  // says. A request_id that was used before gives the earlier version if the digests agree, and ALREADY_EXISTS
  // (REQUEST_ID_REUSED) if they do not.
  virtual absl::StatusOr<CreatedPatchVersion> CreatePatchVersion(const PatchVersionRecord& version) = 0;
  // As FindJobOfRequest.
  virtual absl::StatusOr<std::optional<PatchVersionRecord>> FindPatchVersionOfRequest(
      const std::string& request_id, const std::string& request_digest) = 0;
  virtual absl::StatusOr<PatchRecord> GetPatch(const std::string& id) = 0;
  virtual absl::StatusOr<Page<PatchRecord>> ListPatches(const PageRequest& request) = 0;
  // NOT_FOUND (PATCH_VERSION_NOT_FOUND, PATCH_ALIAS_NOT_FOUND); the message names those that are there.
  virtual absl::StatusOr<PatchVersionRecord> GetPatchVersion(const std::string& id, const PatchSelector& selector) = 0;
  // The newest first, at most `limit`.
  virtual absl::StatusOr<std::vector<PatchVersionRecord>> ListPatchVersions(const std::string& id, int64_t limit) = 0;
  virtual absl::StatusOr<std::vector<PatchPromotionRecord>> ListPatchPromotions(const std::string& id,
                                                                                int64_t limit) = 0;
  // The three that change a patch: `seen` is the patch as it was read. ABORTED (STALE_REVISION) if it was deleted and
  // made again since, and, with `unchanged`, if it has another revision.
  virtual absl::Status DeletePatch(const PatchRecord& seen, bool unchanged) = 0;
  // NOT_FOUND (PATCH_VERSION_NOT_FOUND). A version that the alias stands for already stays, and nothing is recorded.
  virtual absl::StatusOr<PatchRecord> PromotePatch(const PatchRecord& seen, bool unchanged,
                                                   const PatchPromotionRecord& promotion) = 0;
  // To the version of the promotion before the one in force; called again, of the one before that. `rollback.version`
  // is not read. FAILED_PRECONDITION (NO_PREVIOUS_VERSION).
  virtual absl::StatusOr<PatchRecord> RollBackPatch(const PatchRecord& seen, bool unchanged,
                                                    const PatchPromotionRecord& rollback) = 0;

  // Stores a job and its steps. The job must be QUEUED, and steps be QUEUED (no dependencies) or WAITING, in the order
  // of their indices: INVALID_ARGUMENT (BAD_JOB) otherwise. NOT_FOUND if a resource of `job.uses` is not there.
  // ALREADY_EXISTS (CHECKPOINT_ALREADY_EXISTS) if a checkpoint has the job's id, which the job's own will need. A
  // request_id that was used before gives the earlier job if the digests agree, and ALREADY_EXISTS (REQUEST_ID_REUSED)
  // if they do not.
  virtual absl::StatusOr<CreatedJob> CreateJob(const JobRecord& job, const std::vector<StepRecord>& steps) = 0;
  // The job that CreateJob would give for this request_id and digest instead of a new one; nothing for a request_id
  // that is new or empty. ALREADY_EXISTS (REQUEST_ID_REUSED).
  virtual absl::StatusOr<std::optional<JobRecord>> FindJobOfRequest(const std::string& request_id,
                                                                    const std::string& request_digest) = 0;
  virtual absl::StatusOr<JobRecord> GetJob(const std::string& id) = 0;
  virtual absl::StatusOr<Page<JobRecord>> ListJobs(const PageRequest& request) = 0;
  // In the order of (create_time, id).
  virtual absl::StatusOr<std::vector<JobRecord>> ListUnfinishedJobs() = 0;
  // In the order of their indices.
  virtual absl::StatusOr<std::vector<StepRecord>> ListSteps(const std::string& job_id) = 0;
  // With its steps; its checkpoints stay. FAILED_PRECONDITION (JOB_NOT_FINISHED).
  virtual absl::Status DeleteJob(const std::string& id) = 0;

  // Writes a job, some of its steps and new checkpoints, all or nothing; returns the job's new revision.
  // `job.revision` must be the stored one, else ABORTED (STALE_REVISION): read the job again. Immutable fields (spec,
  // uses, create_time, …) are not written. FAILED_PRECONDITION (ILLEGAL_TRANSITION) as job_state.h says; NOT_FOUND
  // (STEP_NOT_FOUND); errors of InsertCheckpoint.
  virtual absl::StatusOr<int64_t> CommitTransition(const JobRecord& job, const std::vector<StepRecord>& steps,
                                                   const std::vector<CheckpointRecord>& new_checkpoints) = 0;
};

}  // namespace modelpatch::store
