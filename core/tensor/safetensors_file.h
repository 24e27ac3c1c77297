// SafetensorsFile: a safetensors file, memory-mapped; its tensors are views into the mapping.
//
// Immutable and thread-safe; the views keep the mapping alive.
#pragma once

#include <memory>
#include <string>

#include "core/base/file.h"
#include "core/tensor/safetensors_header.h"

namespace at {
class Tensor;
}

namespace modelpatch::tensor {

class SafetensorsFile {
 public:
  static absl::StatusOr<SafetensorsFile> Open(const std::string& path);

  const SafetensorsHeader& header() const { return *header_; }
  // A view of the file's bytes, of the tensor's own dtype and shape. Not to be written.
  at::Tensor View(const TensorInfo& info) const;

 private:
  SafetensorsFile() = default;
  std::shared_ptr<const base::MappedFile> file_;
  std::shared_ptr<const SafetensorsHeader> header_;
};

}  // namespace modelpatch::tensor
