#include "server/job_checkpoints.h"

#include <fmt/format.h>

#include <variant>

#include "server/job_graph.h"
#include "server/resource_names.h"

namespace modelpatch::server {
namespace {

constexpr std::string_view kFineTunePrefix = "fine-tune";

absl::StatusOr<train::StepSpec> SpecOf(const store::StepRecord& step) {
  auto spec = train::StepSpecFromJson(step.spec);
  if (spec.ok()) return spec;
  return base::DataLoss("METADATA_CORRUPT", fmt::format("the stored spec of step '{}' is damaged", step.name));
}

std::string SnapshotId(const std::string& checkpoint_id, int64_t step) {
  return fmt::format("{}-step-{}", checkpoint_id, step);
}

std::string AverageId(const std::string& checkpoint_id) { return fmt::format("{}-ema", checkpoint_id); }

// What a step that has succeeded made.
absl::StatusOr<std::vector<MadeCheckpoint>> MadeBySucceeded(const store::StepRecord& step) {
  if (IsSearchStep(step.name)) {
    MP_ASSIGN_OR_RETURN(const train::SearchResult result, train::SearchResultFromJson(step.result));
    return MadeBy(step, result);
  }
  MP_ASSIGN_OR_RETURN(const train::FineTuneResult result, train::FineTuneResultFromJson(step.result));
  return MadeBy(step, result);
}

}  // namespace

std::string CheckpointIdOf(const std::string& job_id, const std::string& step_name) {
  if (!IsFineTuneStep(step_name)) return fmt::format("{}-{}", job_id, step_name);
  return job_id + step_name.substr(kFineTunePrefix.size());
}

std::string MergedCheckpointId(const std::string& job_id) { return fmt::format("{}-merged", job_id); }

std::vector<MadeCheckpoint> MadeBy(const store::StepRecord& step, const train::FineTuneResult& result) {
  const std::string id = CheckpointIdOf(step.job_id, step.name);
  std::vector<MadeCheckpoint> made = {{id, v1::CHECKPOINT_KIND_FINE_TUNED, result.blob}};
  for (const train::Snapshot& snapshot : result.snapshots) {
    made.push_back({SnapshotId(id, snapshot.step), v1::CHECKPOINT_KIND_FINE_TUNED, snapshot.blob});
  }
  if (!result.average_blob.empty()) made.push_back({AverageId(id), v1::CHECKPOINT_KIND_AVERAGED, result.average_blob});
  return made;
}

std::vector<MadeCheckpoint> MadeBy(const store::StepRecord& step, const train::SearchResult& result) {
  if (result.merged_blob.empty()) return {};
  return {{MergedCheckpointId(step.job_id), v1::CHECKPOINT_KIND_MERGED, result.merged_blob}};
}

absl::StatusOr<std::vector<std::string>> PlannedCheckpointIds(const std::vector<store::StepRecord>& steps) {
  std::vector<std::string> ids;
  for (const store::StepRecord& step : steps) {
    MP_ASSIGN_OR_RETURN(const train::StepSpec spec, SpecOf(step));
    if (const auto* search = std::get_if<train::SearchSpec>(&spec.work)) {
      const bool merges =
          search->merge.has_value() || search->coefficient_search.group != patch::CoefficientGroup::kModel;
      if (merges) ids.push_back(MergedCheckpointId(step.job_id));
      continue;
    }
    const train::FineTuneOptions& options = std::get<train::FineTuneSpec>(spec.work).options;
    const std::string id = CheckpointIdOf(step.job_id, step.name);
    ids.push_back(id);
    if (options.ema_decay > 0) ids.push_back(AverageId(id));
    if (options.snapshot_interval_steps == 0) continue;
    for (int64_t at = options.snapshot_interval_steps; at < options.steps; at += options.snapshot_interval_steps) {
      ids.push_back(SnapshotId(id, at));
    }
  }
  return ids;
}

absl::StatusOr<std::map<std::string, std::string>> CheckpointNamesByBlob(const v1::PatchJobSpec& spec,
                                                                         const std::vector<store::StepRecord>& steps) {
  std::map<std::string, std::string> names;
  for (const store::StepRecord& step : steps) {
    if (step.state == store::StepState::kSucceeded) {
      MP_ASSIGN_OR_RETURN(const std::vector<MadeCheckpoint> made, MadeBySucceeded(step));
      for (const MadeCheckpoint& checkpoint : made) {
        names.emplace(checkpoint.blob, ResourceName(kCheckpoints, checkpoint.id));
      }
    }
    if (spec.checkpoints().empty() || !IsSearchStep(step.name)) continue;
    MP_ASSIGN_OR_RETURN(const train::StepSpec step_spec, SpecOf(step));
    const auto& blobs = std::get<train::SearchSpec>(step_spec.work).blobs;
    for (size_t i = 0; i < blobs.size() && i < static_cast<size_t>(spec.checkpoints_size()); ++i) {
      names.emplace(blobs[i], spec.checkpoints(static_cast<int>(i)));
    }
  }
  return names;
}

absl::StatusOr<v1::Mixture> NamedMixture(const std::string& model, const std::vector<patch::MixtureTerm>& terms,
                                         const std::map<std::string, std::string>& names_by_blob) {
  v1::Mixture mixture;
  mixture.set_model(model);
  for (const patch::MixtureTerm& term : terms) {
    const auto name = names_by_blob.find(term.blob);
    if (name == names_by_blob.end()) {
      return base::DataLoss("METADATA_CORRUPT", fmt::format("no checkpoint of the job has the blob {}", term.blob));
    }
    auto* message = mixture.add_terms();
    message->set_checkpoint(name->second);
    message->set_coefficient(term.coefficient);
  }
  return mixture;
}

}  // namespace modelpatch::server
