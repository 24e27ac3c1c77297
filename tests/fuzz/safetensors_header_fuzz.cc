// Any bytes as a safetensors file: refused, or every tensor lies inside the file and the header can be written again.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/tensor/safetensors_header.h"
#include "tests/fuzz/require.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace modelpatch::tensor;
  using modelpatch::fuzz::Require;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto header = ParseSafetensorsHeader(bytes);
  if (!header.ok()) {
    Require(!modelpatch::base::ReasonOf(header.status()).empty(), "an error has a reason");
    return 0;
  }
  uint64_t end = 0;
  for (const TensorInfo& tensor : header->tensors) {
    Require(tensor.begin == end && tensor.end >= tensor.begin, "tensors are contiguous");
    Require(static_cast<uint64_t>(tensor.numel() * SizeOf(tensor.dtype)) == tensor.end - tensor.begin, "sizes agree");
    Require(header->Find(tensor.name) == &tensor, "names are unique");
    end = tensor.end;
  }
  Require(header->data_offset + end == size, "the data ends with the file");
  const std::string again =
      SerializeSafetensorsHeader(header->tensors, header->metadata) + std::string(bytes.substr(header->data_offset));
  const auto reread = ParseSafetensorsHeader(again);
  Require(reread.ok() && reread->tensors.size() == header->tensors.size() && reread->metadata == header->metadata,
          "what is written is read");
  return 0;
}
