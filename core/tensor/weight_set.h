// WeightSet: θ. All weights of a tower in one contiguous fp32 tensor, with a view for each weight.
//
// A WeightSet is a handle: copies share the storage (Clone makes another one). It is written while it is built and
// never after it was published to other threads, so reading needs no lock. On the CPU the storage is a mapping of its
// own, zero at first, given back to the system when the last handle goes.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/tensor/device.h"
#include "core/tensor/weight_layout.h"

namespace at {
class Tensor;
}

namespace modelpatch::tensor {

class WeightSet {
 public:
  // Zeros. Throws what libtorch throws (out of memory): call inside Guarded.
  WeightSet(std::shared_ptr<const WeightLayout> layout, const Device& device);

  const WeightLayout& layout() const;
  const std::shared_ptr<const WeightLayout>& shared_layout() const;

  // fp32 [storage_size], contiguous.
  const at::Tensor& flat() const;
  // One view into flat() per weight, in the layout's order, each of its weight's shape.
  const std::vector<at::Tensor>& views() const;

  // Bytes of the storage.
  int64_t bytes() const;
  Device device() const;

  // A copy with storage of its own, on `device`.
  WeightSet CloneTo(const Device& device) const;
  WeightSet Clone() const { return CloneTo(device()); }

  // SHA-256 over the layout's digest and the weights' fp32 bytes, padding excluded: the name of a blob.
  std::string Digest() const;

 private:
  struct State;
  std::shared_ptr<const State> state_;
};

}  // namespace modelpatch::tensor
