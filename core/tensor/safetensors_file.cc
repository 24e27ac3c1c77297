#include "core/tensor/safetensors_file.h"

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

absl::StatusOr<SafetensorsFile> SafetensorsFile::Open(const std::string& path) {
  MP_ASSIGN_OR_RETURN(base::MappedFile mapped, base::MappedFile::Open(path));
  SafetensorsFile file;
  file.file_ = std::make_shared<const base::MappedFile>(std::move(mapped));
  absl::StatusOr<SafetensorsHeader> header = ParseSafetensorsHeader(file.file_->bytes());
  if (!header.ok()) return base::WithContext(header.status(), "'" + path + "'");
  file.header_ = std::make_shared<const SafetensorsHeader>(*std::move(header));
  return file;
}

at::Tensor SafetensorsFile::View(const TensorInfo& info) const {
  // The mapping is read-only: const_cast because from_blob has no const form.
  char* data = const_cast<char*>(file_->bytes().data()) + header_->data_offset + info.begin;
  const auto options = at::TensorOptions().dtype(ScalarTypeOf(info.dtype));
  if (info.numel() == 0) return at::empty(info.shape, options);
  return at::from_blob(
      data, info.shape, [file = file_](void*) {}, options);
}

}  // namespace modelpatch::tensor
