// UploadCall: one client stream of a header and chunks, which ends with the import of what has arrived.
//
// A message is handled on an executor, and the next one is read when that has been done: a call holds one message, and
// no thread of gRPC waits for a disk. Thread-safe; lives until gRPC is done with the call and the last shared_ptr has
// gone.
#pragma once

#include <grpcpp/support/server_callback.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include "core/base/cancellation.h"
#include "core/base/mutex.h"
#include "core/base/status.h"
#include "core/tensor/guard.h"
#include "server/record_messages.h"
#include "server/services/service_context.h"
#include "server/status_conversion.h"
#include "server/uploads/upload_store.h"

namespace modelpatch::server {

// The key of what an upload makes: the upload_id says how the files came, not what they are.
template <typename Header>
RequestKey KeyOfUpload(Header header) {
  header.mutable_manifest()->clear_upload_id();
  return MakeRequestKey(header, header.request().request_id());
}

// `Request` has either a `header`, with a `manifest`, or a `chunk`.
template <typename Request, typename Response>
class UploadCall final : public grpc::ServerReadReactor<Request>,
                         public std::enable_shared_from_this<UploadCall<Request, Response>> {
 public:
  using Header = std::decay_t<decltype(std::declval<Request>().header())>;

  struct Hooks {
    int64_t maximum_files = 0;
    // Looks at the header alone: an answer that needs no file, such as to a repeated request, or nothing.
    std::function<std::optional<absl::Status>(const Header& header, Response* response)> answer_early;
    // Imports the files below `directory`. Errors name fields of the header.
    std::function<absl::Status(const Header& header, const std::string& directory,
                               const base::CancellationToken& cancellation, Response* response)>
        import;
  };

  // The reactor of a new call, which owns itself.
  static grpc::ServerReadReactor<Request>* Start(const ServiceContext& context, Hooks hooks, Response* response) {
    std::shared_ptr<UploadCall> call(new UploadCall(context, std::move(hooks), response));
    call->self_ = call;
    auto place = context.streams.Enter([weak = std::weak_ptr<UploadCall>(call)] {
      if (const auto open = weak.lock(); open != nullptr) open->EndEarly(OpenStreams::Stopping());
    });
    const absl::Status entered = place.status();
    if (entered.ok()) call->place_ = *std::move(place);
    base::MutexLock lock(call->mutex_);
    if (entered.ok()) {
      call->StartRead(&call->request_);
    } else {
      call->busy_ = true;
      call->FinishWith(entered);
    }
    return call.get();
  }

 private:
  UploadCall(const ServiceContext& context, Hooks hooks, Response* response)
      : context_(context), hooks_(std::move(hooks)), response_(response) {}

  void OnReadDone(bool ok) override {
    base::MutexLock lock(mutex_);
    if (busy_ || finished_) return;  // ended already
    busy_ = true;
    // The import takes seconds or more, a chunk milliseconds.
    base::Executor& executor = ok ? context_.transfers : context_.slow;
    executor.Schedule([self = this->shared_from_this(), ok] { ok ? self->HandleMessage() : self->HandleEnd(); });
  }

  void OnCancel() override {
    cancellation_.Cancel();
    EndEarly(base::Cancelled("the client has gone"));
  }

  void OnDone() override {
    place_.reset();
    // May be the last owner.
    const std::shared_ptr<UploadCall> self = std::move(self_);
  }

  // Ends the call after what is being done.
  void EndEarly(const absl::Status& status) {
    base::MutexLock lock(mutex_);
    if (!early_end_.has_value()) early_end_ = status;
    if (busy_ || finished_) return;
    busy_ = true;
    context_.transfers.Schedule([self = this->shared_from_this(), status] { self->Conclude(status); });
  }

  void HandleMessage() {
    bool is_answered = false;
    const absl::Status status = tensor::Guarded([&]() -> absl::Status {
      if (request_.has_header()) return base::WithField(Begin(is_answered), "header");
      if (session_ == nullptr) return NoHeader();
      return base::WithField(session_->upload().Write(request_.chunk()), "chunk");
    });
    if (!status.ok() || is_answered) return Conclude(status);
    {
      base::MutexLock lock(mutex_);
      if (!early_end_.has_value()) {
        busy_ = false;
        this->StartRead(&request_);
        return;
      }
    }
    Conclude(EarlyEnd());
  }

  absl::Status Begin(bool& is_answered) {
    if (session_ != nullptr) return base::InvalidArgument("HEADER_TWICE", "the upload has its header already");
    header_ = std::move(*request_.mutable_header());
    auto manifest = CheckManifest(header_.manifest(), hooks_.maximum_files);
    if (!manifest.ok()) return base::WithField(manifest.status(), "manifest");
    if (const auto answer = hooks_.answer_early(header_, response_); answer.has_value()) {
      is_answered = true;
      return *answer;
    }
    auto session = context_.uploads.Begin(*std::move(manifest));
    if (!session.ok()) return base::WithField(session.status(), "manifest");
    session_ = *std::move(session);
    return absl::OkStatus();
  }

  // The client has closed its side, or is gone.
  void HandleEnd() {
    Conclude(tensor::Guarded([&]() -> absl::Status {
      if (session_ == nullptr) return NoHeader();
      Upload& upload = session_->upload();
      MP_RETURN_IF_ERROR(
          ShowClientPaths(base::WithField(upload.CheckComplete(cancellation_.token()), "header.manifest")));
      return ShowClientPaths(hooks_.import(header_, upload.directory(), cancellation_.token(), response_));
    }));
  }

  // Lets go of the files, and only then says so.
  void Conclude(const absl::Status& status) {
    if (session_ != nullptr && StaysAfter(status)) session_->Keep();
    session_.reset();
    base::MutexLock lock(mutex_);
    FinishWith(status);
  }

  void FinishWith(const absl::Status& status) MP_REQUIRES(mutex_) {
    finished_ = true;
    this->Finish(ToGrpcStatus(status));
  }

  absl::Status EarlyEnd() {
    base::MutexLock lock(mutex_);
    return *early_end_;
  }

  static bool StaysAfter(const absl::Status& status) {
    return absl::IsCancelled(status) || absl::IsDeadlineExceeded(status) || absl::IsUnavailable(status) ||
           base::ReasonOf(status) == "UPLOAD_INCOMPLETE";
  }

  static absl::Status NoHeader() {
    return base::WithField(
        base::InvalidArgument("NO_HEADER",
                              "the first message is no header, or cannot be parsed; send what is to come, and then it"),
        "header");
  }

  // The client's names for what lies in our directory.
  absl::Status ShowClientPaths(const absl::Status& status) const {
    const std::string& directory = session_->upload().directory();
    return WithPathShownAs(WithPathShownAs(status, directory + "/", ""), directory, "the upload");
  }

  const ServiceContext context_;
  const Hooks hooks_;
  Response* const response_;
  // Keeps the call alive until gRPC is done with it.
  std::shared_ptr<UploadCall> self_;
  std::shared_ptr<void> place_;
  base::CancellationSource cancellation_;

  // gRPC's while a read is under way, then that of whoever is busy with it.
  Request request_;
  // Of whoever is busy.
  Header header_;
  std::unique_ptr<UploadStore::Session> session_;

  base::Mutex mutex_;
  bool busy_ MP_GUARDED_BY(mutex_) = false;
  bool finished_ MP_GUARDED_BY(mutex_) = false;
  std::optional<absl::Status> early_end_ MP_GUARDED_BY(mutex_);
};

}  // namespace modelpatch::server
