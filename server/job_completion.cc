#include "server/job_completion.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "core/train/step_result.h"
#include "modelpatch/v1/resources.pb.h"
#include "server/accuracy_conversion.h"
#include "server/job_graph.h"
#include "server/job_messages.h"
#include "server/job_result.h"
#include "server/record_messages.h"
#include "server/resource_names.h"

namespace modelpatch::server {
namespace {

const v1::TaskReference* FindReference(const v1::Lineage& lineage, const std::string& task_id) {
  const auto found = std::find_if(lineage.tasks().begin(), lineage.tasks().end(), [&](const v1::TaskReference& task) {
    return task.task() == ResourceName(kTasks, task_id);
  });
  return found == lineage.tasks().end() ? nullptr : &*found;
}

// That the step read what the job was made for.
absl::Status CheckDigests(const train::FineTuneResult& result, const v1::Lineage& lineage) {
  bool same = result.model_digest == lineage.model_digest();
  for (const auto& [task, digest] : result.task_digests) {
    const v1::TaskReference* reference = FindReference(lineage, task);
    same = same && (reference == nullptr || reference->digest() == digest);
  }
  if (same) return absl::OkStatus();
  return base::DataLoss(
      "CONTENT_CHANGED",
      "the model or a task that the step read is not the one the job was made for; the files in the data "
      "directory have been changed");
}

// What of the job's lineage a fine-tuning has: the tasks that it read alone.
v1::Lineage LineageOf(const v1::Lineage& job, const std::map<std::string, std::string>& task_digests) {
  v1::Lineage lineage = job;
  lineage.clear_tasks();
  for (const v1::TaskReference& task : job.tasks()) {
    const auto id = ParseResourceName(kTasks, task.task());
    if (task.role() != v1::TASK_ROLE_PATCHING || (id.ok() && task_digests.contains(*id))) *lineage.add_tasks() = task;
  }
  return lineage;
}

// What a job's search mixes: the checkpoints that it was given, or those of its fine-tunings.
std::vector<std::string> MixedCheckpoints(const store::JobRecord& job, const std::vector<store::StepRecord>& steps,
                                          const v1::PatchJobSpec& spec) {
  std::vector<std::string> names(spec.checkpoints().begin(), spec.checkpoints().end());
  for (const store::StepRecord& step : steps) {
    if (IsFineTuneStep(step.name)) names.push_back(ResourceName(kCheckpoints, CheckpointIdOf(job.id, step.name)));
  }
  return names;
}

}  // namespace

absl::StatusOr<store::CheckpointRecord> JobCompletion::MakeRecord(const store::JobRecord& job,
                                                                  const store::StepRecord& step,
                                                                  const MadeCheckpoint& made,
                                                                  v1::Checkpoint message) const {
  MP_ASSIGN_OR_RETURN(const train::StepSpec spec, train::StepSpecFromJson(step.spec));
  message.set_kind(made.kind);
  message.set_blob_digest(made.blob);
  message.set_size_bytes(BlobBytes(spec.blob_directory, made.blob));
  store::CheckpointRecord record;
  record.id = made.id;
  MP_ASSIGN_OR_RETURN(record.model_id, ParseResourceName(kModels, message.lineage().model()));
  record.blob_digest = made.blob;
  record.manifest_json = ToRecordJson(message);
  record.job_id = job.id;
  record.create_time = clock_.Now();
  return record;
}

absl::StatusOr<std::vector<store::CheckpointRecord>> JobCompletion::OnStepSucceeded(
    const store::JobRecord& job, const std::vector<store::StepRecord>& steps, const store::StepRecord& step,
    std::string_view result) {
  MP_ASSIGN_OR_RETURN(const v1::PatchJob stored, StoredJob(job));
  std::vector<store::CheckpointRecord> checkpoints;
  if (IsSearchStep(step.name)) {
    MP_ASSIGN_OR_RETURN(const train::SearchResult search, train::SearchResultFromJson(result));
    for (const MadeCheckpoint& made : MadeBy(step, search)) {
      v1::Checkpoint message;
      *message.mutable_lineage() = stored.lineage();
      if (stored.spec().has_merge()) *message.mutable_lineage()->mutable_merge() = stored.spec().merge();
      for (const std::string& name : MixedCheckpoints(job, steps, stored.spec())) {
        auto* parent = message.mutable_lineage()->add_parents();
        parent->set_checkpoint(name);
        parent->set_coefficient(1);
      }
      MP_ASSIGN_OR_RETURN(checkpoints.emplace_back(), MakeRecord(job, step, made, std::move(message)));
    }
    return checkpoints;
  }
  MP_ASSIGN_OR_RETURN(const train::FineTuneResult fine_tuned, train::FineTuneResultFromJson(result));
  MP_RETURN_IF_ERROR(CheckDigests(fine_tuned, stored.lineage()));
  MP_ASSIGN_OR_RETURN(const auto names, CheckpointNamesByBlob(stored.spec(), steps));
  for (const MadeCheckpoint& made : MadeBy(step, fine_tuned)) {
    v1::Checkpoint message;
    *message.mutable_lineage() = LineageOf(stored.lineage(), fine_tuned.task_digests);
    message.mutable_lineage()->set_layout_digest(fine_tuned.layout_digest);
    MP_ASSIGN_OR_RETURN(const v1::Mixture start, NamedMixture(stored.spec().model(), fine_tuned.start, names));
    *message.mutable_lineage()->mutable_parents() = start.terms();
    if (checkpoints.empty()) {
      // What was measured at the end of the training is true of its weights alone.
      for (const patch::TaskAccuracy& accuracy : fine_tuned.validation) {
        *message.add_accuracies() = ToMessage(accuracy);
      }
    }
    MP_ASSIGN_OR_RETURN(checkpoints.emplace_back(), MakeRecord(job, step, made, std::move(message)));
  }
  return checkpoints;
}

absl::StatusOr<std::string> JobCompletion::JobResult(const store::JobRecord& job,
                                                     const std::vector<store::StepRecord>& steps) {
  MP_ASSIGN_OR_RETURN(const v1::PatchJob stored, StoredJob(job));
  MP_ASSIGN_OR_RETURN(const v1::PatchJobResult result, MakeJobResult(stored.spec(), steps));
  return result.SerializeAsString();
}

}  // namespace modelpatch::server
