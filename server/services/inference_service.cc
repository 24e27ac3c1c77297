#include "server/services/inference_service.h"

#include <fmt/format.h>
#include <google/protobuf/arena.h>

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "server/classes_conversion.h"
#include "server/services/classify_answer.h"
#include "server/services/classify_message.h"
#include "server/services/raw_message.h"
#include "server/services/stream_classify.h"

namespace modelpatch::server {
namespace {

constexpr double kMillisecondsPerSecond = 1000;

serve::RequestContext ContextOf(const UnaryCall& call) { return {call.deadline(), call.cancellation(), call.client()}; }

void FillTimings(const serve::Timings& timings, base::SteadyTime start, v1::Timings* message) {
  message->set_preprocess_milliseconds(timings.preprocess_seconds * kMillisecondsPerSecond);
  message->set_queue_milliseconds(timings.queue_seconds * kMillisecondsPerSecond);
  message->set_inference_milliseconds(timings.inference_seconds * kMillisecondsPerSecond);
  const std::chrono::duration<double> total = std::chrono::steady_clock::now() - start;
  message->set_total_milliseconds(total.count() * kMillisecondsPerSecond);
}

void FillResults(const serve::ClassifyResult& result, const std::vector<std::string>& class_names,
                 v1::ClassifyResponse* response) {
  for (const auto& scores : result.images) FillScores(scores, class_names, response->add_results());
  for (size_t i = 0; i < result.alphas.size(); ++i) {
    response->mutable_results(static_cast<int>(i))->set_alpha(result.alphas[i]);
  }
  response->set_truncated_prompt_count(static_cast<int32_t>(result.truncated_prompts));
  response->set_probability_kind(ProbabilityKindOf(result.is_sigmoid));
}

void FillEmbeddings(const serve::Embeddings& embeddings, google::protobuf::RepeatedPtrField<v1::Embedding>* messages) {
  for (size_t start = 0; embeddings.width > 0 && start < embeddings.values.size();
       start += static_cast<size_t>(embeddings.width)) {
    const float* row = embeddings.values.data() + start;
    messages->Add()->mutable_values()->Add(row, row + embeddings.width);
  }
}

// What was served, by name and by digest.
template <typename Response>
void FillWeights(Resolution resolution, Response* response) {
  *response->mutable_mixture() = std::move(resolution.message);
  *response->mutable_weights() = std::move(resolution.weights);
}

}  // namespace

InferenceService::InferenceService(const ServiceContext& context)
    : context_(context), limits_(PromptLimitsOf(context.options)) {}

grpc::ServerUnaryReactor* InferenceService::Classify(grpc::CallbackServerContext* context,
                                                     const grpc::ByteBuffer* request, grpc::ByteBuffer* response) {
  return StartOn(context_.quick, *context,
                 [=, this](UnaryCall* call) { return StartClassify(call, *request, response); });
}

grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* InferenceService::StreamClassify(
    grpc::CallbackServerContext* context) {
  return ClassifyStream::Start(context_, {SteadyDeadline(*context), {}, context->peer()});
}

grpc::ServerUnaryReactor* InferenceService::EncodeImages(grpc::CallbackServerContext* context,
                                                         const v1::EncodeImagesRequest* request,
                                                         v1::EncodeImagesResponse* response) {
  return StartOn(context_.quick, *context,
                 [=, this](UnaryCall* call) { return StartEncodeImages(call, *request, response); });
}

grpc::ServerUnaryReactor* InferenceService::EncodeTexts(grpc::CallbackServerContext* context,
                                                        const v1::EncodeTextsRequest* request,
                                                        v1::EncodeTextsResponse* response) {
  return StartOn(context_.quick, *context,
                 [=, this](UnaryCall* call) { return StartEncodeTexts(call, *request, response); });
}

grpc::ServerUnaryReactor* InferenceService::Tokenize(grpc::CallbackServerContext* context,
                                                     const v1::TokenizeRequest* request,
                                                     v1::TokenizeResponse* response) {
  // A model that is not resident is loaded first.
  return RunOn(context_.slow, *context, [=, this](const UnaryCall&) { return RunTokenize(*request, response); });
}

absl::Status InferenceService::StartClassify(UnaryCall* call, const grpc::ByteBuffer& bytes,
                                             grpc::ByteBuffer* response) {
  MP_ASSIGN_OR_RETURN(const ClassifyMessage message, ParseClassify(bytes));
  const v1::ClassifyRequest& request = message.request;
  MP_RETURN_IF_ERROR(CheckTopK(request.top_k()));
  serve::ClassifyRequest engine_request;
  auto classes = context_.class_lists.Get(message.class_prompts);
  if (!classes.ok()) return base::WithField(classes.status(), "class_prompts");
  engine_request.classes = *classes;
  MP_ASSIGN_OR_RETURN(engine_request.images, ToImages(request.images(), context_.options.maximum_queued_images));
  MP_ASSIGN_OR_RETURN(Resolution resolution, context_.resolver.ResolveRequest(request));
  engine_request.mixture = std::move(resolution.mixture);
  engine_request.top_k = request.top_k();
  engine_request.auto_alpha = request.alpha_policy() == v1::SERVING_ALPHA_POLICY_AUTO;
  engine_request.context = ContextOf(*call);
  MP_RETURN_IF_ERROR(
      CheckScoreBytes(ScoreBytes(request.images_size(), (*classes)->names(), request.top_k()), context_.options));
  context_.engine.Classify(std::move(engine_request),
                           [call, response, classes = *std::move(classes),
                            resolution = std::move(resolution)](absl::StatusOr<serve::ClassifyResult> result) mutable {
                             if (!result.ok()) return call->Answer(result.status());
                             // Thousands of scores are thousands of small messages.
                             google::protobuf::Arena arena;
                             auto* answer = google::protobuf::Arena::CreateMessage<v1::ClassifyResponse>(&arena);
                             FillResults(*result, classes->names(), answer);
                             FillWeights(std::move(resolution), answer);
                             FillTimings(result->timings, call->start(), answer->mutable_timings());
                             *response = SerializeMessage(*answer);
                             call->Answer(absl::OkStatus());
                           });
  return absl::OkStatus();
}

absl::Status InferenceService::StartEncodeImages(UnaryCall* call, const v1::EncodeImagesRequest& request,
                                                 v1::EncodeImagesResponse* response) {
  serve::EncodeImagesRequest engine_request;
  MP_ASSIGN_OR_RETURN(engine_request.images, ToImages(request.images(), context_.options.maximum_queued_images));
  MP_ASSIGN_OR_RETURN(Resolution resolution, context_.resolver.ResolveRequest(request));
  engine_request.mixture = std::move(resolution.mixture);
  engine_request.context = ContextOf(*call);
  context_.engine.EncodeImages(std::move(engine_request), [call, response, resolution = std::move(resolution)](
                                                              absl::StatusOr<serve::Embeddings> result) mutable {
    if (!result.ok()) return call->Answer(result.status());
    FillEmbeddings(*result, response->mutable_embeddings());
    FillWeights(std::move(resolution), response);
    FillTimings(result->timings, call->start(), response->mutable_timings());
    call->Answer(absl::OkStatus());
  });
  return absl::OkStatus();
}

absl::Status InferenceService::StartEncodeTexts(UnaryCall* call, const v1::EncodeTextsRequest& request,
                                                v1::EncodeTextsResponse* response) {
  MP_ASSIGN_OR_RETURN(std::vector<std::string> texts, ToTexts(request.texts(), limits_));
  MP_ASSIGN_OR_RETURN(const store::ModelRecord model, context_.resolver.FindModel(request.model()));
  context_.engine.EncodeTexts(context_.resolver.ModelDirectory(model), std::move(texts), /*normalize=*/true,
                              ContextOf(*call), [call, response](absl::StatusOr<serve::Embeddings> result) {
                                if (!result.ok()) return call->Answer(result.status());
                                FillEmbeddings(*result, response->mutable_embeddings());
                                for (const bool truncated : result->truncated) response->add_truncated(truncated);
                                call->Answer(absl::OkStatus());
                              });
  return absl::OkStatus();
}

absl::Status InferenceService::RunTokenize(const v1::TokenizeRequest& request, v1::TokenizeResponse* response) {
  MP_ASSIGN_OR_RETURN(const std::vector<std::string> texts, ToTexts(request.texts(), limits_));
  MP_ASSIGN_OR_RETURN(const store::ModelRecord record, context_.resolver.FindModel(request.model()));
  MP_ASSIGN_OR_RETURN(const auto model, context_.engine.GetModel(context_.resolver.ModelDirectory(record)));
  const model::Tokenizer& tokenizer = *model->tokenizer;
  for (size_t i = 0; i < texts.size(); ++i) {
    const auto tokens = tokenizer.Tokenize(texts[i]);
    if (!tokens.ok()) return base::WithField(tokens.status(), fmt::format("texts[{}]", i));
    auto* message = response->add_tokens();
    message->mutable_ids()->Assign(tokens->ids.begin(), tokens->ids.end());
    message->set_truncated(tokens->truncated);
    message->set_token_count(tokens->untruncated_length);
    std::vector<int32_t> inner = tokens->ids;
    if (inner.size() >= 2) inner = {inner.begin() + 1, inner.end() - 1};
    message->set_kept_text(tokenizer.Decode(inner));
  }
  return absl::OkStatus();
}

}  // namespace modelpatch::server
