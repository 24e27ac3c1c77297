// The header of a safetensors file: names, dtypes, shapes and byte ranges, read strictly and written canonically.
//
// A file is: the length of the header (uint64, little-endian), the header (a JSON object, padded with spaces), the
// data. Reading is as strict as the reference implementation: whatever passes here can be mapped and used without
// another check. Thread safety: pure functions on values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/status.h"

namespace modelpatch::tensor {

enum class DType { kFloat64, kFloat32, kFloat16, kBFloat16, kInt64, kInt32, kInt16, kInt8, kUInt8, kBool };

// Bytes of one element.
int64_t SizeOf(DType dtype);
// The name the format uses: "F64", "F32", "F16", "BF16", "I64", "I32", "I16", "I8", "U8", "BOOL".
std::string_view NameOf(DType dtype);

struct TensorInfo {
  std::string name;
  DType dtype = DType::kFloat32;
  std::vector<int64_t> shape;  // empty for a scalar
  uint64_t begin = 0;          // bytes from the start of the data section
  uint64_t end = 0;

  // The product of the shape, 1 for a scalar. Cannot overflow for a parsed tensor.
  int64_t numel() const;
};

struct SafetensorsHeader {
  std::vector<TensorInfo> tensors;  // sorted by begin (then end, then name): contiguous, without holes or overlaps
  std::map<std::string, std::string> metadata;
  uint64_t data_offset = 0;  // of the data section, from the start of the file

  std::vector<size_t> by_name;  // the indices of `tensors`, sorted by name

  // The tensor of that name, or nullptr. Logarithmic in the number of tensors.
  const TensorInfo* Find(std::string_view name) const;
};

// Parses and checks the header of a whole file. The data itself is not looked at, except for its size.
// INVALID_ARGUMENT: SAFETENSORS_TRUNCATED (the file ends before the header or the data do),
// SAFETENSORS_HEADER_TOO_LARGE (more than 100 MB), SAFETENSORS_BAD_HEADER (not UTF-8, not the JSON the format asks for,
// duplicate keys), SAFETENSORS_UNKNOWN_DTYPE, SAFETENSORS_BAD_SHAPE (negative or overflowing), SAFETENSORS_BAD_OFFSETS
// (out of range, of another size than shape and dtype say, holes, overlaps, or bytes behind the last tensor).
absl::StatusOr<SafetensorsHeader> ParseSafetensorsHeader(std::string_view file_bytes);

// The same for a file of `file_size` bytes of which only the beginning is at hand, with at least what
// SafetensorsPrefixBytes says.
absl::StatusOr<SafetensorsHeader> ParseSafetensorsHeader(std::string_view beginning, uint64_t file_size);

// The bytes of length and header together, by the first bytes of a file of `file_size` bytes, of which eight are
// enough. INVALID_ARGUMENT: SAFETENSORS_TRUNCATED, SAFETENSORS_HEADER_TOO_LARGE.
absl::StatusOr<uint64_t> SafetensorsPrefixBytes(std::string_view beginning, uint64_t file_size);

// The length and the header of a file that holds `tensors` at their begin and end, padded with spaces to a multiple of
// 8 bytes; the data section follows directly. The tensors must be contiguous from 0, in any order.
std::string SerializeSafetensorsHeader(const std::vector<TensorInfo>& tensors,
                                       const std::map<std::string, std::string>& metadata);

}  // namespace modelpatch::tensor
