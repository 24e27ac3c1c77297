#include "server/open_inference/input_tensor.h"

#include <fmt/format.h>

#include <bit>
#include <cstring>
#include <utility>

#include "core/base/text.h"

namespace modelpatch::server {
namespace {

static_assert(std::endian::native == std::endian::little, "raw contents are little-endian and are copied as they are");

using ::inference::InferTensorContents;
using ::inference::ModelInferRequest;

// Before each element of a raw BYTES tensor.
constexpr size_t kLengthBytes = 4;

absl::Status CheckParameters(const InputTensor& tensor) {
  for (const auto& [name, value] : tensor.message->parameters()) {
    if (name != "content_type") {
      return tensor.Error("UNKNOWN_PARAMETER", fmt::format("parameters.{}", base::Printable(name)),
                          fmt::format("has the unknown parameter '{}'; send none", base::Printable(name)));
    }
    if (value.string_param() != "str" && value.string_param() != "np") {
      return tensor.Error("BAD_PARAMETER", "parameters.content_type",
                          fmt::format("has the content_type '{}', which is not supported; send the elements as they "
                                      "are, without a content_type",
                                      base::Printable(value.string_param())));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<int64_t> CountElements(const InputTensor& tensor) {
  int64_t count = 1;
  for (const int64_t size : tensor.message->shape()) {
    if (size < 0) {
      return tensor.Error("BAD_TENSOR_SHAPE", "shape",
                          fmt::format("has the negative size {}; give the true sizes", size));
    }
    if (__builtin_mul_overflow(count, size, &count)) {
      return tensor.Error("BAD_TENSOR_SHAPE", "shape", "has a shape of more elements than any message holds");
    }
  }
  return count;
}

// How many elements lie in the fields of other datatypes than `wanted`.
int64_t OtherElements(const InferTensorContents& contents, int wanted) {
  int64_t all = contents.bool_contents_size();
  all += contents.int_contents_size();
  all += contents.int64_contents_size();
  all += contents.uint_contents_size();
  all += contents.uint64_contents_size();
  all += contents.fp32_contents_size();
  all += contents.fp64_contents_size();
  all += contents.bytes_contents_size();
  return all - wanted;
}

absl::Status CheckDatatype(const InputTensor& tensor, std::string_view wanted) {
  if (tensor.message->datatype() == wanted) return absl::OkStatus();
  return tensor.Error(
      "BAD_TENSOR_DATATYPE", "datatype",
      fmt::format("has the datatype '{}'; send {}", base::Printable(tensor.message->datatype()), wanted));
}

absl::Status CheckTypedCount(const InputTensor& tensor, int found, std::string_view field) {
  if (OtherElements(tensor.message->contents(), found) > 0) {
    return tensor.Error("BAD_TENSOR_CONTENTS", "contents",
                        fmt::format("has elements of another datatype than {}; put them into {} alone",
                                    tensor.message->datatype(), field));
  }
  if (found == tensor.element_count) return absl::OkStatus();
  return tensor.Error("BAD_TENSOR_CONTENTS", "contents",
                      fmt::format("has {} elements in {}, and its shape says {}", found, field, tensor.element_count));
}

absl::StatusOr<std::vector<std::string>> SplitRaw(const InputTensor& tensor) {
  const std::string_view bytes = *tensor.raw;
  const auto count = static_cast<size_t>(tensor.element_count);
  // Before anything is reserved for what a shape only claims.
  if (count > bytes.size() / kLengthBytes) {
    return tensor.Error("BAD_TENSOR_CONTENTS", "contents",
                        fmt::format("has {} bytes of raw contents, too few for the {} elements of its shape with 4 "
                                    "bytes of length before each",
                                    bytes.size(), count));
  }
  std::vector<std::string> elements;
  elements.reserve(count);
  size_t at = 0;
  for (size_t i = 0; i < count; ++i) {
    uint32_t length = 0;
    if (bytes.size() - at >= kLengthBytes) std::memcpy(&length, bytes.data() + at, kLengthBytes);
    if (bytes.size() - at < kLengthBytes || bytes.size() - at - kLengthBytes < length) {
      return tensor.Error("BAD_TENSOR_CONTENTS", "contents",
                          fmt::format("has raw contents that end inside of element {}: {} bytes are left, and its "
                                      "length says {}",
                                      i, bytes.size() - at, length));
    }
    at += kLengthBytes;
    elements.emplace_back(bytes.substr(at, length));
    at += length;
  }
  if (at != bytes.size()) {
    return tensor.Error(
        "BAD_TENSOR_CONTENTS", "contents",
        fmt::format("has {} bytes of raw contents after the {} elements of its shape", bytes.size() - at, count));
  }
  return elements;
}

}  // namespace

absl::Status InputTensor::Error(std::string_view reason, std::string_view field, const std::string& text) const {
  return base::WithField(
      base::WithField(
          base::InvalidArgument(reason, fmt::format("the input '{}' {}", base::Printable(message->name()), text)),
          field),
      path);
}

absl::StatusOr<std::map<std::string, InputTensor>> ReadInputs(const ModelInferRequest& request) {
  const bool is_raw = request.raw_input_contents_size() > 0;
  if (is_raw && request.raw_input_contents_size() != request.inputs_size()) {
    return base::WithField(
        base::InvalidArgument("BAD_TENSOR_CONTENTS",
                              fmt::format("the request has {} raw contents and {} inputs; send one for each input",
                                          request.raw_input_contents_size(), request.inputs_size())),
        "raw_input_contents");
  }
  std::map<std::string, InputTensor> tensors;
  for (int i = 0; i < request.inputs_size(); ++i) {
    InputTensor tensor;
    tensor.message = &request.inputs(i);
    tensor.path = fmt::format("inputs[{}]", i);
    if (is_raw) tensor.raw = &request.raw_input_contents(i);
    if (is_raw && tensor.message->has_contents()) {
      return tensor.Error("BAD_TENSOR_CONTENTS", "contents", "has typed contents beside raw ones; send one of them");
    }
    MP_RETURN_IF_ERROR(CheckParameters(tensor));
    MP_ASSIGN_OR_RETURN(tensor.element_count, CountElements(tensor));
    if (!tensors.emplace(tensor.message->name(), tensor).second) {
      return tensor.Error("DUPLICATE_INPUT", "name", "is in the request twice");
    }
  }
  return tensors;
}

absl::StatusOr<std::vector<std::string>> BytesElements(const InputTensor& tensor, int64_t maximum) {
  MP_RETURN_IF_ERROR(CheckDatatype(tensor, "BYTES"));
  const auto& shape = tensor.message->shape();
  if (shape.size() != 1 && !(shape.size() == 2 && shape[1] == 1)) {
    return tensor.Error("BAD_TENSOR_SHAPE", "shape",
                        fmt::format("has {} dimensions; its shape must be [N] or [N, 1]", shape.size()));
  }
  if (tensor.element_count > maximum) {
    return tensor.Error("TOO_MANY_ELEMENTS", "shape",
                        fmt::format("has {} elements; send at most {}", tensor.element_count, maximum));
  }
  if (tensor.raw != nullptr) return SplitRaw(tensor);
  const auto& elements = tensor.message->contents().bytes_contents();
  MP_RETURN_IF_ERROR(CheckTypedCount(tensor, elements.size(), "bytes_contents"));
  return std::vector<std::string>(elements.begin(), elements.end());
}

absl::StatusOr<std::string> FloatElements(const InputTensor& tensor) {
  MP_RETURN_IF_ERROR(CheckDatatype(tensor, "FP32"));
  if (tensor.raw != nullptr) {
    if (tensor.raw->size() % sizeof(float) != 0 ||
        tensor.raw->size() / sizeof(float) != static_cast<size_t>(tensor.element_count)) {
      return tensor.Error("BAD_TENSOR_CONTENTS", "contents",
                          fmt::format("has {} bytes of raw contents, and its shape says {} elements of 4 bytes",
                                      tensor.raw->size(), tensor.element_count));
    }
    return *tensor.raw;
  }
  const auto& elements = tensor.message->contents().fp32_contents();
  MP_RETURN_IF_ERROR(CheckTypedCount(tensor, elements.size(), "fp32_contents"));
  return std::string(reinterpret_cast<const char*>(elements.data()),
                     static_cast<size_t>(elements.size()) * sizeof(float));
}

}  // namespace modelpatch::server
