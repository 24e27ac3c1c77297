// Any bytes as a file of torch.save: refused, or every tensor lies inside the file.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/tensor/torch_archive.h"
#include "tests/fuzz/require.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace modelpatch::tensor;
  using modelpatch::fuzz::Require;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto tensors = ParseTorchArchive(bytes);
  if (!tensors.ok()) {
    Require(!modelpatch::base::ReasonOf(tensors.status()).empty(), "an error has a reason");
    return 0;
  }
  for (const ArchivedTensor& tensor : *tensors) {
    Require(tensor.info.begin <= tensor.info.end && tensor.info.end <= size, "a tensor is inside the file");
    Require(tensor.strides.empty() || tensor.strides.size() == tensor.info.shape.size(), "each size has its stride");
    const auto bytes_of = static_cast<uint64_t>(tensor.info.numel() * SizeOf(tensor.info.dtype));
    if (tensor.strides.empty()) Require(bytes_of == tensor.info.end - tensor.info.begin, "sizes agree");
  }
  return 0;
}
