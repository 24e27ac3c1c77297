// A tensor whose elements are bytes of a mapped file.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "core/base/file.h"
#include "core/tensor/safetensors_header.h"

namespace at {
class Tensor;
}

namespace modelpatch::tensor {

// A view, of `info`'s dtype and shape, of the bytes from `offset` on; `strides` in elements, empty if they lie in
// order. The caller has checked that all of it is inside. Not to be written; it keeps the mapping alive.
at::Tensor ViewOf(std::shared_ptr<const base::MappedFile> file, uint64_t offset, const TensorInfo& info,
                  const std::vector<int64_t>& strides = {});

}  // namespace modelpatch::tensor
