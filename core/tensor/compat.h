// What differs between the libtorch versions that we build with (1.13, 2.6, 2.11): every version `#if` lives in
// compat.cc.
//
// Thread safety: all functions are thread-safe, except SetIntraOpThreads, which is for the start of main.
#pragma once

#include <cstdint>
#include <string>

#include "core/tensor/device.h"

namespace at {
class Tensor;
}
namespace c10 {
struct Device;
}

namespace modelpatch::tensor {

// softmax(q·kᵀ/√d + mask)·v, with the softmax in fp32, for k, v of [B, heads, T, d] and q of [B, heads, Q, d], the
// first Q ≤ T tokens; causal masks positions after the query's own.
at::Tensor ScaledDotProductAttention(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                                     bool causal);

// libtorch's own device value.
c10::Device ToTorchDevice(const Device& device);
Device FromTorchDevice(const c10::Device& device);

// Bytes of the device's memory: the machine's for the CPU; 0 if unknown.
int64_t DeviceMemoryBytes(const Device& device);

// Limits the caching allocator of a CUDA device to `bytes`, the lease; does nothing for the CPU.
void LimitDeviceMemory(const Device& device, int64_t bytes);

// Threads inside one operator. libtorch 1.13 starts with one on a two-core machine.
void SetIntraOpThreads(int threads);

// One line for the log: libtorch's version, whether CUDA is there, and which BLAS.
std::string DescribeRuntime();

// A warning if the BLAS in use is known to be slow (the reference BLAS, or OpenBLAS' pthread build beside OpenMP); ""
// if not.
std::string SlowBlasWarning();

}  // namespace modelpatch::tensor
