// ClassifyStream: one StreamClassify call.
//
// Messages are handled on the quick executor, one at a time; each image is a request of its own to the engine, and its
// answer is written when it is there. Every image counts from its arrival until its answer was written, by number and
// by bytes, and while either count is full nothing is read: a client that does not read costs a bounded amount of
// memory and no thread. Thread-safe; lives until gRPC is done with the call and the last shared_ptr has gone.
#pragma once

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/server_callback.h>

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "core/base/cancellation.h"
#include "core/base/mutex.h"
#include "core/serve/prepared_classifier.h"
#include "core/serve/request.h"
#include "modelpatch/v1/inference_service.pb.h"
#include "server/services/service_context.h"

namespace modelpatch::server {

class ClassifyStream final : public grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>,
                             public std::enable_shared_from_this<ClassifyStream> {
 public:
  // The reactor of a new call, which owns itself. `request` says how long it may take and whose it is.
  static grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* Start(const ServiceContext& context,
                                                                            serve::RequestContext request);

 private:
  struct Item;
  struct Answer {
    grpc::ByteBuffer message;
    int64_t images = 0;
    int64_t bytes = 0;
  };

  ClassifyStream(const ServiceContext& context, serve::RequestContext request)
      : context_(context), request_(std::move(request)) {
    request_.cancellation = cancellation_.token();
  }

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

  // Does whatever can be done next: write, read, finish.
  void Advance() MP_REQUIRES(mutex_);
  bool HasRoom() const MP_REQUIRES(mutex_);
  // No more is read; what is in work is answered before the call ends. Only the first end counts.
  void End(const absl::Status& status) MP_EXCLUDES(mutex_);
  // Nobody waits for answers any more.
  void GiveUp() MP_REQUIRES(mutex_);

  void Handle(const grpc::ByteBuffer& bytes) MP_EXCLUDES(mutex_);
  void HandleEnded(const absl::Status& status) MP_EXCLUDES(mutex_);
  absl::Status Prepare(const v1::StreamClassifyHeader& header);
  void OnPrepared(absl::StatusOr<serve::ClassifierFacts> facts) MP_EXCLUDES(mutex_);
  absl::Status AddImages(const v1::StreamClassifyImages& images) MP_EXCLUDES(mutex_);
  // Whether the names still stand for what the stream began with.
  absl::Status CheckMixture() const;

  void Submit(const std::shared_ptr<Item>& item);
  void SubmitLater(const std::shared_ptr<Item>& item);
  void OnResult(const std::shared_ptr<Item>& item, absl::StatusOr<serve::ClassifyResult> result) MP_EXCLUDES(mutex_);
  void AnswerItem(const Item& item, const absl::StatusOr<serve::ClassifyResult>& result) MP_EXCLUDES(mutex_);

  const ServiceContext context_;
  // Keeps the call alive until gRPC is done with it.
  std::shared_ptr<ClassifyStream> self_;
  std::shared_ptr<void> place_;
  base::CancellationSource cancellation_;
  // Of every image.
  serve::RequestContext request_;

  // Set by the header, before any image is handled.
  std::shared_ptr<serve::PreparedClassifier> prepared_;
  v1::Mixture mixture_;
  v1::ResolvedWeights weights_;
  int64_t top_k_ = 0;
  int64_t answer_bytes_ = 0;  // at most, of one image

  base::Mutex mutex_;
  // gRPC fills it while a read is under way.
  grpc::ByteBuffer incoming_ MP_GUARDED_BY(mutex_);
  bool reading_ MP_GUARDED_BY(mutex_) = false;
  bool handling_ MP_GUARDED_BY(mutex_) = false;
  bool writing_ MP_GUARDED_BY(mutex_) = false;
  bool given_up_ MP_GUARDED_BY(mutex_) = false;
  bool finished_ MP_GUARDED_BY(mutex_) = false;
  // Images and their bytes that have arrived and whose answers were not written yet; and those without an answer.
  int64_t images_ MP_GUARDED_BY(mutex_) = 0;
  int64_t bytes_ MP_GUARDED_BY(mutex_) = 0;
  int64_t unanswered_ MP_GUARDED_BY(mutex_) = 0;
  // The first is being written while `writing_`.
  std::deque<Answer> answers_ MP_GUARDED_BY(mutex_);
  std::optional<absl::Status> end_ MP_GUARDED_BY(mutex_);
};

}  // namespace modelpatch::server
