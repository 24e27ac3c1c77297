// InferRequest: what a ModelInfer request of the Open Inference Protocol asks for, in the words of our own API.
//
// Pure functions on plain values. What the tensors and parameters mean: proto/inference/grpc_predict_v2.proto. Names of
// models and checkpoints, class prompts and the bytes of images are not looked at here: what checks Classify's does.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/base/status.h"
#include "inference/grpc_predict_v2.pb.h"
#include "modelpatch/v1/resources.pb.h"

namespace modelpatch::server {

inline constexpr char kProbabilities[] = "probabilities";
inline constexpr char kLogits[] = "logits";
inline constexpr char kCosines[] = "cosines";
inline constexpr char kClassNames[] = "class_names";
inline constexpr char kImageFeatures[] = "image_features";

struct RequestedOutput {
  std::string name;
  // k of the classification extension; 0: the plain tensor.
  int64_t classification = 0;

  bool operator==(const RequestedOutput&) const = default;
};

struct InferRequest {
  // With the model alone if there is a patch.
  v1::Mixture mixture;
  // `patches/…`; empty if there is none.
  std::string patch;
  // Of the patch.
  std::optional<double> alpha;
  // Absent: the images are encoded.
  std::optional<v1::ClassPrompts> class_prompts;
  google::protobuf::RepeatedPtrField<v1::Image> images;
  // Height and width of the images, if they came as pixels.
  std::optional<std::pair<int64_t, int64_t>> pixel_size;
  // The best classes of each image, best first; 0: all, in the order of the class names.
  int64_t top_k = 0;
  // In the order of the answer; never empty.
  std::vector<RequestedOutput> outputs;
  // Whether the answer has raw contents.
  bool is_raw = false;

  // The name of the input that the images came in.
  const char* images_input() const { return pixel_size.has_value() ? "pixels" : "images"; }
};

// How much a request may hold, checked before it is copied.
struct InferLimits {
  int64_t maximum_images = 4096;
  int64_t maximum_classes = 10'000;
};

// INVALID_ARGUMENT with the field's path: UNKNOWN_INPUT, UNKNOWN_OUTPUT, DUPLICATE_OUTPUT, UNKNOWN_PARAMETER,
// BAD_PARAMETER, NO_IMAGES, NO_CLASSES, CONFLICTING_INPUTS, TOO_MANY_ELEMENTS, and what input_tensor.h says.
absl::StatusOr<InferRequest> ToInferRequest(const ::inference::ModelInferRequest& request, const InferLimits& limits);

// `status` of a check of `request.mixture`, `patch`, `alpha`, `class_prompts` or `images` with the path of the
// parameter or input that it came from.
absl::Status AtInferField(const absl::Status& status, const InferRequest& request);

}  // namespace modelpatch::server
