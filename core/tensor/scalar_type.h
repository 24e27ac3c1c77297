// A file's dtype as libtorch's. Thread safety: pure.
#pragma once

#include <cstdint>

#include "core/tensor/safetensors_header.h"

namespace c10 {
enum class ScalarType : int8_t;
}

namespace modelpatch::tensor {

c10::ScalarType ScalarTypeOf(DType dtype);

}  // namespace modelpatch::tensor
