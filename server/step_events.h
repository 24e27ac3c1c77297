// What workers say in their event logs, as JSON, and what becomes of it for watchers.
//
// The worker writes (data of sched::kProgressEvent, kResultEvent and kLogEvent), the server reads. Pure functions,
// except JobEventConverter, which belongs to one stream.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/sched/event_log.h"
#include "core/store/job_state.h"
#include "core/train/step_runner.h"
#include "modelpatch/v1/patch_job_service.pb.h"
#include "modelpatch/v1/resources.pb.h"

namespace modelpatch::server {

std::string ToEventData(const train::TrainingProgress& progress);
// How far a search is: evaluations.
std::string ToSearchProgressData(int64_t done, int64_t total);
std::string ToEventData(const train::CurvePoint& point);
std::string ToLogData(std::string_view severity, std::string_view message);

// A "progress" event's; nothing if the data are not as above.
std::optional<v1::StepProgress> ToStepProgress(const sched::Event& event, const std::vector<std::string>& step_names);

// Turns the events of one job, in their order, into messages.
class JobEventConverter {
 public:
  // The name of the job's checkpoint that has a blob; "" if there is none, or none any more.
  using CheckpointOfBlob = std::function<std::string(const std::string& blob)>;

  // `model` and `checkpoint_of_blob` give the names in the mixtures of the curve's points.
  JobEventConverter(std::string model, CheckpointOfBlob checkpoint_of_blob, std::vector<std::string> step_names);

  // An event of a type that is not known becomes a log line, so that numbers have no gaps.
  v1::PatchJobEvent Convert(const sched::Event& event);

 private:
  const std::string model_;
  const CheckpointOfBlob checkpoint_of_blob_;
  const std::vector<std::string> step_names_;
  v1::PatchJobState job_state_ = v1::PATCH_JOB_STATE_UNSPECIFIED;
};

// States of jobs and steps under the names that the store and the events use.
v1::PatchJobState ToMessage(store::JobState state);
v1::StepState ToMessage(store::StepState state);

}  // namespace modelpatch::server
