#include "server/services/stream_classify.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "core/tensor/guard.h"
#include "server/classes_conversion.h"
#include "server/services/classify_answer.h"
#include "server/services/open_streams.h"
#include "server/services/raw_message.h"
#include "server/status_conversion.h"

namespace modelpatch::server {
namespace {

constexpr int64_t kImagesInWork = 64;
constexpr int kMaximumImagesOfMessage = 64;
constexpr size_t kMaximumIdBytes = 1024;
constexpr std::chrono::milliseconds kFirstBackoff{10};
constexpr std::chrono::milliseconds kLongestBackoff{250};

std::chrono::milliseconds BackoffAfter(int refusals) {
  // 2^10 times the first wait is more than the longest.
  return std::min(kFirstBackoff * (int64_t{1} << std::clamp(refusals - 1, 0, 10)), kLongestBackoff);
}

// The whole queue, or this client's share of it.
bool IsQueueFull(const absl::Status& status) {
  const std::string reason = base::ReasonOf(status);
  return reason == "QUEUE_FULL" || reason == "CLIENT_QUEUE_FULL";
}

absl::Status BadMessage(std::string_view reason, const std::string& message, const std::string& field) {
  return base::WithField(base::InvalidArgument(reason, message), field);
}

}  // namespace

struct ClassifyStream::Item {
  std::string id;
  // Kept whole until there is an answer: what the engine's queue refuses is sent again.
  serve::ImageInput image;
  int64_t bytes = 0;
  int refusals = 0;
};

grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* ClassifyStream::Start(const ServiceContext& context,
                                                                                   serve::RequestContext request) {
  std::shared_ptr<ClassifyStream> stream(new ClassifyStream(context, std::move(request)));
  stream->self_ = stream;
  auto place = context.streams.Enter([weak = std::weak_ptr<ClassifyStream>(stream)] {
    if (const auto open = weak.lock(); open != nullptr) open->End(OpenStreams::Stopping());
  });
  if (!place.ok()) {
    stream->End(place.status());
    return stream.get();
  }
  stream->place_ = *std::move(place);
  base::MutexLock lock(stream->mutex_);
  stream->Advance();
  return stream.get();
}

void ClassifyStream::Advance() {
  if (finished_) return;
  if (!writing_ && !answers_.empty()) {
    writing_ = true;
    StartWrite(&answers_.front().message);
  }
  if (!end_.has_value()) {
    if (!reading_ && !handling_ && HasRoom()) {
      reading_ = true;
      StartRead(&incoming_);
    }
    return;
  }
  if (writing_) return;
  if (given_up_ || (!handling_ && unanswered_ == 0)) {
    finished_ = true;
    Finish(ToGrpcStatus(*end_));
  }
}

bool ClassifyStream::HasRoom() const {
  return images_ < kImagesInWork && bytes_ < context_.options.maximum_message_bytes;
}

void ClassifyStream::End(const absl::Status& status) {
  base::MutexLock lock(mutex_);
  if (!end_.has_value()) end_ = status;
  Advance();
}

void ClassifyStream::GiveUp() {
  given_up_ = true;
  cancellation_.Cancel();
  // The first one belongs to gRPC until its write has ended.
  while (answers_.size() > (writing_ ? 1 : 0)) answers_.pop_back();
  if (!end_.has_value()) end_ = base::Cancelled("the client has gone");
}

void ClassifyStream::OnReadDone(bool ok) {
  base::MutexLock lock(mutex_);
  reading_ = false;
  if (ok && !end_.has_value()) {
    handling_ = true;
    context_.quick.Schedule([self = shared_from_this(), bytes = std::exchange(incoming_, {})] { self->Handle(bytes); });
    return;
  }
  if (!end_.has_value()) {
    end_ = prepared_ != nullptr
               ? absl::OkStatus()
               : BadMessage("NO_HEADER", "the stream ended without a header; send one first", "header");
  }
  Advance();
}

void ClassifyStream::OnWriteDone(bool ok) {
  base::MutexLock lock(mutex_);
  writing_ = false;
  images_ -= answers_.front().images;
  bytes_ -= answers_.front().bytes;
  answers_.pop_front();
  if (!ok) GiveUp();
  Advance();
}

void ClassifyStream::OnCancel() {
  base::MutexLock lock(mutex_);
  GiveUp();
  Advance();
}

void ClassifyStream::OnDone() {
  place_.reset();
  // May be the last owner.
  const std::shared_ptr<ClassifyStream> self = std::move(self_);
}

void ClassifyStream::Handle(const grpc::ByteBuffer& bytes) {
  const auto handle = [&]() -> absl::Status {
    MP_ASSIGN_OR_RETURN(const auto message, ParseMessage<v1::StreamClassifyRequest>(bytes));
    if (message.has_header() == (prepared_ != nullptr)) {
      return prepared_ == nullptr ? BadMessage("NO_HEADER", "the first message is no header; send one first", "header")
                                  : BadMessage("HEADER_TWICE", "the stream has its header already", "header");
    }
    if (message.has_header()) return base::WithField(Prepare(message.header()), "header");
    return base::WithField(AddImages(message.images()), "images");
  };
  const bool is_first = prepared_ == nullptr;
  const absl::Status status = tensor::Guarded(handle);
  // The first message is done with when everything has been prepared.
  if (!status.ok() || !is_first) HandleEnded(status);
}

void ClassifyStream::HandleEnded(const absl::Status& status) {
  base::MutexLock lock(mutex_);
  handling_ = false;
  if (!status.ok() && !end_.has_value()) end_ = status;
  Advance();
}

absl::Status ClassifyStream::Prepare(const v1::StreamClassifyHeader& header) {
  MP_RETURN_IF_ERROR(CheckTopK(header.top_k()));
  auto classes = context_.class_lists.Get(header.class_prompts().SerializeAsString());
  if (!classes.ok()) return base::WithField(classes.status(), "class_prompts");
  MP_ASSIGN_OR_RETURN(Resolution resolution, context_.resolver.ResolveRequest(header));
  top_k_ = header.top_k();
  answer_bytes_ = ScoreBytes(/*images=*/1, (*classes)->names(), top_k_) + static_cast<int64_t>(kMaximumIdBytes);
  MP_RETURN_IF_ERROR(CheckScoreBytes(answer_bytes_, context_.options));
  mixture_ = std::move(resolution.message);
  weights_ = std::move(resolution.weights);
  prepared_ = std::make_shared<serve::PreparedClassifier>(std::move(resolution.mixture), *std::move(classes));
  context_.engine.Prepare(prepared_, request_,
                          [self = shared_from_this()](absl::StatusOr<serve::ClassifierFacts> facts) {
                            self->OnPrepared(std::move(facts));
                          });
  return absl::OkStatus();
}

void ClassifyStream::OnPrepared(absl::StatusOr<serve::ClassifierFacts> facts) {
  if (!facts.ok()) return HandleEnded(base::WithField(facts.status(), "header"));
  v1::StreamClassifyResponse response;
  v1::StreamClassifyStart& start = *response.mutable_start();
  *start.mutable_mixture() = mixture_;
  *start.mutable_weights() = weights_;
  start.set_truncated_prompt_count(static_cast<int32_t>(facts->truncated_prompts));
  start.set_probability_kind(ProbabilityKindOf(facts->is_sigmoid));
  {
    base::MutexLock lock(mutex_);
    if (!given_up_) answers_.push_back({SerializeMessage(response)});
  }
  HandleEnded(absl::OkStatus());
}

absl::Status ClassifyStream::CheckMixture() const {
  MP_ASSIGN_OR_RETURN(const Resolution now, context_.resolver.Resolve(mixture_));
  const serve::ResolvedMixture& then = prepared_->mixture();
  if (now.mixture.model_directory == then.model_directory && now.mixture.terms == then.terms) return absl::OkStatus();
  return base::NotFound("MIXTURE_REPLACED",
                        fmt::format("{} or a checkpoint of the stream was deleted, and another one has its name now; "
                                    "open another stream",
                                    mixture_.model()));
}

absl::Status ClassifyStream::AddImages(const v1::StreamClassifyImages& images) {
  if (images.images().empty() || images.images_size() > kMaximumImagesOfMessage) {
    return BadMessage(
        images.images().empty() ? "NO_IMAGES" : "TOO_MANY_IMAGES",
        fmt::format("the message has {} images; send 1 to {} at once", images.images_size(), kMaximumImagesOfMessage),
        "images");
  }
  std::vector<std::shared_ptr<Item>> items;
  std::vector<absl::Status> statuses;
  for (int i = 0; i < images.images_size(); ++i) {
    const v1::StreamClassifyImage& one = images.images(i);
    if (one.id().size() > kMaximumIdBytes) {
      return BadMessage("BAD_IMAGE_ID",
                        fmt::format("the id has {} bytes; at most {} are allowed", one.id().size(), kMaximumIdBytes),
                        fmt::format("images[{}].id", i));
    }
    const auto item = std::make_shared<Item>();
    item->id = one.id();
    item->bytes = static_cast<int64_t>(one.ByteSizeLong()) + answer_bytes_;
    auto input = ToImage(one.image());
    statuses.push_back(base::WithField(input.status(), "image"));
    if (input.ok()) item->image = *std::move(input);
    items.push_back(item);
  }
  {
    base::MutexLock lock(mutex_);
    images_ += static_cast<int64_t>(items.size());
    unanswered_ += static_cast<int64_t>(items.size());
    for (const auto& item : items) bytes_ += item->bytes;
  }
  const absl::Status mixture_status = CheckMixture();
  for (size_t i = 0; i < items.size(); ++i) {
    const absl::Status& status = statuses[i].ok() ? mixture_status : statuses[i];
    if (status.ok()) {
      Submit(items[i]);
    } else {
      AnswerItem(*items[i], status);
    }
  }
  return absl::OkStatus();
}

void ClassifyStream::Submit(const std::shared_ptr<Item>& item) {
  serve::ClassifyRequest request;
  request.prepared = prepared_;
  request.images = {item->image};
  request.top_k = top_k_;
  request.context = request_;
  context_.engine.Classify(std::move(request),
                           [self = shared_from_this(), item](absl::StatusOr<serve::ClassifyResult> result) {
                             self->OnResult(item, std::move(result));
                           });
}

void ClassifyStream::OnResult(const std::shared_ptr<Item>& item, absl::StatusOr<serve::ClassifyResult> result) {
  if (IsQueueFull(result.status())) return SubmitLater(item);
  // Its own `images[0]` is none of the client's names.
  if (!result.ok()) result = AtField(result.status(), "image");
  AnswerItem(*item, result);
}

void ClassifyStream::SubmitLater(const std::shared_ptr<Item>& item) {
  base::MutexLock lock(mutex_);
  if (given_up_) return;
  context_.timer.After(BackoffAfter(++item->refusals), [self = shared_from_this(), item] {
    base::MutexLock waking(self->mutex_);
    if (!self->given_up_) self->context_.quick.Schedule([self, item] { self->Submit(item); });
  });
}

void ClassifyStream::AnswerItem(const Item& item, const absl::StatusOr<serve::ClassifyResult>& result) {
  v1::StreamClassifyResponse response;
  v1::StreamClassifyResult& message = *response.mutable_result();
  message.set_id(item.id);
  if (result.ok()) {
    FillScores(result->images.front(), prepared_->classes()->names(), message.mutable_result());
  } else {
    *message.mutable_error() = ToRpcStatus(result.status());
  }
  base::MutexLock lock(mutex_);
  --unanswered_;
  if (given_up_) return;
  answers_.push_back({SerializeMessage(response), 1, item.bytes});
  Advance();
}

}  // namespace modelpatch::server
