#include "core/tensor/compat.h"

#include <dlfcn.h>
#include <fmt/format.h>
#include <torch/torch.h>
#include <torch/version.h>
#include <unistd.h>

#include <cmath>

#ifdef MODELPATCH_WITH_CUDA
#include <ATen/cuda/CUDAContext.h>
#include <c10/cuda/CUDACachingAllocator.h>
#endif

#define MODELPATCH_TORCH_AT_LEAST_2 (TORCH_VERSION_MAJOR >= 2)

namespace modelpatch::tensor {
namespace {

// OpenBLAS' answer to openblas_get_parallel().
constexpr int kOpenBlasPthread = 1;

// The function `name` of the BLAS that is loaded, if it is OpenBLAS.
template <typename Function>
Function FindBlasFunction(const char* name) {
  return reinterpret_cast<Function>(dlsym(RTLD_DEFAULT, name));
}

}  // namespace

at::Tensor ScaledDotProductAttention(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                                     bool causal) {
#if MODELPATCH_TORCH_AT_LEAST_2
  return at::scaled_dot_product_attention(query, key, value, /*attn_mask=*/{}, /*dropout_p=*/0.0, causal);
#else
  // [B·heads, T, d] batches let baddbmm scale the scores for free.
  const int64_t batch = query.size(0) * query.size(1);
  const int64_t queries = query.size(2);
  const int64_t length = key.size(2);
  const int64_t width = query.size(3);
  const at::Tensor q = query.reshape({batch, queries, width});
  const at::Tensor k = key.reshape({batch, length, width});
  const at::Tensor v = value.reshape({batch, length, width});
  const double scale = 1.0 / std::sqrt(static_cast<double>(width));
  const at::Tensor mask =
      causal ? at::full({queries, length}, -INFINITY, q.options()).triu_(1) : at::zeros({1, 1}, q.options());
  // Never with a beta of 0: 1.13 then multiplies what lies in fresh memory by 0, and NaN stays NaN.
  const at::Tensor scores = at::baddbmm(mask.expand({batch, queries, length}), q, k.transpose(1, 2), 1.0, scale);
  return at::bmm(at::softmax(scores, -1, at::kFloat).to(v.scalar_type()), v).view(query.sizes());
#endif
}

c10::Device ToTorchDevice(const Device& device) {
  if (!device.is_cuda()) return c10::Device(c10::kCPU);
  return c10::Device(c10::kCUDA, static_cast<c10::DeviceIndex>(device.cuda_index()));
}

Device FromTorchDevice(const c10::Device& device) {
  if (!device.is_cuda()) return Device();
  const auto parsed = Device::Parse(fmt::format("cuda:{}", static_cast<int>(device.index())));
  return parsed.ok() ? *parsed : Device();
}

int64_t DeviceMemoryBytes([[maybe_unused]] const Device& device) {
#ifdef MODELPATCH_WITH_CUDA
  if (device.is_cuda()) {
    return static_cast<int64_t>(
        at::cuda::getDeviceProperties(static_cast<c10::DeviceIndex>(device.cuda_index()))->totalGlobalMem);
  }
#endif
  return static_cast<int64_t>(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGE_SIZE);
}

void LimitDeviceMemory([[maybe_unused]] const Device& device, [[maybe_unused]] int64_t bytes) {
#ifdef MODELPATCH_WITH_CUDA
  const int64_t total = DeviceMemoryBytes(device);
  if (device.is_cuda() && bytes > 0 && bytes < total) {
    c10::cuda::CUDACachingAllocator::setMemoryFraction(static_cast<double>(bytes) / static_cast<double>(total),
                                                       static_cast<c10::DeviceIndex>(device.cuda_index()));
  }
#endif
}

void SetIntraOpThreads(int threads) { at::set_num_threads(threads); }

std::string DescribeRuntime() {
  std::string blas = "unknown BLAS";
  if (const auto config = FindBlasFunction<char* (*)()>("openblas_get_config")) blas = config();
  return fmt::format("libtorch {}, {} CUDA devices, {} threads, {}", TORCH_VERSION,
                     static_cast<int>(torch::cuda::device_count()), at::get_num_threads(), blas);
}

std::string SlowBlasWarning() {
  const auto parallel = FindBlasFunction<int (*)()>("openblas_get_parallel");
  if (parallel == nullptr && FindBlasFunction<void (*)()>("mkl_get_version") == nullptr) {
    return "the BLAS in use is not OpenBLAS; the reference BLAS is about 15 times slower: install libopenblas0-openmp";
  }
  if (parallel != nullptr && parallel() == kOpenBlasPthread) {
    return "OpenBLAS' pthread build beside OpenMP makes operators up to 60 times slower: install libopenblas0-openmp "
           "and "
           "remove libopenblas0-pthread";
  }
  return "";
}

}  // namespace modelpatch::tensor
