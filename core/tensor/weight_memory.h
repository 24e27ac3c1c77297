// Memory for weights: a mapping of its own for each buffer, so that unloading a model really frees it, while the heap
// is kept for activations.
#pragma once

#include <cstdint>

namespace at {
class Tensor;
}

namespace modelpatch::tensor {

// A zero fp32 tensor [size] on the CPU in an anonymous mapping (huge pages where the system grants them).
// Throws std::bad_alloc if the system has no memory.
at::Tensor AllocateWeightMemory(int64_t size);

// Keeps freed heap memory for the next activation: without it glibc returns large temporaries to the kernel after every
// operator, and page faults cost up to 40 % of a forward. Call once, at the start of main.
void KeepHeapForActivations();

}  // namespace modelpatch::tensor
