#include "server/job_messages.h"

#include <fmt/format.h>

#include <filesystem>
#include <system_error>
#include <utility>

#include "server/job_graph.h"
#include "server/record_messages.h"
#include "server/resource_names.h"
#include "server/status_conversion.h"
#include "server/step_events.h"

namespace modelpatch::server {
namespace {

google::rpc::Status ErrorOf(int code, const std::string& reason, const std::string& message) {
  return ToRpcStatus(base::Error(static_cast<absl::StatusCode>(code), reason, message));
}

v1::PatchJobStep StepMessage(const store::StepRecord& record, const std::vector<std::string>& names) {
  v1::PatchJobStep step;
  step.set_id(record.name);
  step.set_kind(IsSearchStep(record.name) ? v1::STEP_KIND_SEARCH : v1::STEP_KIND_FINE_TUNE);
  step.set_state(ToMessage(record.state));
  for (const int index : record.depends_on) {
    if (index >= 0 && static_cast<size_t>(index) < names.size()) step.add_depends_on(names[static_cast<size_t>(index)]);
  }
  step.set_attempt(record.attempt);
  step.set_device(record.device);
  step.set_memory_bytes(record.lease_bytes);
  if (record.start_time.has_value()) *step.mutable_start_time() = ToTimestamp(*record.start_time);
  if (record.end_time.has_value()) *step.mutable_end_time() = ToTimestamp(*record.end_time);
  if (record.error_code != 0)
    *step.mutable_error() = ErrorOf(record.error_code, record.error_reason, record.error_message);
  return step;
}

}  // namespace

absl::StatusOr<v1::PatchJob> StoredJob(const store::JobRecord& record) {
  v1::PatchJob stored;
  if (stored.ParseFromString(record.spec)) return stored;
  return base::DataLoss("METADATA_CORRUPT", fmt::format("the stored spec of patchJobs/{} is damaged", record.id));
}

absl::StatusOr<v1::PatchJob> ToMessage(const store::JobRecord& record, const std::vector<store::StepRecord>& steps,
                                       const std::optional<sched::Event>& progress) {
  MP_ASSIGN_OR_RETURN(v1::PatchJob job, StoredJob(record));
  job.set_name(ResourceName(kPatchJobs, record.id));
  job.set_state(ToMessage(record.state));
  job.set_request_id(record.request_id);
  *job.mutable_create_time() = ToTimestamp(record.create_time);
  if (record.start_time.has_value()) *job.mutable_start_time() = ToTimestamp(*record.start_time);
  if (record.end_time.has_value()) *job.mutable_end_time() = ToTimestamp(*record.end_time);
  const std::vector<std::string> names = StepNames(steps);
  for (const store::StepRecord& step : steps) *job.add_steps() = StepMessage(step, names);
  if (progress.has_value()) {
    if (auto message = ToStepProgress(*progress, names)) {
      for (auto& step : *job.mutable_steps()) {
        if (step.id() == message->step_id()) *step.mutable_progress() = *message;
      }
      *job.mutable_progress() = *std::move(message);
    }
  }
  if (!record.result.empty() && !job.mutable_result()->ParseFromString(record.result)) {
    return base::DataLoss("METADATA_CORRUPT", fmt::format("the stored result of patchJobs/{} is damaged", record.id));
  }
  if (record.error_code != 0)
    *job.mutable_error() = ErrorOf(record.error_code, record.error_reason, record.error_message);
  return job;
}

std::vector<std::string> StepNames(const std::vector<store::StepRecord>& steps) {
  std::vector<std::string> names;
  for (const store::StepRecord& step : steps) names.push_back(step.name);
  return names;
}

int64_t BlobBytes(const std::string& blob_directory, const std::string& digest) {
  std::error_code error;
  const auto bytes = std::filesystem::file_size(blob_directory + "/" + digest + ".safetensors", error);
  return error ? 0 : static_cast<int64_t>(bytes);
}

}  // namespace modelpatch::server
