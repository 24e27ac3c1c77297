#include "server/services/patch_job_service.h"

#include <fmt/format.h>

#include <functional>
#include <map>
#include <utility>
#include <vector>

#include "core/tensor/guard.h"
#include "server/job_checkpoints.h"
#include "server/job_messages.h"
#include "server/resource_names.h"
#include "server/services/job_end_collection.h"
#include "server/step_events.h"

namespace modelpatch::server {
namespace {

// Events that wait for a slow watcher in memory; the rest stay in the job's log.
constexpr size_t kQueuedEvents = 64;

// Passes a job's events on to a stream; holds the watcher's place while it lives.
class StreamWatcher final : public sched::JobWatcher {
 public:
  // Follows the log from its beginning, as the converter learns the job's state from every event, and passes on what
  // comes after the event of number `after`.
  StreamWatcher(std::shared_ptr<StreamCall<v1::PatchJobEvent>> stream, JobEventConverter converter, int64_t after,
                std::shared_ptr<void> place)
      : stream_(std::move(stream)), converter_(std::move(converter)), after_(after), place_(std::move(place)) {}

  bool OnEvent(const sched::Event& event) override {
    // The same event is offered again after a refusal: it is converted once.
    if (!pending_.has_value() || pending_->number() != event.number) pending_ = converter_.Convert(event);
    if (event.number <= after_) return true;
    if (!stream_->TryWrite(*pending_)) return false;
    pending_.reset();
    return true;
  }

  void OnEnd(const absl::Status& status) override { stream_->End(status); }

 private:
  const std::shared_ptr<StreamCall<v1::PatchJobEvent>> stream_;
  JobEventConverter converter_;
  const int64_t after_;
  const std::shared_ptr<void> place_;
  std::optional<v1::PatchJobEvent> pending_;
};

// Finds the checkpoints of a job by their blobs. The steps that make them may end while the job is watched, so they are
// read again for a blob that is not known yet.
JobEventConverter::CheckpointOfBlob CheckpointNamesOf(store::MetadataStore& metadata, const std::string& job_id,
                                                      const v1::PatchJobSpec& spec) {
  auto known = std::make_shared<std::map<std::string, std::string>>();
  return [&metadata, job_id, spec, known](const std::string& blob) -> std::string {
    if (const auto found = known->find(blob); found != known->end()) return found->second;
    const auto steps = metadata.ListSteps(job_id);
    if (!steps.ok()) return "";
    const auto names = CheckpointNamesByBlob(spec, *steps);
    if (names.ok()) *known = *names;
    const auto found = known->find(blob);
    return found == known->end() ? "" : found->second;
  };
}

absl::StatusOr<std::string> JobId(const std::string& name) {
  auto id = ParseResourceName(kPatchJobs, name);
  if (!id.ok()) return base::WithField(id.status(), "name");
  return id;
}

}  // namespace

PatchJobService::PatchJobService(const ServiceContext& context, JobPlanner planner)
    : context_(context), planner_(std::move(planner)) {
  CollectBlobsAfterUnfinishedJobs(context_);
}

absl::StatusOr<v1::PatchJob> PatchJobService::Describe(const store::JobRecord& record) {
  MP_ASSIGN_OR_RETURN(const std::vector<store::StepRecord> steps, context_.metadata.ListSteps(record.id));
  return ToMessage(record, steps, context_.scheduler.LatestProgress(record.id));
}

grpc::ServerUnaryReactor* PatchJobService::CreatePatchJob(grpc::CallbackServerContext* context,
                                                          const v1::CreatePatchJobRequest* request,
                                                          v1::PatchJob* response) {
  return RunOn(context_.quick, *context, [=, this](const UnaryCall&) { return Create(*request, response); });
}

grpc::ServerUnaryReactor* PatchJobService::GetPatchJob(grpc::CallbackServerContext* context,
                                                       const v1::GetPatchJobRequest* request, v1::PatchJob* response) {
  return RunOn(context_.quick, *context, [=, this](const UnaryCall&) -> absl::Status {
    MP_ASSIGN_OR_RETURN(const std::string id, JobId(request->name()));
    MP_ASSIGN_OR_RETURN(const store::JobRecord record, context_.metadata.GetJob(id));
    MP_ASSIGN_OR_RETURN(*response, Describe(record));
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* PatchJobService::ListPatchJobs(grpc::CallbackServerContext* context,
                                                         const v1::ListPatchJobsRequest* request,
                                                         v1::ListPatchJobsResponse* response) {
  return RunOn(context_.quick, *context, [=, this](const UnaryCall&) -> absl::Status {
    MP_ASSIGN_OR_RETURN(const auto page, context_.metadata.ListJobs({request->page_size(), request->page_token()}));
    for (const store::JobRecord& record : page.records) {
      MP_ASSIGN_OR_RETURN(*response->add_patch_jobs(), Describe(record));
    }
    response->set_next_page_token(page.next_page_token);
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* PatchJobService::CancelPatchJob(grpc::CallbackServerContext* context,
                                                          const v1::CancelPatchJobRequest* request,
                                                          v1::PatchJob* response) {
  return RunOn(context_.quick, *context, [=, this](const UnaryCall&) -> absl::Status {
    MP_ASSIGN_OR_RETURN(const std::string id, JobId(request->name()));
    MP_ASSIGN_OR_RETURN(store::JobRecord record, context_.metadata.GetJob(id));
    if (record.state != store::JobState::kCancelled) {
      MP_ASSIGN_OR_RETURN(record, context_.scheduler.Cancel(id));
      context_.log.Info("patch job cancelled", {{"job", id}, {"state", store::ToString(record.state)}});
    }
    MP_ASSIGN_OR_RETURN(*response, Describe(record));
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* PatchJobService::DeletePatchJob(grpc::CallbackServerContext* context,
                                                          const v1::DeletePatchJobRequest* request,
                                                          google::protobuf::Empty*) {
  return RunOn(context_.quick, *context, [=, this](const UnaryCall&) -> absl::Status {
    MP_ASSIGN_OR_RETURN(const std::string id, JobId(request->name()));
    MP_RETURN_IF_ERROR(context_.scheduler.Delete(id));
    context_.log.Info("patch job deleted", {{"job", id}});
    return absl::OkStatus();
  });
}

absl::Status PatchJobService::Create(const v1::CreatePatchJobRequest& request, v1::PatchJob* response) {
  MP_RETURN_IF_ERROR(CheckRequestId(request.request_id()));
  // First of all: a repeated request has its job, also if the job's task has been deleted since or too many jobs wait.
  MP_ASSIGN_OR_RETURN(const auto earlier,
                      context_.metadata.FindJobOfRequest(request.request_id(), RequestDigestOf(request)));
  if (earlier.has_value()) {
    MP_ASSIGN_OR_RETURN(*response, Describe(*earlier));
    return absl::OkStatus();
  }
  MP_ASSIGN_OR_RETURN(const PlannedJob planned, planner_.Plan(request, context_.clock.Now()));
  MP_ASSIGN_OR_RETURN(const std::vector<store::JobRecord> unfinished, context_.metadata.ListUnfinishedJobs());
  if (static_cast<int64_t>(unfinished.size()) >= context_.options.maximum_unfinished_jobs) {
    return base::ResourceExhausted(
        "TOO_MANY_UNFINISHED_JOBS",
        fmt::format("{} jobs wait or run already; try again when some have ended", unfinished.size()));
  }
  const absl::StatusOr<store::JobRecord> record = context_.scheduler.Submit(planned.job, planned.steps);
  if (record.status().code() == absl::StatusCode::kAlreadyExists && base::FieldOf(record.status()).empty()) {
    return base::WithField(record.status(), "patch_job_id");
  }
  MP_RETURN_IF_ERROR(record.status());
  CollectBlobsAfter(context_, record->id);
  context_.log.Info("patch job submitted", {{"job", record->id}, {"request_id", record->request_id}});
  MP_ASSIGN_OR_RETURN(*response, Describe(*record));
  return absl::OkStatus();
}

grpc::ServerWriteReactor<v1::PatchJobEvent>* PatchJobService::WatchPatchJob(grpc::CallbackServerContext*,
                                                                            const v1::WatchPatchJobRequest* request) {
  const auto stream = EventStream::Create(kQueuedEvents);
  context_.quick.Schedule([=, this, request = *request] {
    const absl::Status status = tensor::Guarded([&] { return StartWatch(request, stream); });
    if (!status.ok()) stream->End(status);
  });
  return stream.get();
}

absl::Status PatchJobService::StartWatch(const v1::WatchPatchJobRequest& request,
                                         const std::shared_ptr<EventStream>& stream) {
  MP_ASSIGN_OR_RETURN(const std::string id, JobId(request.name()));
  if (request.after_event_number() < 0) {
    return base::WithField(
        base::InvalidArgument("BAD_EVENT_NUMBER", fmt::format("after_event_number is {}; use 0 for all events",
                                                              request.after_event_number())),
        "after_event_number");
  }
  MP_ASSIGN_OR_RETURN(const store::JobRecord record, context_.metadata.GetJob(id));
  MP_ASSIGN_OR_RETURN(const v1::PatchJob stored, StoredJob(record));
  MP_ASSIGN_OR_RETURN(const std::vector<store::StepRecord> steps, context_.metadata.ListSteps(id));
  if (watches_.fetch_add(1) >= context_.options.maximum_watches) {
    watches_.fetch_sub(1);
    return base::ResourceExhausted("QUEUE_FULL",
                                   fmt::format("{} watches are open already", context_.options.maximum_watches));
  }
  std::shared_ptr<void> place(nullptr, [this](void*) { watches_.fetch_sub(1); });
  JobEventConverter converter(stored.spec().model(), CheckpointNamesOf(context_.metadata, id, stored.spec()),
                              StepNames(steps));
  auto watcher =
      std::make_shared<StreamWatcher>(stream, std::move(converter), request.after_event_number(), std::move(place));
  MP_ASSIGN_OR_RETURN(const int64_t watch, context_.scheduler.Subscribe(id, /*from_number=*/1, std::move(watcher)));
  stream->SetHooks({.on_room = [this] { context_.scheduler.Wake(); },
                    .on_cancel = [this, watch] { context_.scheduler.Unsubscribe(watch); }});
  // The client may have gone before there was anything to unsubscribe.
  if (stream->cancellation().cancelled()) context_.scheduler.Unsubscribe(watch);
  return absl::OkStatus();
}

}  // namespace modelpatch::server
