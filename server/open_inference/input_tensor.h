// InputTensor: one input of a ModelInfer request, with its shape, datatype and contents checked against each other.
//
// Pure functions and plain views: the request outlives them. Errors are INVALID_ARGUMENT, name the tensor, and carry
// the field's path in the request (`inputs[1].shape`).
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/status.h"
#include "inference/grpc_predict_v2.pb.h"

namespace modelpatch::server {

struct InputTensor {
  const ::inference::ModelInferRequest::InferInputTensor* message = nullptr;
  // The tensor's raw contents; null if it has typed ones.
  const std::string* raw = nullptr;
  // The product of the shape, which is never negative and never overflows.
  int64_t element_count = 0;
  // `inputs[1]`.
  std::string path;

  // An INVALID_ARGUMENT about `field` of this tensor.
  absl::Status Error(std::string_view reason, std::string_view field, const std::string& message) const;
};

// The inputs by name. DUPLICATE_INPUT; BAD_TENSOR_SHAPE (a negative size, more elements than can be counted);
// BAD_TENSOR_CONTENTS (typed and raw contents, or not one raw content for each input); UNKNOWN_PARAMETER.
absl::StatusOr<std::map<std::string, InputTensor>> ReadInputs(const ::inference::ModelInferRequest& request);

// The elements of a BYTES tensor [N] or [N, 1], at most `maximum`. BAD_TENSOR_DATATYPE, BAD_TENSOR_SHAPE,
// BAD_TENSOR_CONTENTS, TOO_MANY_ELEMENTS.
absl::StatusOr<std::vector<std::string>> BytesElements(const InputTensor& tensor, int64_t maximum);

// The elements of an FP32 tensor as little-endian bytes. BAD_TENSOR_DATATYPE, BAD_TENSOR_CONTENTS.
absl::StatusOr<std::string> FloatElements(const InputTensor& tensor);

}  // namespace modelpatch::server
