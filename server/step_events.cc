#include "server/step_events.h"

#include <google/protobuf/util/time_util.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "server/accuracy_conversion.h"
#include "server/resource_names.h"

namespace modelpatch::server {
namespace {

using Json = nlohmann::json;

std::string Dump(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

std::string TextIn(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

// A number that is not finite is written as null.
std::optional<double> NumberIn(const Json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_number()) return std::nullopt;
  return found->get<double>();
}

int64_t IntegerIn(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_number_integer() ? found->get<int64_t>() : 0;
}

std::string StepName(const sched::Event& event, const std::vector<std::string>& step_names) {
  return event.step >= 0 && static_cast<size_t>(event.step) < step_names.size()
             ? step_names[static_cast<size_t>(event.step)]
             : "";
}

data::Split SplitNamed(const std::string& name) {
  return name == "train" ? data::Split::kTrain : name == "test" ? data::Split::kTest : data::Split::kValidation;
}

void SetLog(const std::string& severity, const std::string& message, v1::PatchJobEvent& result) {
  result.mutable_log()->set_severity(severity.empty() ? "info" : severity);
  result.mutable_log()->set_message(message);
}

std::string ErrorMessage(const Json& data) {
  const auto error = data.find("error");
  return error != data.end() && error->is_object() ? TextIn(*error, "message") : "";
}

}  // namespace

std::string ToEventData(const train::TrainingProgress& progress) {
  Json json = {{"step", progress.step},
               {"total_steps", progress.total_steps},
               {"loss", progress.loss},
               {"learning_rate", progress.learning_rate},
               {"gradient_norm", progress.gradient_norm},
               {"images_per_second", progress.images_per_second},
               {"remaining_seconds", progress.remaining_seconds}};
  if (progress.validation_accuracy.has_value()) json["validation_accuracy"] = *progress.validation_accuracy;
  return Dump(json);
}

std::string ToSearchProgressData(int64_t done, int64_t total) { return Dump({{"step", done}, {"total_steps", total}}); }

std::string ToEventData(const train::CurvePoint& point) {
  Json accuracies = Json::array();
  for (const patch::TaskAccuracy& accuracy : point.accuracies) {
    accuracies.push_back({{"task", accuracy.task},
                          {"role", patch::NameOf(accuracy.role)},
                          {"split", data::SplitName(accuracy.split)},
                          {"correct", accuracy.correct},
                          {"total", accuracy.total}});
  }
  Json terms = Json::array();
  for (const patch::MixtureTerm& term : point.terms) {
    terms.push_back({{"blob", term.blob}, {"coefficient", term.coefficient}});
  }
  return Dump({{"alpha", point.alpha}, {"terms", std::move(terms)}, {"accuracies", std::move(accuracies)}});
}

std::string ToLogData(std::string_view severity, std::string_view message) {
  return Dump({{"severity", severity}, {"message", message}});
}

std::optional<v1::StepProgress> ToStepProgress(const sched::Event& event, const std::vector<std::string>& step_names) {
  const Json data = Json::parse(event.data, nullptr, false);
  if (!data.is_object() || event.type != sched::kProgressEvent) return std::nullopt;
  v1::StepProgress progress;
  progress.set_step_id(StepName(event, step_names));
  progress.set_step(static_cast<int32_t>(IntegerIn(data, "step")));
  progress.set_total_steps(static_cast<int32_t>(IntegerIn(data, "total_steps")));
  if (const auto value = NumberIn(data, "loss")) progress.set_loss(*value);
  if (const auto value = NumberIn(data, "learning_rate")) progress.set_learning_rate(*value);
  if (const auto value = NumberIn(data, "gradient_norm")) progress.set_gradient_norm(*value);
  if (const auto value = NumberIn(data, "images_per_second")) progress.set_images_per_second(*value);
  if (const auto value = NumberIn(data, "remaining_seconds")) progress.set_remaining_seconds(*value);
  if (const auto value = NumberIn(data, "validation_accuracy")) progress.set_validation_accuracy(*value);
  return progress;
}

JobEventConverter::JobEventConverter(std::string model, CheckpointOfBlob checkpoint_of_blob,
                                     std::vector<std::string> step_names)
    : model_(std::move(model)),
      checkpoint_of_blob_(std::move(checkpoint_of_blob)),
      step_names_(std::move(step_names)) {}

v1::PatchJobEvent JobEventConverter::Convert(const sched::Event& event) {
  v1::PatchJobEvent result;
  result.set_number(event.number);
  (void)google::protobuf::util::TimeUtil::FromString(event.time, result.mutable_time());
  const Json data = Json::parse(event.data, nullptr, false);
  if (!data.is_object()) {
    SetLog("info", event.type, result);
    return result;
  }
  if (event.type == sched::kProgressEvent) {
    if (auto progress = ToStepProgress(event, step_names_)) *result.mutable_progress() = *std::move(progress);
  } else if (event.type == sched::kResultEvent && data.contains("alpha")) {
    v1::SweepPoint& point = *result.mutable_point();
    point.set_alpha(NumberIn(data, "alpha").value_or(0));
    point.mutable_mixture()->set_model(model_);
    const auto terms = data.find("terms");
    if (terms != data.end() && terms->is_array()) {
      for (const Json& one : *terms) {
        if (!one.is_object()) continue;
        auto* term = point.mutable_mixture()->add_terms();
        term->set_checkpoint(checkpoint_of_blob_(TextIn(one, "blob")));
        term->set_coefficient(NumberIn(one, "coefficient").value_or(0));
      }
    }
    const auto accuracies = data.find("accuracies");
    if (accuracies != data.end() && accuracies->is_array()) {
      for (const Json& one : *accuracies) {
        if (!one.is_object()) continue;
        *point.add_accuracies() = ToMessage(patch::TaskAccuracy{
            TextIn(one, "task"),
            TextIn(one, "role") == "patching" ? patch::TaskRole::kPatching : patch::TaskRole::kSupported,
            SplitNamed(TextIn(one, "split")), IntegerIn(one, "correct"), IntegerIn(one, "total")});
      }
    }
  } else if (event.type == sched::kJobStateEvent) {
    if (const auto state = store::ParseJobState(TextIn(data, "state")); state.ok()) job_state_ = ToMessage(*state);
    result.mutable_state_change()->set_state(job_state_);
    result.mutable_state_change()->set_message(ErrorMessage(data));
  } else if (event.type == sched::kStepStateEvent) {
    v1::PatchJobStateChange& change = *result.mutable_state_change();
    change.set_state(job_state_);
    change.set_step_id(StepName(event, step_names_));
    if (change.step_id().empty()) change.set_step_id(TextIn(data, "name"));
    if (const auto state = store::ParseStepState(TextIn(data, "state")); state.ok())
      change.set_step_state(ToMessage(*state));
    change.set_message(ErrorMessage(data));
  } else if (event.type == sched::kLogEvent) {
    SetLog(TextIn(data, "severity"), TextIn(data, "message"), result);
  } else {
    SetLog("info", event.type, result);
  }
  return result;
}

v1::PatchJobState ToMessage(store::JobState state) {
  switch (state) {
    case store::JobState::kQueued:
      return v1::PATCH_JOB_STATE_QUEUED;
    case store::JobState::kRunning:
      return v1::PATCH_JOB_STATE_RUNNING;
    case store::JobState::kSucceeded:
      return v1::PATCH_JOB_STATE_SUCCEEDED;
    case store::JobState::kFailed:
      return v1::PATCH_JOB_STATE_FAILED;
    case store::JobState::kCancelling:
      return v1::PATCH_JOB_STATE_CANCELLING;
    case store::JobState::kCancelled:
      return v1::PATCH_JOB_STATE_CANCELLED;
    case store::JobState::kPausing:
      return v1::PATCH_JOB_STATE_PAUSING;
    case store::JobState::kPaused:
      return v1::PATCH_JOB_STATE_PAUSED;
  }
  return v1::PATCH_JOB_STATE_UNSPECIFIED;
}

v1::StepState ToMessage(store::StepState state) {
  switch (state) {
    case store::StepState::kWaiting:
    case store::StepState::kQueued:
      return v1::STEP_STATE_PENDING;
    case store::StepState::kRunning:
      return v1::STEP_STATE_RUNNING;
    case store::StepState::kSucceeded:
      return v1::STEP_STATE_SUCCEEDED;
    case store::StepState::kFailed:
      return v1::STEP_STATE_FAILED;
    case store::StepState::kCancelled:
      return v1::STEP_STATE_CANCELLED;
  }
  return v1::STEP_STATE_UNSPECIFIED;
}

}  // namespace modelpatch::server
