#include "core/tensor/safetensors_header.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>
#include <tuple>
#include <unordered_set>
#include <utility>

#include "core/base/text.h"

namespace modelpatch::tensor {
namespace {

using base::InvalidArgument;
using base::Printable;

constexpr uint64_t kLengthBytes = 8;
constexpr uint64_t kMaximumHeaderBytes = 100'000'000;
constexpr std::string_view kMetadataKey = "__metadata__";

struct DTypeTraits {
  DType dtype;
  std::string_view name;
  int64_t size;
};

constexpr std::array<DTypeTraits, 10> kDTypes = {{{DType::kFloat64, "F64", 8},
                                                  {DType::kFloat32, "F32", 4},
                                                  {DType::kFloat16, "F16", 2},
                                                  {DType::kBFloat16, "BF16", 2},
                                                  {DType::kInt64, "I64", 8},
                                                  {DType::kInt32, "I32", 4},
                                                  {DType::kInt16, "I16", 2},
                                                  {DType::kInt8, "I8", 1},
                                                  {DType::kUInt8, "U8", 1},
                                                  {DType::kBool, "BOOL", 1}}};

const DTypeTraits& TraitsOf(DType dtype) { return kDTypes[static_cast<size_t>(dtype)]; }

absl::Status BadHeader(std::string_view message) {
  return InvalidArgument("SAFETENSORS_BAD_HEADER", fmt::format("the safetensors header {}", message));
}

// Reads the one shape of JSON that the format allows, as it streams by: nothing is built that could grow beyond the
// tensors themselves, however deep or strange the text, and a duplicate key is seen.
class HeaderReader {
 public:
  using number_integer_t = nlohmann::json::number_integer_t;
  using number_unsigned_t = nlohmann::json::number_unsigned_t;
  using number_float_t = nlohmann::json::number_float_t;
  using string_t = nlohmann::json::string_t;
  using binary_t = nlohmann::json::binary_t;

  std::vector<TensorInfo> tensors;
  std::map<std::string, std::string> metadata;
  absl::Status status;

  bool null() {
    if (skipping_ > 0 || place_ == Place::kUnknownValue) return EndScalar();
    if (place_ == Place::kMetadataValue) {
      place_ = Place::kTop;
      return true;
    }
    return Unexpected("null");
  }
  bool boolean(bool) { return Ignored("a boolean"); }
  bool number_integer(number_integer_t value) {
    if (place_ == Place::kShape && skipping_ == 0) {
      return Fail(InvalidArgument("SAFETENSORS_BAD_SHAPE", fmt::format("tensor '{}' has the negative dimension {}",
                                                                       Printable(tensors.back().name), value)));
    }
    return Ignored("a negative number");
  }
  bool number_unsigned(number_unsigned_t value) {
    if (skipping_ == 0 && place_ == Place::kShape) {
      if (value > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
        return Fail(InvalidArgument(
            "SAFETENSORS_BAD_SHAPE",
            fmt::format("tensor '{}' has the dimension {}, above 2^63 - 1", Printable(tensors.back().name), value)));
      }
      tensors.back().shape.push_back(static_cast<int64_t>(value));
      return true;
    }
    if (skipping_ == 0 && place_ == Place::kOffsets) {
      if (offset_count_ == 0) tensors.back().begin = value;
      if (offset_count_ == 1) tensors.back().end = value;
      ++offset_count_;
      return offset_count_ <= 2 || Unexpected("a third offset");
    }
    return Ignored("a number");
  }
  bool number_float(number_float_t, const string_t&) { return Ignored("a number that is not an integer"); }
  bool binary(binary_t&) { return Unexpected("binary data"); }
  bool string(string_t& value) {
    if (skipping_ == 0 && place_ == Place::kMetadata) {
      metadata[key_] = std::move(value);
      return true;
    }
    if (skipping_ == 0 && place_ == Place::kDType) {
      for (const DTypeTraits& traits : kDTypes) {
        if (traits.name == value) {
          tensors.back().dtype = traits.dtype;
          place_ = Place::kTensor;
          return true;
        }
      }
      return Fail(
          InvalidArgument("SAFETENSORS_UNKNOWN_DTYPE",
                          fmt::format("tensor '{}' has the dtype '{}'; F64, F32, F16, BF16, I64, I32, I16, I8, U8 "
                                      "and BOOL are supported",
                                      Printable(tensors.back().name), Printable(value))));
    }
    return Ignored("a string");
  }

  bool start_object(std::size_t) {
    if (skipping_ > 0 || place_ == Place::kUnknownValue) return ++skipping_ > 0;
    switch (place_) {
      case Place::kStart:
        place_ = Place::kTop;
        return true;
      case Place::kMetadataValue:
        place_ = Place::kMetadata;
        return true;
      case Place::kTensorValue:
        place_ = Place::kTensor;
        has_dtype_ = has_shape_ = has_offsets_ = false;
        return true;
      default:
        return Unexpected("an object");
    }
  }
  bool key(string_t& name) {
    if (skipping_ > 0) return true;
    switch (place_) {
      case Place::kTop:
        if (!names_.insert(name).second) return Duplicate(name);
        if (name == kMetadataKey) {
          place_ = Place::kMetadataValue;
        } else {
          place_ = Place::kTensorValue;
          tensors.emplace_back().name = std::move(name);
        }
        return true;
      case Place::kMetadata:
        if (metadata.contains(name)) return Duplicate(name);
        key_ = std::move(name);
        metadata[key_];
        return true;
      default:
        return TensorKey(name);
    }
  }
  bool end_object() {
    if (skipping_ > 0) return EndNested();
    if (place_ == Place::kTensor && !(has_dtype_ && has_shape_ && has_offsets_)) {
      return Fail(BadHeader(fmt::format("gives tensor '{}' no {}", Printable(tensors.back().name),
                                        !has_dtype_ ? "dtype" : (!has_shape_ ? "shape" : "data_offsets"))));
    }
    place_ = place_ == Place::kTop ? Place::kEnd : Place::kTop;
    return true;
  }
  bool start_array(std::size_t) {
    if (skipping_ > 0 || place_ == Place::kUnknownValue) return ++skipping_ > 0;
    if (place_ == Place::kShapeValue) {
      place_ = Place::kShape;
      return true;
    }
    if (place_ == Place::kOffsetsValue) {
      place_ = Place::kOffsets;
      offset_count_ = 0;
      return true;
    }
    return Unexpected("an array");
  }
  bool end_array() {
    if (skipping_ > 0) return EndNested();
    if (place_ == Place::kOffsets && offset_count_ != 2) return Unexpected("data_offsets without two numbers");
    place_ = Place::kTensor;
    return true;
  }
  bool parse_error(std::size_t position, const std::string&, const nlohmann::json::exception&) {
    return Fail(BadHeader(fmt::format("is not valid JSON in UTF-8, near its byte {}", position)));
  }

 private:
  enum class Place {
    kStart,
    kTop,
    kMetadataValue,
    kMetadata,
    kTensorValue,
    kTensor,
    kDType,
    kShapeValue,
    kShape,
    kOffsetsValue,
    kOffsets,
    kUnknownValue,
    kEnd
  };

  bool Fail(absl::Status error) {
    status = std::move(error);
    return false;
  }
  bool Unexpected(std::string_view what) {
    if (!tensors.empty() && place_ != Place::kMetadata && place_ != Place::kMetadataValue) {
      return Fail(BadHeader(
          fmt::format("has {} where it does not belong, at tensor '{}'", what, Printable(tensors.back().name))));
    }
    return Fail(BadHeader(fmt::format("has {} where it does not belong", what)));
  }
  bool Duplicate(const std::string& name) { return Fail(BadHeader(fmt::format("names '{}' twice", Printable(name)))); }
  // A value that is only right inside a field nobody knows; such fields are skipped, as the reference does.
  bool Ignored(std::string_view what) {
    if (skipping_ > 0 || place_ == Place::kUnknownValue) return EndScalar();
    return Unexpected(what);
  }
  bool EndScalar() {
    if (skipping_ == 0) place_ = Place::kTensor;
    return true;
  }
  bool EndNested() {
    if (--skipping_ == 0) place_ = Place::kTensor;
    return true;
  }
  bool TensorKey(const std::string& name) {
    bool* seen = name == "dtype" ? &has_dtype_
                                 : (name == "shape" ? &has_shape_ : (name == "data_offsets" ? &has_offsets_ : nullptr));
    if (seen == nullptr) {
      place_ = Place::kUnknownValue;
      return true;
    }
    if (std::exchange(*seen, true)) return Duplicate(tensors.back().name + "." + name);
    place_ = seen == &has_dtype_ ? Place::kDType : (seen == &has_shape_ ? Place::kShapeValue : Place::kOffsetsValue);
    return true;
  }

  Place place_ = Place::kStart;
  int64_t skipping_ = 0;  // how deep inside an unknown field
  int offset_count_ = 0;
  bool has_dtype_ = false, has_shape_ = false, has_offsets_ = false;
  std::string key_;
  std::unordered_set<std::string> names_;
};

// Bytes that shape and dtype ask for; nothing if that overflows. Multiplied in order, as the reference does, so that a
// zero does not excuse an overflow before it.
std::optional<uint64_t> ByteSize(const TensorInfo& tensor) {
  int64_t size = 1;
  for (const int64_t dimension : tensor.shape) {
    if (__builtin_mul_overflow(size, dimension, &size)) return std::nullopt;
  }
  if (__builtin_mul_overflow(size, SizeOf(tensor.dtype), &size)) return std::nullopt;
  return static_cast<uint64_t>(size);
}

bool InFileOrder(const TensorInfo& a, const TensorInfo& b) {
  return std::tie(a.begin, a.end, a.name) < std::tie(b.begin, b.end, b.name);
}

std::vector<size_t> IndicesByName(const std::vector<TensorInfo>& tensors) {
  std::vector<size_t> indices(tensors.size());
  std::iota(indices.begin(), indices.end(), size_t{0});
  std::sort(indices.begin(), indices.end(), [&](size_t a, size_t b) { return tensors[a].name < tensors[b].name; });
  return indices;
}

absl::Status CheckTensors(const std::vector<TensorInfo>& tensors, uint64_t data_size) {
  uint64_t expected = 0;
  for (const TensorInfo& tensor : tensors) {
    const std::string name = Printable(tensor.name);
    const std::optional<uint64_t> size = ByteSize(tensor);
    if (!size.has_value()) {
      return InvalidArgument(
          "SAFETENSORS_BAD_SHAPE",
          fmt::format("the size of tensor '{}' overflows; the product of its shape is too large", name));
    }
    if (tensor.begin > tensor.end) {
      return InvalidArgument("SAFETENSORS_BAD_OFFSETS", fmt::format("tensor '{}' ends at {}, before its begin {}", name,
                                                                    tensor.end, tensor.begin));
    }
    if (tensor.end - tensor.begin != *size) {
      return InvalidArgument("SAFETENSORS_BAD_OFFSETS",
                             fmt::format("tensor '{}' has {} bytes, but its shape and dtype ask for {}", name,
                                         tensor.end - tensor.begin, *size));
    }
    if (tensor.begin != expected) {
      return InvalidArgument(
          "SAFETENSORS_BAD_OFFSETS",
          fmt::format("tensor '{}' begins at {}, but the tensor before it ends at {}; holes and overlaps are "
                      "not allowed",
                      name, tensor.begin, expected));
    }
    expected = tensor.end;
  }
  if (expected > data_size) {
    return InvalidArgument(
        "SAFETENSORS_TRUNCATED",
        fmt::format("the tensors need {} bytes of data, but the file has {}; it is cut short", expected, data_size));
  }
  if (expected < data_size) {
    return InvalidArgument("SAFETENSORS_BAD_OFFSETS", fmt::format("{} bytes follow the last tensor, which ends at {}",
                                                                  data_size - expected, expected));
  }
  return absl::OkStatus();
}

}  // namespace

int64_t SizeOf(DType dtype) { return TraitsOf(dtype).size; }
std::string_view NameOf(DType dtype) { return TraitsOf(dtype).name; }

int64_t TensorInfo::numel() const {
  int64_t count = 1;
  for (const int64_t dimension : shape) count *= dimension;
  return count;
}

const TensorInfo* SafetensorsHeader::Find(std::string_view name) const {
  const auto found =
      std::lower_bound(by_name.begin(), by_name.end(), name,
                       [this](size_t index, std::string_view wanted) { return tensors[index].name < wanted; });
  return found == by_name.end() || tensors[*found].name != name ? nullptr : &tensors[*found];
}

absl::StatusOr<uint64_t> SafetensorsPrefixBytes(std::string_view beginning, uint64_t file_size) {
  if (std::min<uint64_t>(beginning.size(), file_size) < kLengthBytes) {
    return InvalidArgument(
        "SAFETENSORS_TRUNCATED",
        fmt::format("the file has {} bytes; a safetensors file has at least {}", file_size, kLengthBytes));
  }
  uint64_t length = 0;
  for (int i = kLengthBytes - 1; i >= 0; --i) length = length << 8 | static_cast<unsigned char>(beginning[i]);
  if (length > kMaximumHeaderBytes) {
    return InvalidArgument(
        "SAFETENSORS_HEADER_TOO_LARGE",
        fmt::format("the file claims a header of {} bytes; at most {} are allowed (is it a safetensors file?)", length,
                    kMaximumHeaderBytes));
  }
  if (length > file_size - kLengthBytes) {
    return InvalidArgument("SAFETENSORS_TRUNCATED",
                           fmt::format("the file claims a header of {} bytes, but has {} after its length", length,
                                       file_size - kLengthBytes));
  }
  return kLengthBytes + length;
}

absl::StatusOr<SafetensorsHeader> ParseSafetensorsHeader(std::string_view file_bytes) {
  return ParseSafetensorsHeader(file_bytes, file_bytes.size());
}

absl::StatusOr<SafetensorsHeader> ParseSafetensorsHeader(std::string_view beginning, uint64_t file_size) {
  MP_ASSIGN_OR_RETURN(const uint64_t data_offset, SafetensorsPrefixBytes(beginning, file_size));
  if (beginning.size() < data_offset) {
    return InvalidArgument("SAFETENSORS_TRUNCATED", fmt::format("the header ends at byte {}, but the file at byte {}",
                                                                data_offset, beginning.size()));
  }
  const std::string_view text = beginning.substr(kLengthBytes, data_offset - kLengthBytes);
  if (!text.starts_with('{')) return BadHeader("does not start with '{'");
  // The JSON parser takes a NUL for the end of the text; whatever follows would go unseen.
  if (!base::IsValidUtf8(text) || text.find('\0') != std::string_view::npos) return BadHeader("is not UTF-8 text");

  HeaderReader reader;
  if (!nlohmann::json::sax_parse(text.begin(), text.end(), &reader)) {
    return reader.status.ok() ? BadHeader("is not valid JSON") : reader.status;
  }
  SafetensorsHeader header;
  header.tensors = std::move(reader.tensors);
  header.metadata = std::move(reader.metadata);
  header.data_offset = data_offset;
  std::sort(header.tensors.begin(), header.tensors.end(), InFileOrder);
  MP_RETURN_IF_ERROR(CheckTensors(header.tensors, file_size - data_offset));
  header.by_name = IndicesByName(header.tensors);
  return header;
}

std::string SerializeSafetensorsHeader(const std::vector<TensorInfo>& tensors,
                                       const std::map<std::string, std::string>& metadata) {
  nlohmann::ordered_json json = nlohmann::ordered_json::object();
  if (!metadata.empty()) json[std::string(kMetadataKey)] = metadata;
  std::vector<const TensorInfo*> order;
  for (const TensorInfo& tensor : tensors) order.push_back(&tensor);
  std::sort(order.begin(), order.end(), [](const TensorInfo* a, const TensorInfo* b) { return InFileOrder(*a, *b); });
  // Appended to the underlying vector: ordered_json's operator[] searches, quadratic in the number of tensors.
  auto& members = json.get_ref<nlohmann::ordered_json::object_t&>();
  for (const TensorInfo* tensor : order) {
    nlohmann::ordered_json value = nlohmann::ordered_json::object();
    value["dtype"] = std::string(NameOf(tensor->dtype));
    value["shape"] = tensor->shape;
    value["data_offsets"] = {tensor->begin, tensor->end};
    members.Container::emplace_back(tensor->name, std::move(value));
  }
  std::string text = json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  text.append((kLengthBytes - text.size() % kLengthBytes) % kLengthBytes, ' ');

  std::string result;
  result.reserve(kLengthBytes + text.size());
  for (uint64_t i = 0; i < kLengthBytes; ++i)
    result += static_cast<char>(static_cast<uint64_t>(text.size()) >> (8 * i));
  return result + text;
}

}  // namespace modelpatch::tensor
