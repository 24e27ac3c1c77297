// Any bytes as a ModelInfer request: no message, refused with a reason, or a request whose parts agree.
#include <google/protobuf/stubs/logging.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include "server/open_inference/infer_request.h"
#include "server/open_inference/infer_response.h"
#include "tests/fuzz/require.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace modelpatch::server;
  using modelpatch::fuzz::Require;
  // It would say of every text that is not UTF-8 that it is not.
  static const google::protobuf::LogSilencer silencer;
  inference::ModelInferRequest message;
  if (!message.ParseFromArray(data, static_cast<int>(size))) return 0;
  const auto request = ToInferRequest(message, {});
  if (!request.ok()) {
    Require(request.status().code() == absl::StatusCode::kInvalidArgument, "it is the client's error");
    Require(!modelpatch::base::ReasonOf(request.status()).empty(), "an error has a reason");
    Require(!modelpatch::base::FieldOf(request.status()).empty(), "an error names its field");
    return 0;
  }
  Require(!request->images.empty(), "there is an image");
  Require(!request->outputs.empty(), "there is an output");
  size_t image_bytes = 0;
  for (const auto& image : request->images) {
    Require(image.has_tensor() == request->pixel_size.has_value(), "all images came the same way");
    image_bytes += image.encoded().size() + image.tensor().size();
  }
  Require(image_bytes <= size, "no byte is made up");
  if (!request->class_prompts.has_value()) return 0;
  const auto& names = request->class_prompts->names().class_names();
  Require(ResponseBytes(*request, {names.begin(), names.end()}) >= 0, "the answer has a size");
  return 0;
}
