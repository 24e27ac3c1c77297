// StreamCall: one server stream, fed by any thread, at the pace of its client.
//
// Messages wait in a queue of a fixed capacity. Whoever feeds it asks TryWrite and is told when there is room again, so
// a slow client costs a bounded amount of memory and no thread. Thread-safe; lives until gRPC is done with the call and
// the last shared_ptr has gone.
#pragma once

#include <grpcpp/support/server_callback.h>

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "core/base/cancellation.h"
#include "core/base/mutex.h"
#include "core/base/status.h"
#include "server/status_conversion.h"

namespace modelpatch::server {

template <typename Message>
class StreamCall final : public grpc::ServerWriteReactor<Message> {
 public:
  struct Hooks {
    // The queue has become empty.
    std::function<void()> on_room = [] {};
    // The client has gone.
    std::function<void()> on_cancel = [] {};
  };

  static std::shared_ptr<StreamCall> Create(size_t capacity) {
    std::shared_ptr<StreamCall> call(new StreamCall(capacity));
    call->self_ = call;
    return call;
  }

  ~StreamCall() override = default;

  // Call it before the first message, at most once.
  void SetHooks(Hooks hooks) MP_EXCLUDES(mutex_) {
    base::MutexLock lock(mutex_);
    hooks_ = std::move(hooks);
  }

  // False if the queue is full; the message was not taken. After the end of the call, messages are taken and forgotten.
  bool TryWrite(Message message) MP_EXCLUDES(mutex_) {
    base::MutexLock lock(mutex_);
    if (end_.has_value() || finished_) return true;
    if (queue_.size() >= capacity_) return false;
    queue_.push_back(std::move(message));
    Advance();
    return true;
  }

  // Ends the call once what is queued was sent. Only the first end counts.
  void End(absl::Status status) MP_EXCLUDES(mutex_) {
    base::MutexLock lock(mutex_);
    if (end_.has_value()) return;
    end_ = std::move(status);
    Advance();
  }

  base::CancellationToken cancellation() const { return cancellation_.token(); }

 private:
  explicit StreamCall(size_t capacity) : capacity_(capacity) {}

  // Does the next thing, unless a write is under way: its end calls this again.
  void Advance() MP_REQUIRES(mutex_) {
    if (writing_ || finished_) return;
    if (!queue_.empty()) {
      current_ = std::move(queue_.front());
      queue_.pop_front();
      writing_ = true;
      this->StartWrite(&current_);
    } else if (end_.has_value()) {
      finished_ = true;
      this->Finish(ToGrpcStatus(*end_));
    }
  }

  void OnWriteDone(bool ok) override {
    std::function<void()> on_room;
    {
      base::MutexLock lock(mutex_);
      writing_ = false;
      if (!ok) GiveUp();
      if (queue_.empty() && !end_.has_value()) on_room = hooks_.on_room;
      Advance();
    }
    if (on_room) on_room();
  }

  void OnCancel() override {
    std::function<void()> on_cancel;
    {
      base::MutexLock lock(mutex_);
      cancellation_.Cancel();
      GiveUp();
      Advance();
      on_cancel = hooks_.on_cancel;
    }
    on_cancel();
  }

  void OnDone() override { self_.reset(); }

  void GiveUp() MP_REQUIRES(mutex_) {
    queue_.clear();
    if (!end_.has_value()) end_ = base::Cancelled("the client has gone");
  }

  const size_t capacity_;
  // Keeps the call alive until gRPC is done with it.
  std::shared_ptr<StreamCall> self_;
  base::CancellationSource cancellation_;

  base::Mutex mutex_;
  Hooks hooks_ MP_GUARDED_BY(mutex_);
  std::deque<Message> queue_ MP_GUARDED_BY(mutex_);
  // gRPC reads it while a write is under way.
  Message current_ MP_GUARDED_BY(mutex_);
  std::optional<absl::Status> end_ MP_GUARDED_BY(mutex_);
  bool writing_ MP_GUARDED_BY(mutex_) = false;
  bool finished_ MP_GUARDED_BY(mutex_) = false;
};

}  // namespace modelpatch::server
