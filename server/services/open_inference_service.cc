#include "server/services/open_inference_service.h"

#include <fmt/format.h>

#include <initializer_list>
#include <utility>
#include <vector>

#include "core/base/text.h"
#include "server/classes_conversion.h"
#include "server/open_inference/infer_response.h"
#include "server/record_messages.h"
#include "server/resource_names.h"
#include "server/status_conversion.h"
#include "server/version.h"

namespace modelpatch::server {
namespace {

using ::inference::ModelInferRequest;
using ::inference::ModelInferResponse;
using ::inference::ModelMetadataResponse;
using TensorMetadata = ModelMetadataResponse::TensorMetadata;

// A model is immutable: what is imported again under another digest is another model.
constexpr char kOnlyVersion[] = "1";
constexpr int64_t kAnySize = -1;

grpc::ServerUnaryReactor* AnswerNow(grpc::CallbackServerContext& context) {
  auto* reactor = context.DefaultReactor();
  reactor->Finish(grpc::Status::OK);
  return reactor;
}

absl::Status CheckVersion(const std::string& version, const char* field) {
  if (version.empty() || version == kOnlyVersion) return absl::OkStatus();
  return base::WithField(
      base::NotFound("MODEL_VERSION_NOT_FOUND",
                     fmt::format("the model has no version '{}'; its only one is {}, or leave the version empty",
                                 base::Printable(version), kOnlyVersion)),
      field);
}

int64_t WidthOf(const v1::Model& model) {
  return model.image_width_pixels() > 0 ? model.image_width_pixels() : model.image_size_pixels();
}

absl::Status CheckPixelSize(const InferRequest& request, const v1::Model& model) {
  if (!request.pixel_size.has_value()) return absl::OkStatus();
  const auto [height, width] = *request.pixel_size;
  if (height == model.image_size_pixels() && width == WidthOf(model)) return absl::OkStatus();
  return base::WithField(
      base::InvalidArgument("BAD_TENSOR_SHAPE",
                            fmt::format("the input 'pixels' has images of {} x {}; this model takes [N, 3, {}, {}]",
                                        height, width, model.image_size_pixels(), WidthOf(model))),
      "pixels");
}

absl::Status CheckResponseBytes(int64_t bytes, int64_t maximum) {
  if (bytes <= maximum) return absl::OkStatus();
  return base::WithField(
      base::InvalidArgument("RESPONSE_TOO_LARGE",
                            fmt::format("the outputs for these images and classes could take {} bytes, and a message "
                                        "holds {}; set top_k, request fewer outputs, or send fewer images at once",
                                        bytes, maximum)),
      "parameters.top_k");
}

void FillMetadata(TensorMetadata* message, const char* name, const char* datatype,
                  std::initializer_list<int64_t> shape) {
  message->set_name(name);
  message->set_datatype(datatype);
  for (const int64_t size : shape) message->add_shape(size);
}

}  // namespace

OpenInferenceService::OpenInferenceService(const ServiceContext& context, std::function<bool()> is_ready)
    : context_(context),
      is_ready_(std::move(is_ready)),
      infer_limits_{context.options.maximum_queued_images, context.options.maximum_classes} {}

grpc::ServerUnaryReactor* OpenInferenceService::ServerLive(grpc::CallbackServerContext* context,
                                                           const ::inference::ServerLiveRequest*,
                                                           ::inference::ServerLiveResponse* response) {
  response->set_live(true);
  return AnswerNow(*context);
}

grpc::ServerUnaryReactor* OpenInferenceService::ServerReady(grpc::CallbackServerContext* context,
                                                            const ::inference::ServerReadyRequest*,
                                                            ::inference::ServerReadyResponse* response) {
  response->set_ready(is_ready_());
  return AnswerNow(*context);
}

grpc::ServerUnaryReactor* OpenInferenceService::ServerMetadata(grpc::CallbackServerContext* context,
                                                               const ::inference::ServerMetadataRequest*,
                                                               ::inference::ServerMetadataResponse* response) {
  response->set_name("modelpatch");
  response->set_version(Version());
  response->add_extensions("classification");
  return AnswerNow(*context);
}

grpc::ServerUnaryReactor* OpenInferenceService::ModelReady(grpc::CallbackServerContext* context,
                                                           const ::inference::ModelReadyRequest* request,
                                                           ::inference::ModelReadyResponse* response) {
  return RunOn(context_.quick, *context, [=, this](const UnaryCall&) -> absl::Status {
    MP_RETURN_IF_ERROR(FindModel(request->name(), request->version()).status());
    response->set_ready(true);
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* OpenInferenceService::ModelMetadata(grpc::CallbackServerContext* context,
                                                              const ::inference::ModelMetadataRequest* request,
                                                              ModelMetadataResponse* response) {
  return RunOn(context_.quick, *context, [=, this](const UnaryCall&) -> absl::Status {
    MP_ASSIGN_OR_RETURN(const v1::Model model, FindModel(request->name(), request->version()));
    response->set_name(request->name());
    response->add_versions(std::string(kOnlyVersion));
    response->set_platform(fmt::format("modelpatch_{}", model.architecture()));
    FillMetadata(response->add_inputs(), "images", "BYTES", {kAnySize});
    FillMetadata(response->add_inputs(), "pixels", "FP32", {kAnySize, 3, model.image_size_pixels(), WidthOf(model)});
    FillMetadata(response->add_inputs(), "class_names", "BYTES", {kAnySize});
    FillMetadata(response->add_inputs(), "templates", "BYTES", {kAnySize});
    for (const char* name : {kProbabilities, kLogits, kCosines}) {
      FillMetadata(response->add_outputs(), name, "FP32", {kAnySize, kAnySize});
    }
    FillMetadata(response->add_outputs(), kClassNames, "BYTES", {kAnySize, kAnySize});
    FillMetadata(response->add_outputs(), kImageFeatures, "FP32", {kAnySize, model.embedding_dimension()});
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* OpenInferenceService::ModelInfer(grpc::CallbackServerContext* context,
                                                           const ModelInferRequest* request,
                                                           ModelInferResponse* response) {
  return StartOn(context_.quick, *context, [=, this](UnaryCall* call) { return StartInfer(call, *request, response); });
}

absl::StatusOr<v1::Model> OpenInferenceService::FindModel(const std::string& name, const std::string& version) const {
  const absl::Status is_id = base::CheckResourceId(name);
  if (!is_id.ok()) return base::WithField(is_id, "name");
  auto record = context_.metadata.GetModel(name);
  if (!record.ok()) return base::WithField(record.status(), "name");
  MP_RETURN_IF_ERROR(CheckVersion(version, "version"));
  return ToMessage(*record);
}

absl::StatusOr<Resolution> OpenInferenceService::Resolve(const InferRequest& request,
                                                         const std::string& version) const {
  if (request.patch.empty()) {
    MP_ASSIGN_OR_RETURN(Resolution resolution, context_.resolver.Resolve(request.mixture));
    MP_RETURN_IF_ERROR(CheckVersion(version, "model_version"));
    return resolution;
  }
  MP_ASSIGN_OR_RETURN(const store::ModelRecord model, context_.resolver.FindModel(request.mixture.model()));
  MP_ASSIGN_OR_RETURN(Resolution resolution,
                      context_.resolver.ResolveEither(/*mixture=*/nullptr, request.patch, request.alpha));
  // The same model imported under two names is one model.
  if (resolution.model.digest == model.digest) return resolution;
  return base::WithField(
      base::FailedPrecondition("PATCH_OF_ANOTHER_MODEL",
                               fmt::format("{} belongs to models/{}, not to models/{}", base::Printable(request.patch),
                                           resolution.model.id, model.id)),
      "patch");
}

absl::Status OpenInferenceService::StartInfer(UnaryCall* call, const ModelInferRequest& request,
                                              ModelInferResponse* response) {
  MP_ASSIGN_OR_RETURN(InferRequest infer, ToInferRequest(request, infer_limits_));
  auto resolution = Resolve(infer, request.model_version());
  if (!resolution.ok()) return AtInferField(resolution.status(), infer);
  MP_ASSIGN_OR_RETURN(const v1::Model model, ToMessage(resolution->model));
  MP_RETURN_IF_ERROR(CheckPixelSize(infer, model));
  auto images = ToImages(infer.images, context_.options.maximum_queued_images);
  if (!images.ok()) return AtInferField(images.status(), infer);
  response->set_model_name(request.model_name());
  const std::string& patch = resolution->weights.patch();
  response->set_model_version(patch.empty() ? std::string(kOnlyVersion) : patch.substr(patch.find('@') + 1));
  response->set_id(request.id());
  const serve::RequestContext wanted{call->deadline(), call->cancellation(), call->client()};
  if (!infer.class_prompts.has_value()) {
    infer.images.Clear();  // the engine has its own copy
    StartEncode(call, std::move(infer),
                {std::move(resolution->mixture), *std::move(images), /*normalize=*/true, wanted}, response);
    return absl::OkStatus();
  }
  auto classes = context_.class_lists.Get(infer.class_prompts->SerializeAsString());
  if (!classes.ok()) return AtInferField(classes.status(), infer);
  MP_RETURN_IF_ERROR(
      CheckResponseBytes(ResponseBytes(infer, (*classes)->names()), context_.options.maximum_message_bytes));
  infer.images.Clear();
  infer.class_prompts.reset();
  serve::ClassifyRequest engine_request;
  engine_request.mixture = std::move(resolution->mixture);
  engine_request.classes = *std::move(classes);
  engine_request.images = *std::move(images);
  engine_request.top_k = NeededClasses(infer);
  engine_request.context = wanted;
  StartClassify(call, std::move(infer), std::move(engine_request), response);
  return absl::OkStatus();
}

void OpenInferenceService::StartClassify(UnaryCall* call, InferRequest request, serve::ClassifyRequest engine_request,
                                         ModelInferResponse* response) {
  const std::shared_ptr<const serve::ClassList> classes = engine_request.classes;
  context_.engine.Classify(std::move(engine_request), [call, response, request = std::move(request),
                                                       classes](absl::StatusOr<serve::ClassifyResult> result) {
    if (!result.ok()) return call->Answer(AtInferField(result.status(), request));
    FillScores(request, classes->names(), result->images, response);
    auto& parameters = *response->mutable_parameters();
    parameters["probability_kind"].set_string_param(result->is_sigmoid ? "sigmoid" : "softmax");
    parameters["truncated_prompt_count"].set_int64_param(result->truncated_prompts);
    call->Answer(absl::OkStatus());
  });
}

void OpenInferenceService::StartEncode(UnaryCall* call, InferRequest request, serve::EncodeImagesRequest engine_request,
                                       ModelInferResponse* response) {
  context_.engine.EncodeImages(std::move(engine_request), [call, response, request = std::move(request)](
                                                              absl::StatusOr<serve::Embeddings> result) {
    if (!result.ok()) return call->Answer(AtInferField(result.status(), request));
    FillFeatures(request, result->width, result->values, response);
    call->Answer(absl::OkStatus());
  });
}

}  // namespace modelpatch::server
