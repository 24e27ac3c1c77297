#include "client/load/request_maker.h"

#include <grpcpp/support/slice.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "client/load/seeded_random.h"
#include "inference/grpc_predict_v2.pb.h"
#include "modelpatch/v1/inference_service.pb.h"

namespace modelpatch::client {
namespace {

std::string IdOf(const std::string& name) { return name.substr(name.rfind('/') + 1); }

std::string MethodOf(const LoadRequestOptions& options) {
  if (options.protocol == LoadProtocol::kOpenInference) return "/inference.GRPCInferenceService/ModelInfer";
  return options.class_names.empty() ? "/modelpatch.v1.InferenceService/EncodeImages"
                                     : "/modelpatch.v1.InferenceService/Classify";
}

inference::InferTensorContents* AddTexts(inference::ModelInferRequest& request, const char* name, size_t count) {
  auto* tensor = request.add_inputs();
  tensor->set_name(name);
  tensor->set_datatype("BYTES");
  tensor->add_shape(static_cast<int64_t>(count));
  return tensor->mutable_contents();
}

}  // namespace

RequestMaker::RequestMaker(LoadRequestOptions options) : options_(std::move(options)), method_(MethodOf(options_)) {
  for (const double alpha : options_.alphas) heads_.emplace_back(Head(alpha));
  if (!options_.fresh_class_names) classes_ = grpc::Slice(Classes(options_.class_names));
  if (options_.images_per_request == 1) {
    for (size_t i = 0; i < options_.images.size(); ++i) images_.emplace_back(Images({i}));
  }
}

double RequestMaker::AlphaOf(uint64_t number) const {
  const uint64_t place = options_.random_alphas ? RandomBits(options_.seed, number) : number;
  return options_.alphas[place % options_.alphas.size()];
}

grpc::ByteBuffer RequestMaker::Make(uint64_t number) const {
  const uint64_t place = options_.random_alphas ? RandomBits(options_.seed, number) : number;
  grpc::Slice classes = classes_;
  if (options_.fresh_class_names) {
    std::vector<std::string> names = options_.class_names;
    for (std::string& name : names) absl::StrAppend(&name, " ", number);
    classes = grpc::Slice(Classes(names));
  }
  const std::vector<size_t> images = ImagesOf(number);
  const grpc::Slice parts[] = {heads_[place % heads_.size()], classes,
                               images_.empty() ? grpc::Slice(Images(images)) : images_[images.front()]};
  return grpc::ByteBuffer(parts, std::size(parts));
}

std::vector<size_t> RequestMaker::ImagesOf(uint64_t number) const {
  std::vector<size_t> indices;
  const auto per_request = static_cast<uint64_t>(options_.images_per_request);
  for (uint64_t i = 0; i < per_request; ++i) indices.push_back((number * per_request + i) % options_.images.size());
  return indices;
}

std::string RequestMaker::Head(double alpha) const {
  if (options_.protocol == LoadProtocol::kOpenInference) {
    inference::ModelInferRequest request;
    request.set_model_name(IdOf(options_.model));
    auto& parameters = *request.mutable_parameters();
    if (!options_.checkpoint.empty()) {
      parameters["checkpoint"].set_string_param(IdOf(options_.checkpoint));
      parameters["alpha"].set_double_param(alpha);
    }
    if (options_.allow_extrapolation) parameters["allow_extrapolation"].set_bool_param(true);
    if (options_.top_k > 0) parameters["top_k"].set_int64_param(options_.top_k);
    return request.SerializeAsString();
  }
  v1::Mixture mixture;
  if (!options_.model.empty()) mixture.set_model(absl::StrCat("models/", IdOf(options_.model)));
  if (!options_.checkpoint.empty()) {
    auto* term = mixture.add_terms();
    term->set_checkpoint(absl::StrCat("checkpoints/", IdOf(options_.checkpoint)));
    term->set_coefficient(alpha);
  }
  mixture.set_allow_extrapolation(options_.allow_extrapolation);
  if (options_.class_names.empty()) {
    v1::EncodeImagesRequest request;
    *request.mutable_mixture() = std::move(mixture);
    return request.SerializeAsString();
  }
  v1::ClassifyRequest request;
  *request.mutable_mixture() = std::move(mixture);
  request.set_top_k(options_.top_k);
  return request.SerializeAsString();
}

std::string RequestMaker::Classes(const std::vector<std::string>& class_names) const {
  if (class_names.empty()) return "";
  if (options_.protocol == LoadProtocol::kOpenInference) {
    inference::ModelInferRequest request;
    auto* names = AddTexts(request, "class_names", class_names.size());
    for (const std::string& name : class_names) names->add_bytes_contents(name);
    if (!options_.templates.empty()) {
      auto* templates = AddTexts(request, "templates", options_.templates.size());
      for (const std::string& text : options_.templates) templates->add_bytes_contents(text);
    }
    return request.SerializeAsString();
  }
  v1::ClassifyRequest request;
  auto* names = request.mutable_class_prompts()->mutable_names();
  for (const std::string& name : class_names) names->add_class_names(name);
  for (const std::string& text : options_.templates) names->add_templates(text);
  return request.SerializeAsString();
}

std::string RequestMaker::Images(const std::vector<size_t>& indices) const {
  if (options_.protocol == LoadProtocol::kOpenInference) {
    inference::ModelInferRequest request;
    auto* contents = AddTexts(request, "images", indices.size());
    for (const size_t index : indices) contents->add_bytes_contents(options_.images[index]);
    return request.SerializeAsString();
  }
  const auto fill = [&](auto request) {
    for (const size_t index : indices) request.add_images()->set_encoded(options_.images[index]);
    return request.SerializeAsString();
  };
  return options_.class_names.empty() ? fill(v1::EncodeImagesRequest()) : fill(v1::ClassifyRequest());
}

}  // namespace modelpatch::client
