#include "core/tensor/weight_memory.h"

#include <malloc.h>
#include <sys/mman.h>
#include <torch/torch.h>

#include <new>

namespace modelpatch::tensor {

at::Tensor AllocateWeightMemory(int64_t size) {
  const auto options = at::TensorOptions().dtype(at::kFloat);
  if (size == 0) return at::empty({0}, options);
  const size_t bytes = static_cast<size_t>(size) * sizeof(float);
  void* data = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (data == MAP_FAILED) throw std::bad_alloc();
  madvise(data, bytes, MADV_HUGEPAGE);
  return at::from_blob(
      data, {size}, [bytes](void* memory) { munmap(memory, bytes); }, options);
}

void KeepHeapForActivations() {
  constexpr int kThreshold = 1 << 30;
  mallopt(M_MMAP_THRESHOLD, kThreshold);
  mallopt(M_TRIM_THRESHOLD, kThreshold);
}

}  // namespace modelpatch::tensor
