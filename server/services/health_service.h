// HealthService: grpc.health.v1 for the server as a whole (""), its services, and each of its models
// (`models/{model}`).
//
// gRPC's own implementation can forget no name, and a deleted model has no health. Thread-safe; nothing blocks. A watch
// of a slow client skips what is out of date.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "core/base/mutex.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "server/services/stream_call.h"

namespace modelpatch::server {

class HealthService final : public grpc::health::v1::Health::CallbackService {
 public:
  // Open watches; one more is RESOURCE_EXHAUSTED (TOO_MANY_WATCHES).
  explicit HealthService(int64_t maximum_watches) : maximum_watches_(maximum_watches) {}

  // From now on Check says SERVING of `name`, and who watches it is told.
  void SetServing(const std::string& name) MP_EXCLUDES(mutex_);
  // `name` is unknown again.
  void Remove(const std::string& name) MP_EXCLUDES(mutex_);
  // Everything is NOT_SERVING, for good: the server stops.
  void Stop() MP_EXCLUDES(mutex_);

  grpc::ServerUnaryReactor* Check(grpc::CallbackServerContext* context,
                                  const grpc::health::v1::HealthCheckRequest* request,
                                  grpc::health::v1::HealthCheckResponse* response) override;
  grpc::ServerWriteReactor<grpc::health::v1::HealthCheckResponse>* Watch(
      grpc::CallbackServerContext* context, const grpc::health::v1::HealthCheckRequest* request) override;

 private:
  using Response = grpc::health::v1::HealthCheckResponse;
  struct Watcher {
    std::string name;
    // The call lives as long as gRPC needs it.
    std::weak_ptr<StreamCall<Response>> call;
    Response::ServingStatus told = Response::UNKNOWN;
  };

  Response::ServingStatus StatusOf(const std::string& name) const MP_REQUIRES(mutex_);
  // Tells a watcher what it does not know yet, unless its queue is full: then it is told when there is room.
  void Tell(Watcher& watcher) MP_REQUIRES(mutex_);
  void TellAll() MP_REQUIRES(mutex_);
  void Retell(int64_t watcher) MP_EXCLUDES(mutex_);
  void Forget(int64_t watcher) MP_EXCLUDES(mutex_);

  const int64_t maximum_watches_;
  base::Mutex mutex_;
  std::map<std::string, Response::ServingStatus> statuses_ MP_GUARDED_BY(mutex_);
  std::map<int64_t, Watcher> watchers_ MP_GUARDED_BY(mutex_);
  int64_t next_watcher_ MP_GUARDED_BY(mutex_) = 0;
  bool stopped_ MP_GUARDED_BY(mutex_) = false;
};

}  // namespace modelpatch::server
