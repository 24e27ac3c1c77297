#include "core/tensor/mapped_tensor.h"

#include <torch/torch.h>

#include <utility>

#include "core/tensor/scalar_type.h"

namespace modelpatch::tensor {
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
