#include "core/tensor/weight_layout.h"

#include <fmt/format.h>

#include <utility>

#include "core/base/digest.h"

namespace modelpatch::tensor {
namespace {

constexpr int64_t kAlignment = 16;  // elements: 64 bytes of fp32
constexpr int64_t kMaximumSize = int64_t{1} << 40;

absl::StatusOr<int64_t> CountElements(const WeightSpec& spec) {
  int64_t numel = 1;
  for (const int64_t dimension : spec.shape) {
    if (dimension < 0 || __builtin_mul_overflow(numel, dimension, &numel) || numel > kMaximumSize) {
      return base::InvalidArgument("BAD_LAYOUT", fmt::format("weight '{}' has an impossible shape", spec.name));
    }
  }
  return numel;
}

std::string DigestOf(const std::vector<WeightInfo>& weights) {
  base::Sha256 digest;
  digest.Update("modelpatch layout 1");
  for (const WeightInfo& weight : weights) {
    digest.UpdateInteger(weight.spec.name.size());
    digest.Update(weight.spec.name);
    digest.UpdateInteger(weight.spec.shape.size());
    for (const int64_t dimension : weight.spec.shape) digest.UpdateInteger(static_cast<uint64_t>(dimension));
    digest.UpdateInteger(weight.spec.is_buffer ? 1 : 0);
  }
  return digest.Finish();
}

}  // namespace

absl::StatusOr<std::shared_ptr<const WeightLayout>> WeightLayout::Make(std::vector<WeightSpec> specs) {
  std::shared_ptr<WeightLayout> layout(new WeightLayout());
  bool in_buffers = false;
  for (WeightSpec& spec : specs) {
    if (in_buffers && !spec.is_buffer) {
      return base::InvalidArgument("BAD_LAYOUT", fmt::format("weight '{}' comes after a buffer", spec.name));
    }
    in_buffers = spec.is_buffer;
    MP_ASSIGN_OR_RETURN(const int64_t numel, CountElements(spec));
    const auto index = static_cast<int64_t>(layout->weights_.size());
    if (!layout->index_.emplace(spec.name, index).second) {
      return base::InvalidArgument("BAD_LAYOUT", fmt::format("weight '{}' occurs twice", spec.name));
    }
    const int64_t offset = layout->storage_size_;
    layout->storage_size_ += (numel + kAlignment - 1) / kAlignment * kAlignment;
    if (layout->storage_size_ > kMaximumSize)
      return base::InvalidArgument("BAD_LAYOUT", "the weights are too many to address");
    if (!spec.is_buffer) layout->trainable_size_ = layout->storage_size_;
    layout->parameter_count_ += numel;
    layout->weights_.push_back({std::move(spec), offset, numel});
  }
  layout->digest_ = DigestOf(layout->weights_);
  return std::shared_ptr<const WeightLayout>(std::move(layout));
}

int64_t WeightLayout::IndexOf(std::string_view name) const {
  const auto found = index_.find(name);
  return found == index_.end() ? -1 : found->second;
}

}  // namespace modelpatch::tensor
