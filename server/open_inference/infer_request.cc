#include "server/open_inference/infer_request.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string_view>
#include <utility>

#include "core/base/text.h"
#include "server/open_inference/input_tensor.h"
#include "server/open_inference/parameters.h"
#include "server/resource_names.h"
#include "server/status_conversion.h"

namespace modelpatch::server {
namespace {

using ::inference::ModelInferRequest;
using Tensors = std::map<std::string, InputTensor>;

constexpr double kDefaultAlpha = 1;
constexpr int kPixelDimensions = 4;
constexpr int64_t kChannels = 3;

absl::Status InvalidAt(std::string_view field, std::string_view reason, const std::string& message) {
  return base::WithField(base::InvalidArgument(reason, message), field);
}

const InputTensor* Find(const Tensors& tensors, const std::string& name) {
  const auto found = tensors.find(name);
  return found == tensors.end() ? nullptr : &found->second;
}

absl::Status CheckInputNames(const Tensors& tensors) {
  for (const auto& [name, tensor] : tensors) {
    if (name == "images" || name == "pixels" || name == "class_names" || name == "templates") continue;
    return tensor.Error("UNKNOWN_INPUT", "name", "is none of images, pixels, class_names and templates");
  }
  return absl::OkStatus();
}

// A name alone is an id.
std::string NameIn(std::string_view collection, const std::string& text) {
  return text.find('/') == std::string::npos ? ResourceName(collection, text) : text;
}

absl::StatusOr<std::string> PatchName(const ModelInferRequest& request, const std::string& patch) {
  const std::string name = NameIn(kPatches, patch);
  if (request.model_version().empty()) return name;
  if (name.find('@') != std::string::npos) {
    return InvalidAt("model_version", "CONFLICTING_VERSIONS",
                     fmt::format("the parameter 'patch' is '{}' and model_version is '{}'; give the version once",
                                 base::Printable(patch), base::Printable(request.model_version())));
  }
  return fmt::format("{}@{}", name, request.model_version());
}

absl::Status ReadWeights(const ModelInferRequest& request, InferRequest* result) {
  // Even an empty name is looked up, and refused as no id.
  result->mixture.set_model(fmt::format("{}/{}", kModels, request.model_name()));
  MP_ASSIGN_OR_RETURN(const auto checkpoint, TextParameter(request.parameters(), "checkpoint"));
  MP_ASSIGN_OR_RETURN(const auto patch, TextParameter(request.parameters(), "patch"));
  MP_ASSIGN_OR_RETURN(const auto alpha, NumberParameter(request.parameters(), "alpha"));
  MP_ASSIGN_OR_RETURN(const auto extrapolation, BoolParameter(request.parameters(), "allow_extrapolation"));
  if (patch.has_value()) {
    if (checkpoint.has_value() || extrapolation.has_value()) {
      return InvalidAt("parameters.patch", "BAD_PARAMETER",
                       "the parameter 'patch' says which weights and how far they may go; leave out 'checkpoint' and "
                       "'allow_extrapolation'");
    }
    MP_ASSIGN_OR_RETURN(result->patch, PatchName(request, *patch));
    result->alpha = alpha;
    return absl::OkStatus();
  }
  if (alpha.has_value() && !checkpoint.has_value()) {
    return InvalidAt("parameters.alpha", "BAD_PARAMETER",
                     "the parameter 'alpha' says how far to go to a checkpoint or patch; name it in the parameter "
                     "'checkpoint' or 'patch'");
  }
  if (checkpoint.has_value()) {
    v1::MixtureTerm& term = *result->mixture.add_terms();
    term.set_checkpoint(NameIn(kCheckpoints, *checkpoint));
    term.set_coefficient(alpha.value_or(kDefaultAlpha));
  }
  result->mixture.set_allow_extrapolation(extrapolation.value_or(false));
  return absl::OkStatus();
}

// The texts of the tensor or of the parameter `name`, whichever is there.
absl::StatusOr<std::optional<std::vector<std::string>>> ToTexts(const ModelInferRequest& request,
                                                                const Tensors& tensors, const std::string& name,
                                                                int64_t maximum) {
  MP_ASSIGN_OR_RETURN(auto texts, ListParameter(request.parameters(), name, maximum));
  const InputTensor* tensor = Find(tensors, name);
  if (tensor == nullptr) return texts;
  if (texts.has_value()) {
    return tensor->Error("CONFLICTING_INPUTS", "name", "is a parameter of the request as well; send one of them");
  }
  MP_ASSIGN_OR_RETURN(texts, BytesElements(*tensor, maximum));
  return texts;
}

absl::StatusOr<std::optional<v1::ClassPrompts>> ToPrompts(const ModelInferRequest& request, const Tensors& tensors,
                                                          int64_t maximum) {
  MP_ASSIGN_OR_RETURN(auto class_names, ToTexts(request, tensors, "class_names", maximum));
  MP_ASSIGN_OR_RETURN(auto templates, ToTexts(request, tensors, "templates", maximum));
  if (!class_names.has_value()) {
    if (!templates.has_value()) return std::optional<v1::ClassPrompts>();
    return InvalidAt("templates", "NO_CLASSES", "the request has templates and no class_names to put into them");
  }
  v1::ClassPrompts prompts;
  v1::ClassPrompts::Names& names = *prompts.mutable_names();
  for (std::string& name : *class_names) names.add_class_names(std::move(name));
  if (templates.has_value()) {
    for (std::string& text : *templates) names.add_templates(std::move(text));
  }
  return std::optional(std::move(prompts));
}

absl::Status ReadPixels(const InputTensor& tensor, int64_t maximum_images, InferRequest* result) {
  const auto& shape = tensor.message->shape();
  if (shape.size() != kPixelDimensions || shape[1] != kChannels) {
    return tensor.Error("BAD_TENSOR_SHAPE", "shape", "must have the shape [N, 3, height, width]");
  }
  if (shape[0] > maximum_images) {
    return tensor.Error("TOO_MANY_ELEMENTS", "shape",
                        fmt::format("has {} images; send at most {} at once", shape[0], maximum_images));
  }
  MP_ASSIGN_OR_RETURN(const std::string elements, FloatElements(tensor));
  result->pixel_size.emplace(shape[2], shape[3]);
  // Without a pixel there is nothing to cut the elements into.
  if (tensor.element_count == 0) return tensor.Error("NO_IMAGES", "shape", "has no element; send at least one image");
  const size_t image_bytes = elements.size() / static_cast<size_t>(shape[0]);
  for (size_t at = 0; at < elements.size(); at += image_bytes) {
    result->images.Add()->set_tensor(elements.substr(at, image_bytes));
  }
  return absl::OkStatus();
}

absl::Status ReadImages(const Tensors& tensors, int64_t maximum_images, InferRequest* result) {
  const InputTensor* images = Find(tensors, "images");
  const InputTensor* pixels = Find(tensors, "pixels");
  if (images != nullptr && pixels != nullptr) {
    return pixels->Error("CONFLICTING_INPUTS", "name", "is beside the input 'images'; send one of them");
  }
  if (pixels != nullptr) return ReadPixels(*pixels, maximum_images, result);
  if (images == nullptr) {
    return InvalidAt("inputs", "NO_IMAGES", "the request has neither an input 'images' nor an input 'pixels'");
  }
  MP_ASSIGN_OR_RETURN(auto elements, BytesElements(*images, maximum_images));
  if (elements.empty()) return images->Error("NO_IMAGES", "shape", "has no element; send at least one image");
  for (std::string& element : elements) result->images.Add()->set_encoded(std::move(element));
  return absl::OkStatus();
}

bool IsScore(std::string_view name) { return name == kProbabilities || name == kLogits || name == kCosines; }

absl::StatusOr<RequestedOutput> ToOutput(const ModelInferRequest::InferRequestedOutputTensor& message,
                                         bool has_classes) {
  const bool is_known =
      has_classes ? IsScore(message.name()) || message.name() == kClassNames : message.name() == kImageFeatures;
  if (!is_known) {
    return InvalidAt("name", "UNKNOWN_OUTPUT",
                     fmt::format("there is no output '{}'; a request {}", base::Printable(message.name()),
                                 has_classes ? "with class_names has probabilities, logits, cosines and class_names"
                                             : "without class_names has image_features alone"));
  }
  RequestedOutput output{message.name(), 0};
  if (!IsScore(message.name())) {
    MP_RETURN_IF_ERROR(CheckKnownParameters(message.parameters(), {}));
    return output;
  }
  MP_RETURN_IF_ERROR(CheckKnownParameters(message.parameters(), {"classification"}));
  MP_ASSIGN_OR_RETURN(const auto classification, CountParameter(message.parameters(), "classification"));
  if (classification.has_value() && *classification == 0) {
    return InvalidAt("parameters.classification", "BAD_PARAMETER",
                     "the parameter 'classification' is 0; send how many classes to answer, at least 1");
  }
  output.classification = classification.value_or(0);
  return output;
}

absl::Status ReadOutputs(const ModelInferRequest& request, InferRequest* result) {
  const bool has_classes = result->class_prompts.has_value();
  for (int i = 0; i < request.outputs_size(); ++i) {
    const std::string path = fmt::format("outputs[{}]", i);
    auto output = ToOutput(request.outputs(i), has_classes);
    if (!output.ok()) return base::WithField(output.status(), path);
    for (const RequestedOutput& earlier : result->outputs) {
      if (earlier.name == output->name) {
        return InvalidAt(path, "DUPLICATE_OUTPUT", fmt::format("the output '{}' is requested twice", output->name));
      }
    }
    result->outputs.push_back(*std::move(output));
  }
  if (!result->outputs.empty()) return absl::OkStatus();
  if (!has_classes) {
    result->outputs = {{kImageFeatures}};
  } else {
    result->outputs = {{kProbabilities}, {kLogits}, {kCosines}};
    if (result->top_k > 0) result->outputs.push_back({kClassNames});
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<InferRequest> ToInferRequest(const ModelInferRequest& request, const InferLimits& limits) {
  MP_RETURN_IF_ERROR(CheckKnownParameters(request.parameters(), {"alpha", "allow_extrapolation", "checkpoint",
                                                                 "class_names", "patch", "templates", "top_k"}));
  MP_ASSIGN_OR_RETURN(const Tensors tensors, ReadInputs(request));
  MP_RETURN_IF_ERROR(CheckInputNames(tensors));
  InferRequest result;
  result.is_raw = request.raw_input_contents_size() > 0;
  MP_RETURN_IF_ERROR(ReadWeights(request, &result));
  MP_ASSIGN_OR_RETURN(result.class_prompts, ToPrompts(request, tensors, limits.maximum_classes));
  MP_ASSIGN_OR_RETURN(const auto top_k, CountParameter(request.parameters(), "top_k"));
  result.top_k = top_k.value_or(0);
  if (result.top_k > 0 && !result.class_prompts.has_value()) {
    return InvalidAt("parameters.top_k", "NO_CLASSES", "the parameter 'top_k' needs class_names to choose from");
  }
  MP_RETURN_IF_ERROR(ReadOutputs(request, &result));
  MP_RETURN_IF_ERROR(ReadImages(tensors, limits.maximum_images, &result));
  return result;
}

absl::Status AtInferField(const absl::Status& status, const InferRequest& request) {
  const std::string field = base::FieldOf(status);
  const auto starts = [&field](std::string_view prefix) { return field.rfind(prefix, 0) == 0; };
  if (starts("names.")) return AtField(status, field.substr(std::string_view("names.").size()));
  if (starts("images[")) {
    const size_t bracket = field.find('[');
    const std::string index = field.substr(bracket, field.find(']') + 1 - bracket);
    return AtField(status, fmt::format("{}{}", request.images_input(), index));
  }
  if (starts("images")) return AtField(status, request.images_input());
  if (field == "model") return AtField(status, "model_name");
  if (field == "patch") return AtField(status, "parameters.patch");
  if (field == "alpha") return AtField(status, "parameters.alpha");
  if (starts("terms") && field.find("coefficient") != std::string::npos) return AtField(status, "parameters.alpha");
  if (starts("terms")) return AtField(status, "parameters.checkpoint");
  return status;
}

}  // namespace modelpatch::server
