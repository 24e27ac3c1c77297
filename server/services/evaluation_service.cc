#include "server/services/evaluation_service.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/patch/sweep.h"
#include "core/tensor/guard.h"
#include "server/accuracy_conversion.h"
#include "server/record_messages.h"
#include "server/resource_names.h"
#include "server/task_conversion.h"

namespace modelpatch::server {
namespace {

using SweepTask = serve::SweepTask;
using Names = google::protobuf::RepeatedPtrField<std::string>;

constexpr size_t kMaximumTasks = 100;

absl::StatusOr<SweepTask> FindTask(const ServiceContext& context, const std::string& name, patch::TaskRole role,
                                   data::Split split) {
  MP_ASSIGN_OR_RETURN(const std::string id, ParseResourceName(kTasks, name));
  MP_ASSIGN_OR_RETURN(const store::TaskRecord record, context.metadata.GetTask(id));
  MP_ASSIGN_OR_RETURN(const v1::Task message, ToMessage(record));
  const int32_t size = split == data::Split::kTrain        ? message.train_examples()
                       : split == data::Split::kValidation ? message.validation_examples()
                                                           : message.test_examples();
  if (size == 0) {
    return base::FailedPrecondition("EMPTY_SPLIT", fmt::format("{} has no {} examples", name, data::SplitName(split)));
  }
  MP_ASSIGN_OR_RETURN(data::TaskSource source, TaskSourceOf(record, context.tasks.path()));
  return SweepTask{id, std::move(source), role, split};
}

absl::Status AddTasks(const ServiceContext& context, const Names& names, const char* field, patch::TaskRole role,
                      data::Split split, std::vector<SweepTask>& tasks) {
  for (int i = 0; i < names.size(); ++i) {
    const std::string path = fmt::format("{}[{}]", field, i);
    if (tasks.size() >= kMaximumTasks) {
      return base::WithField(
          base::InvalidArgument("TOO_MANY_TASKS", fmt::format("at most {} tasks are evaluated at once", kMaximumTasks)),
          path);
    }
    auto task = FindTask(context, names[i], role, split);
    if (!task.ok()) return base::WithField(task.status(), path);
    const bool twice =
        std::any_of(tasks.begin(), tasks.end(), [&](const SweepTask& other) { return other.name == task->name; });
    if (twice)
      return base::WithField(base::InvalidArgument("DUPLICATE_TASK", fmt::format("{} is given twice", names[i])), path);
    tasks.push_back(*std::move(task));
  }
  return absl::OkStatus();
}

absl::Status NoTasks(const char* field) {
  return base::WithField(base::InvalidArgument("NO_TASKS", "no task is given; name at least one (tasks/ID)"), field);
}

absl::StatusOr<std::vector<double>> AlphasOf(const v1::SweepRequest& request) {
  if (request.alphas().empty()) return DefaultAlphas();
  std::vector<double> alphas(request.alphas().begin(), request.alphas().end());
  MP_RETURN_IF_ERROR(patch::CheckAlphas(alphas, /*allow_extrapolation=*/false));
  for (size_t i = 0; i < alphas.size(); ++i) {
    if (std::find(alphas.begin(), alphas.begin() + static_cast<std::ptrdiff_t>(i), alphas[i]) ==
        alphas.begin() + static_cast<std::ptrdiff_t>(i)) {
      continue;
    }
    return base::WithField(base::InvalidArgument("DUPLICATE_ALPHA", fmt::format("α = {} is given twice", alphas[i])),
                           fmt::format("alphas[{}]", i));
  }
  return alphas;
}

v1::SweepSummary Summarize(const std::vector<patch::SweepPoint>& points, data::Split split, double seconds) {
  v1::SweepSummary summary;
  summary.set_split(ToMessage(split));
  summary.set_point_count(static_cast<int32_t>(points.size()));
  summary.set_seconds(seconds);
  std::vector<patch::AlphaAccuracies> curve;
  for (const patch::SweepPoint& point : points) curve.push_back({point.alpha, point.accuracies});
  const auto best = patch::ChooseAlpha(curve, patch::AlphaPolicy::kMean, /*epsilon_points=*/0);
  if (!best.ok()) return summary;
  summary.set_best_mean_alpha(curve[*best].alpha);
  summary.set_best_mean_accuracy(patch::MeanAccuracy(curve[*best].accuracies));
  v1::PatchMetrics metrics = TradeOffOf(std::move(curve));
  if (metrics.has_distance_to_optimal()) *summary.mutable_metrics() = std::move(metrics);
  return summary;
}

double SecondsSince(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

absl::StatusOr<std::shared_ptr<void>> EvaluationService::TakePlace() {
  if (places_taken_.fetch_add(1) >= context_.options.maximum_evaluations) {
    places_taken_.fetch_sub(1);
    return base::ResourceExhausted("QUEUE_FULL", fmt::format("{} evaluations run or wait already; try again later",
                                                             context_.options.maximum_evaluations));
  }
  return std::shared_ptr<void>(nullptr, [this](void*) { places_taken_.fetch_sub(1); });
}

grpc::ServerUnaryReactor* EvaluationService::Evaluate(grpc::CallbackServerContext* context,
                                                      const v1::EvaluateRequest* request,
                                                      v1::EvaluateResponse* response) {
  const auto place = TakePlace();
  if (!place.ok()) {
    auto* call = new UnaryCall(*context);
    call->Answer(place.status());
    return call;
  }
  return RunOn(context_.background, *context, [=, this, held = *place](const UnaryCall& call) {
    return RunEvaluate(*request, call.cancellation(), response);
  });
}

grpc::ServerWriteReactor<v1::SweepResponse>* EvaluationService::Sweep(grpc::CallbackServerContext* context,
                                                                      const v1::SweepRequest* request) {
  // Room for every point and the summary, of which there are at most 1,002: a sweep never waits for its client.
  const auto stream = SweepStream::Create(2000);
  const auto place = TakePlace();
  if (!place.ok()) {
    stream->End(place.status());
    return stream.get();
  }
  const base::SteadyTime deadline = SteadyDeadline(*context);
  context_.background.Schedule([=, this, request = *request, held = *place] {
    absl::Status status = stream->cancellation().Check();
    if (status.ok() && std::chrono::steady_clock::now() >= deadline) {
      status = base::DeadlineExceeded("the deadline passed before the sweep began");
    }
    if (status.ok()) status = tensor::Guarded([&] { return RunSweep(request, *stream); });
    stream->End(status);
  });
  return stream.get();
}

absl::Status EvaluationService::RunEvaluate(const v1::EvaluateRequest& request,
                                            const base::CancellationToken& cancellation,
                                            v1::EvaluateResponse* response) {
  const auto start = std::chrono::steady_clock::now();
  MP_ASSIGN_OR_RETURN(const data::Split split, ToSplit(request.split(), data::Split::kTest));
  if (request.tasks().empty()) return NoTasks("tasks");
  MP_ASSIGN_OR_RETURN(const Resolution resolution, context_.resolver.ResolveRequest(request));
  std::vector<SweepTask> tasks;
  MP_RETURN_IF_ERROR(AddTasks(context_, request.tasks(), "tasks", patch::TaskRole::kSupported, split, tasks));
  MP_ASSIGN_OR_RETURN(const std::vector<patch::SweepPoint> points,
                      context_.engine.Sweep(resolution.mixture, resolution.mixture, {0.0}, tasks, cancellation,
                                            [](const patch::SweepPoint&) { return absl::OkStatus(); }));
  for (const patch::TaskAccuracy& accuracy : points.front().accuracies) {
    auto* message = response->add_accuracies();
    *message = ToMessage(accuracy);
    message->set_role(v1::TASK_ROLE_UNSPECIFIED);
  }
  *response->mutable_mixture() = resolution.message;
  *response->mutable_weights() = resolution.weights;
  response->set_seconds(SecondsSince(start));
  return absl::OkStatus();
}

absl::Status EvaluationService::RunSweep(const v1::SweepRequest& request, SweepStream& stream) {
  const auto begin = std::chrono::steady_clock::now();
  MP_ASSIGN_OR_RETURN(const data::Split split, ToSplit(request.split(), data::Split::kValidation));
  MP_ASSIGN_OR_RETURN(const std::vector<double> alphas, AlphasOf(request));
  MP_ASSIGN_OR_RETURN(const Resolution end,
                      context_.resolver.ResolveEither(request.has_end() ? &request.end() : nullptr, request.end_patch(),
                                                      std::nullopt, {"end", "end_patch"}));
  v1::Mixture start_message = request.start();
  if (start_message.model().empty() && start_message.terms().empty()) start_message.set_model(end.message.model());
  const bool start_is_mixture = request.has_start() || request.start_patch().empty();
  MP_ASSIGN_OR_RETURN(const Resolution start,
                      context_.resolver.ResolveEither(start_is_mixture ? &start_message : nullptr,
                                                      request.start_patch(), std::nullopt, {"start", "start_patch"}));
  if (start.model.digest != end.model.digest) {
    return base::WithField(
        base::InvalidArgument("MIXTURES_OF_TWO_MODELS",
                              fmt::format("start is of {} and end of {}; sweep between mixtures of one model",
                                          start.message.model(), end.message.model())),
        request.start_patch().empty() ? "start.model" : "start_patch");
  }
  if (request.patching_tasks().empty() && request.supported_tasks().empty()) return NoTasks("patching_tasks");
  std::vector<SweepTask> tasks;
  MP_RETURN_IF_ERROR(
      AddTasks(context_, request.patching_tasks(), "patching_tasks", patch::TaskRole::kPatching, split, tasks));
  MP_RETURN_IF_ERROR(
      AddTasks(context_, request.supported_tasks(), "supported_tasks", patch::TaskRole::kSupported, split, tasks));
  const auto send = [&](const patch::SweepPoint& point) {
    v1::SweepResponse response;
    auto* message = response.mutable_point();
    message->set_alpha(point.alpha);
    *message->mutable_mixture() = MixtureBetween(start.message, end.message, point.alpha);
    for (const patch::TaskAccuracy& accuracy : point.accuracies) *message->add_accuracies() = ToMessage(accuracy);
    stream.TryWrite(std::move(response));
    return absl::OkStatus();
  };
  MP_ASSIGN_OR_RETURN(const std::vector<patch::SweepPoint> points,
                      context_.engine.Sweep(start.mixture, end.mixture, alphas, tasks, stream.cancellation(), send));
  v1::SweepResponse last;
  *last.mutable_summary() = Summarize(points, split, SecondsSince(begin));
  stream.TryWrite(std::move(last));
  return absl::OkStatus();
}

}  // namespace modelpatch::server
