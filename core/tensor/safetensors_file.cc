#include "core/tensor/safetensors_file.h"

#include <torch/torch.h>

#include <utility>

#include "core/tensor/mapped_tensor.h"

namespace modelpatch::tensor {
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
  return ViewOf(file_, header_->data_offset + info.begin, info);
}

}  // namespace modelpatch::tensor
