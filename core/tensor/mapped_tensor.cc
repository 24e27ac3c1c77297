#include "core/tensor/mapped_tensor.h"

#include <torch/torch.h>

#include <utility>

namespace modelpatch::tensor {
namespace {

at::ScalarType ScalarTypeOf(DType dtype) {
  switch (dtype) {
    case DType::kFloat64:
      return at::kDouble;
    case DType::kFloat32:
      return at::kFloat;
    case DType::kFloat16:
      return at::kHalf;
    case DType::kBFloat16:
      return at::kBFloat16;
    case DType::kInt64:
      return at::kLong;
    case DType::kInt32:
      return at::kInt;
    case DType::kInt16:
      return at::kShort;
    case DType::kInt8:
      return at::kChar;
    case DType::kUInt8:
      return at::kByte;
    case DType::kBool:
      return at::kBool;
  }
  return at::kByte;
}

}  // namespace

at::Tensor ViewOf(std::shared_ptr<const base::MappedFile> file, uint64_t offset, const TensorInfo& info,
                  const std::vector<int64_t>& strides) {
  const auto options = at::TensorOptions().dtype(ScalarTypeOf(info.dtype));
  if (info.numel() == 0) return at::empty(info.shape, options);
  // The mapping is read-only: const_cast because from_blob has no const form.
  char* data = const_cast<char*>(file->bytes().data()) + offset;
  const auto keep = [file = std::move(file)](void*) {};
  return strides.empty() ? at::from_blob(data, info.shape, keep, options)
                         : at::from_blob(data, info.shape, strides, keep, options);
}

}  // namespace modelpatch::tensor
