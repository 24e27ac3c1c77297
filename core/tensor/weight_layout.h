// WeightLayout: how the weights of a tower lie in one flat fp32 tensor.
//
// Maps a canonical name to shape, offset and source dtype. Offsets are multiples of 64 bytes; the padding between
// weights is zero and belongs neither to the parameter count nor to any digest. Trainable weights come first, buffers
// (BatchNorm's running statistics) last, so that what is trained is one range. Immutable once made, so thread-safe;
// shared by pointer.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/status.h"
#include "core/tensor/safetensors_header.h"

namespace modelpatch::tensor {

// What a layout is made from, in the order in which the weights shall lie.
struct WeightSpec {
  std::string name;
  std::vector<int64_t> shape;
  // A buffer takes part in interpolation but is not trained.
  bool is_buffer = false;
  // The dtype that the weight had in the file it came from, so that an export can be bit-exact.
  DType source_dtype = DType::kFloat32;
};

struct WeightInfo {
  WeightSpec spec;
  // In elements from the start of the flat tensor; a multiple of 16.
  int64_t offset;
  int64_t numel;
};

class WeightLayout {
 public:
  // INVALID_ARGUMENT (BAD_LAYOUT) on duplicate names, a buffer before a trainable weight, or sizes that overflow.
  static absl::StatusOr<std::shared_ptr<const WeightLayout>> Make(std::vector<WeightSpec> specs);

  const std::vector<WeightInfo>& weights() const { return weights_; }
  // The index of the weight `name`, or -1.
  int64_t IndexOf(std::string_view name) const;

  // Elements of the flat tensor, padding included.
  int64_t storage_size() const { return storage_size_; }
  // Elements of the leading range that is trained, padding included.
  int64_t trainable_size() const { return trainable_size_; }
  // n: the number of weights, padding excluded.
  int64_t parameter_count() const { return parameter_count_; }
  // SHA-256 over names, shapes and the buffer flag; the source dtypes do not count.
  const std::string& digest() const { return digest_; }

 private:
  WeightLayout() = default;

  std::vector<WeightInfo> weights_;
  std::map<std::string, int64_t, std::less<>> index_;
  int64_t storage_size_ = 0;
  int64_t trainable_size_ = 0;
  int64_t parameter_count_ = 0;
  std::string digest_;
};

}  // namespace modelpatch::tensor
