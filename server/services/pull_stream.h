// PullStream: one server stream whose messages are made one after the other, each when the one before has been written.
//
// So a client that reads slowly, or not at all, costs one message and no thread. What makes them runs on an executor.
// Thread-safe; lives until gRPC is done with the call and the last shared_ptr has gone.
#pragma once

#include <grpcpp/support/server_callback.h>

#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "core/base/cancellation.h"
#include "core/base/executor.h"
#include "core/base/mutex.h"
#include "core/base/status.h"
#include "core/tensor/guard.h"
#include "server/services/open_streams.h"
#include "server/status_conversion.h"

namespace modelpatch::server {

template <typename Message>
class PullStream final : public grpc::ServerWriteReactor<Message>,
                         public std::enable_shared_from_this<PullStream<Message>> {
 public:
  // The next message, or nothing at the end. It is called by one thread at a time, and goes, with all that it holds, on
  // the executor.
  using Source = std::function<absl::StatusOr<std::optional<Message>>()>;
  // Makes the source. May take long.
  using Opener = std::function<absl::StatusOr<Source>(const base::CancellationToken& cancellation)>;

  // The reactor of a new call, which owns itself. `open` runs on `opening`, what it makes on `pulling`.
  static grpc::ServerWriteReactor<Message>* Start(OpenStreams& streams, base::Executor& opening,
                                                  base::Executor& pulling, Opener open) {
    std::shared_ptr<PullStream> call(new PullStream(pulling));
    call->self_ = call;
    auto place = streams.Enter([weak = std::weak_ptr<PullStream>(call)] {
      if (const auto alive = weak.lock(); alive != nullptr) alive->EndEarly(OpenStreams::Stopping());
    });
    if (!place.ok()) {
      call->Conclude(place.status());
      return call.get();
    }
    call->place_ = *std::move(place);
    opening.Schedule([call, open = std::move(open)] { call->Open(open); });
    return call.get();
  }

 private:
  explicit PullStream(base::Executor& pulling) : pulling_(pulling) {}

  void Open(const Opener& open) {
    auto source = tensor::Guarded([&]() -> absl::StatusOr<Source> {
      MP_RETURN_IF_ERROR(cancellation_.token().Check());
      return open(cancellation_.token());
    });
    if (!source.ok()) return Conclude(source.status());
    source_ = *std::move(source);
    Pull();
  }

  void Pull() {
    absl::StatusOr<std::optional<Message>> next = std::optional<Message>();
    absl::Status end = EarlyEnd();
    if (end.ok()) {
      next = tensor::Guarded([&] { return source_(); });
      end = next.status();
    }
    if (!end.ok() || !next->has_value()) return Conclude(end);
    message_ = **std::move(next);
    this->StartWrite(&message_);
  }

  void OnWriteDone(bool ok) override {
    base::MutexLock lock(mutex_);
    if (!ok && early_end_.ok()) early_end_ = base::Cancelled("the client has gone");
    pulling_.Schedule([self = this->shared_from_this()] { self->Pull(); });
  }

  void OnCancel() override {
    cancellation_.Cancel();
    EndEarly(base::Cancelled("the client has gone"));
  }

  void OnDone() override {
    place_.reset();
    // May be the last owner.
    const std::shared_ptr<PullStream> self = std::move(self_);
  }

  // Ends the call before the next message.
  void EndEarly(const absl::Status& status) {
    base::MutexLock lock(mutex_);
    if (early_end_.ok()) early_end_ = status;
  }

  absl::Status EarlyEnd() {
    base::MutexLock lock(mutex_);
    return early_end_;
  }

  // Lets go of what the source holds, and only then says so.
  void Conclude(const absl::Status& status) {
    source_ = nullptr;
    this->Finish(ToGrpcStatus(status));
  }

  base::Executor& pulling_;
  // Keeps the call alive until gRPC is done with it.
  std::shared_ptr<PullStream> self_;
  std::shared_ptr<void> place_;
  base::CancellationSource cancellation_;
  // Of whoever opens or pulls.
  Source source_;
  // gRPC's while a write is under way.
  Message message_;

  base::Mutex mutex_;
  absl::Status early_end_ MP_GUARDED_BY(mutex_);
};

}  // namespace modelpatch::server
