#include "server/services/health_service.h"

#include <fmt/format.h>

#include "core/base/status.h"
#include "core/base/text.h"
#include "server/status_conversion.h"

namespace modelpatch::server {
namespace {

// What waits for one slow client: statuses are told as they are, not as they were.
constexpr size_t kQueuedStatuses = 4;

}  // namespace

void HealthService::SetServing(const std::string& name) {
  base::MutexLock lock(mutex_);
  if (stopped_) return;
  statuses_[name] = Response::SERVING;
  TellAll();
}

void HealthService::Remove(const std::string& name) {
  base::MutexLock lock(mutex_);
  statuses_.erase(name);
  TellAll();
}

void HealthService::Stop() {
  base::MutexLock lock(mutex_);
  stopped_ = true;
  for (auto& [name, status] : statuses_) status = Response::NOT_SERVING;
  TellAll();
}

grpc::ServerUnaryReactor* HealthService::Check(grpc::CallbackServerContext* context,
                                               const grpc::health::v1::HealthCheckRequest* request,
                                               grpc::health::v1::HealthCheckResponse* response) {
  auto* reactor = context->DefaultReactor();
  base::MutexLock lock(mutex_);
  response->set_status(StatusOf(request->service()));
  if (response->status() == Response::SERVICE_UNKNOWN) {
    reactor->Finish(ToGrpcStatus(base::WithField(
        base::NotFound("SERVICE_NOT_FOUND",
                       fmt::format("there is no service '{}'; ask for '' (the server), models/ID of an imported model, "
                                   "or a service such as modelpatch.v1.InferenceService",
                                   base::Printable(request->service()))),
        "service")));
  } else {
    reactor->Finish(grpc::Status::OK);
  }
  return reactor;
}

grpc::ServerWriteReactor<grpc::health::v1::HealthCheckResponse>* HealthService::Watch(
    grpc::CallbackServerContext*, const grpc::health::v1::HealthCheckRequest* request) {
  const auto call = StreamCall<Response>::Create(kQueuedStatuses);
  base::MutexLock lock(mutex_);
  // A connection that broke may end a call without a word.
  std::erase_if(watchers_, [](const auto& entry) { return entry.second.call.expired(); });
  if (static_cast<int64_t>(watchers_.size()) >= maximum_watches_) {
    call->End(base::ResourceExhausted(
        "TOO_MANY_WATCHES", fmt::format("there are {} open watches of health, the most there may be; use Check, or end "
                                        "watches that are not needed",
                                        watchers_.size())));
    return call.get();
  }
  const int64_t id = next_watcher_++;
  call->SetHooks({[this, id] { Retell(id); }, [this, id] { Forget(id); }});
  Tell(watchers_.emplace(id, Watcher{request->service(), call}).first->second);
  return call.get();
}

HealthService::Response::ServingStatus HealthService::StatusOf(const std::string& name) const {
  const auto found = statuses_.find(name);
  return found == statuses_.end() ? Response::SERVICE_UNKNOWN : found->second;
}

void HealthService::Tell(Watcher& watcher) {
  const Response::ServingStatus status = StatusOf(watcher.name);
  const auto call = watcher.call.lock();
  if (call == nullptr || watcher.told == status) return;
  Response response;
  response.set_status(status);
  if (call->TryWrite(std::move(response))) watcher.told = status;
}

void HealthService::TellAll() {
  for (auto& [id, watcher] : watchers_) Tell(watcher);
}

void HealthService::Retell(int64_t watcher) {
  base::MutexLock lock(mutex_);
  const auto found = watchers_.find(watcher);
  if (found != watchers_.end()) Tell(found->second);
}

void HealthService::Forget(int64_t watcher) {
  base::MutexLock lock(mutex_);
  watchers_.erase(watcher);
}

}  // namespace modelpatch::server
