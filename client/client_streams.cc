// The calls of Client whose answers come as a stream.
#include <grpcpp/grpcpp.h>

#include "client/client_stubs.h"
#include "client/unary_call.h"

namespace modelpatch::client {
namespace {

bool HasEnded(v1::PatchJobState state) {
  return state == v1::PATCH_JOB_STATE_SUCCEEDED || state == v1::PATCH_JOB_STATE_FAILED ||
         state == v1::PATCH_JOB_STATE_CANCELLED;
}

}  // namespace

absl::Status Client::WatchPatchJob(const std::string& name, int64_t after_event_number,
                                   const std::function<bool(const v1::PatchJobEvent&)>& on_event) {
  v1::WatchPatchJobRequest request;
  request.set_name(name);
  request.set_after_event_number(after_event_number);
  for (int failures = 0;;) {
    grpc::ClientContext context;
    const auto reader = stubs_->jobs->WatchPatchJob(&context, request);
    v1::PatchJobEvent event;
    bool ended = false;
    while (reader->Read(&event)) {
      if (event.number() <= request.after_event_number()) continue;
      request.set_after_event_number(event.number());
      failures = 0;
      ended = ended || (event.has_state_change() && HasEnded(event.state_change().state()));
      if (!on_event(event)) {
        context.TryCancel();
        while (reader->Read(&event)) {
        }
        static_cast<void>(reader->Finish());
        return absl::OkStatus();
      }
    }
    const absl::Status status = FromGrpcStatus(reader->Finish());
    // Whatever became of the stream after the last event, there is no other one to wait for.
    if (status.ok() || ended) return absl::OkStatus();
    if (!absl::IsUnavailable(status) || ++failures >= options_.watch_maximum_attempts) return status;
    Wait(options_.retry, BackoffAfter(options_.retry, failures));
  }
}

absl::StatusOr<v1::SweepSummary> Client::Sweep(const v1::SweepRequest& request,
                                               const std::function<void(const v1::SweepPoint&)>& on_point) {
  for (int attempt = 1;; ++attempt) {
    grpc::ClientContext context;
    SetDeadline(context, options_.long_deadline);
    const auto reader = stubs_->evaluation->Sweep(&context, request);
    v1::SweepResponse response;
    v1::SweepSummary summary;
    bool any = false;
    bool complete = false;
    while (reader->Read(&response)) {
      any = true;
      if (response.has_point()) on_point(response.point());
      if (response.has_summary()) {
        summary = response.summary();
        complete = true;
      }
    }
    const absl::Status status = FromGrpcStatus(reader->Finish());
    if (status.ok() && complete) return summary;
    if (status.ok()) return absl::DataLossError("the server ended the sweep without a summary; its version may differ");
    if (any || !absl::IsUnavailable(status) || attempt >= options_.retry.maximum_attempts) return status;
    Wait(options_.retry, BackoffAfter(options_.retry, attempt));
  }
}

}  // namespace modelpatch::client
