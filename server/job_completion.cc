#include "server/job_completion.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/train/step_result.h"
#include "modelpatch/v1/resources.pb.h"
#include "server/accuracy_conversion.h"
#include "server/job_messages.h"
#include "server/job_planner.h"
#include "server/record_messages.h"
#include "server/resource_names.h"

namespace modelpatch::server {
namespace {

// The checkpoint of a job has the job's id.
std::string CheckpointName(const store::JobRecord& job) { return ResourceName(kCheckpoints, job.id); }

v1::Mixture MixtureAt(const v1::PatchJob& stored, const store::JobRecord& job, double alpha) {
  v1::Mixture mixture;
  mixture.set_model(stored.spec().model());
  auto* term = mixture.add_terms();
  term->set_checkpoint(CheckpointName(job));
  term->set_coefficient(alpha);
  return mixture;
}

const v1::TaskReference* FindReference(const v1::Lineage& lineage, const std::string& task_id) {
  const auto found = std::find_if(lineage.tasks().begin(), lineage.tasks().end(), [&](const v1::TaskReference& task) {
    return task.task() == ResourceName(kTasks, task_id);
  });
  return found == lineage.tasks().end() ? nullptr : &*found;
}

// The accuracies of every task at three α, out of the test points.
void FillFinalAccuracies(const train::SearchResult& search, v1::PatchJobResult& result) {
  if (search.test.empty()) return;
  const auto at = [&](double alpha) -> const patch::AlphaAccuracies* {
    const auto found =
        std::find_if(search.test.begin(), search.test.end(), [&](const auto& point) { return point.alpha == alpha; });
    return found == search.test.end() ? nullptr : &*found;
  };
  const patch::AlphaAccuracies* zero_shot = at(0);
  const patch::AlphaAccuracies* patched = at(search.alpha);
  const patch::AlphaAccuracies* fine_tuned = at(1);
  const std::vector<patch::TaskAccuracy>& tasks = search.test.front().accuracies;
  for (size_t i = 0; i < tasks.size(); ++i) {
    auto* message = result.add_final_accuracies();
    message->set_task(ResourceName(kTasks, tasks[i].task));
    message->set_role(ToMessage(tasks[i].role));
    if (zero_shot != nullptr && i < zero_shot->accuracies.size())
      *message->mutable_zero_shot() = ToMessage(zero_shot->accuracies[i]);
    if (patched != nullptr && i < patched->accuracies.size())
      *message->mutable_patched() = ToMessage(patched->accuracies[i]);
    if (fine_tuned != nullptr && i < fine_tuned->accuracies.size()) {
      *message->mutable_fine_tuned() = ToMessage(fine_tuned->accuracies[i]);
    }
  }
}

}  // namespace

absl::StatusOr<std::vector<store::CheckpointRecord>> JobCompletion::OnStepSucceeded(const store::JobRecord& job,
                                                                                    const store::StepRecord& step,
                                                                                    std::string_view result) {
  std::vector<store::CheckpointRecord> checkpoints;
  if (step.name != kFineTuneStep) {
    MP_RETURN_IF_ERROR(train::SearchResultFromJson(result).status());
    return checkpoints;
  }
  MP_ASSIGN_OR_RETURN(const train::FineTuneResult fine_tuned, train::FineTuneResultFromJson(result));
  MP_ASSIGN_OR_RETURN(const v1::PatchJob stored, StoredJob(job));
  const auto fine_tune_spec = train::StepSpecFromJson(step.spec);
  const auto* work = fine_tune_spec.ok() ? std::get_if<train::FineTuneSpec>(&fine_tune_spec->work) : nullptr;
  if (work == nullptr) {
    return base::DataLoss("METADATA_CORRUPT", fmt::format("the stored spec of step '{}' is damaged", step.name));
  }
  const v1::TaskReference* reference = FindReference(stored.lineage(), work->task.name);
  if (fine_tuned.model_digest != stored.lineage().model_digest() ||
      (reference != nullptr && fine_tuned.task_digest != reference->digest())) {
    return base::DataLoss("CONTENT_CHANGED",
                          "the model or the task that the step read is not the one the job was made for; the "
                          "files in the data directory have been changed");
  }
  v1::Checkpoint message;
  message.set_kind(v1::CHECKPOINT_KIND_FINE_TUNED);
  message.set_blob_digest(fine_tuned.blob);
  message.set_size_bytes(BlobBytes(fine_tune_spec->blob_directory, fine_tuned.blob));
  *message.mutable_lineage() = stored.lineage();
  message.mutable_lineage()->set_layout_digest(fine_tuned.layout_digest);
  auto* accuracy = message.add_accuracies();
  accuracy->set_task(ResourceName(kTasks, work->task.name));
  accuracy->set_role(v1::TASK_ROLE_PATCHING);
  accuracy->set_split(v1::SPLIT_VALIDATION);
  accuracy->set_accuracy(fine_tuned.validation_accuracy);
  accuracy->set_correct(static_cast<int32_t>(fine_tuned.validation_correct));
  accuracy->set_total(static_cast<int32_t>(fine_tuned.validation_total));

  store::CheckpointRecord record;
  record.id = job.id;
  MP_ASSIGN_OR_RETURN(record.model_id, ParseResourceName(kModels, stored.spec().model()));
  record.blob_digest = fine_tuned.blob;
  record.manifest_json = ToRecordJson(message);
  record.job_id = job.id;
  record.create_time = clock_.Now();
  checkpoints.push_back(std::move(record));
  return checkpoints;
}

absl::StatusOr<std::string> JobCompletion::JobResult(const store::JobRecord& job,
                                                     const std::vector<store::StepRecord>& steps) {
  const auto step =
      std::find_if(steps.begin(), steps.end(), [](const store::StepRecord& one) { return one.name == kSearchStep; });
  if (step == steps.end()) return base::DataLoss("METADATA_CORRUPT", "the job has no search step");
  MP_ASSIGN_OR_RETURN(const train::SearchResult search, train::SearchResultFromJson(step->result));
  MP_ASSIGN_OR_RETURN(const v1::PatchJob stored, StoredJob(job));
  v1::PatchJobResult result;
  result.add_checkpoints(CheckpointName(job));
  *result.mutable_mixture() = MixtureAt(stored, job, search.alpha);
  result.set_alpha(search.alpha);
  for (const patch::AlphaAccuracies& point : search.validation) {
    auto* message = result.add_points();
    message->set_alpha(point.alpha);
    *message->mutable_mixture() = MixtureAt(stored, job, point.alpha);
    for (const patch::TaskAccuracy& accuracy : point.accuracies) *message->add_accuracies() = ToMessage(accuracy);
  }
  v1::PatchMetrics& metrics = *result.mutable_metrics();
  if (!search.validation.empty() && HasBothRoles(search.validation.front().accuracies)) {
    metrics.set_distance_to_optimal(search.trade_off.distance_to_optimal);
    metrics.set_distance_to_endpoints(search.trade_off.distance_to_endpoints);
    metrics.set_path_correction_cost(search.trade_off.path_correction_cost);
  }
  metrics.set_weight_cosine(search.weight_cosine);
  metrics.set_weight_mean_absolute_difference(search.weight_mean_absolute_difference);
  for (const auto& [task, cka] : search.cka) {
    auto* message = metrics.add_cka();
    message->set_task(ResourceName(kTasks, task));
    message->set_cka(cka);
  }
  FillFinalAccuracies(search, result);
  return result.SerializeAsString();
}

}  // namespace modelpatch::server
