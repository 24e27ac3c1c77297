#include "core/tensor/weight_set.h"

#include <torch/torch.h>

#include <utility>

#include "core/base/digest.h"
#include "core/tensor/compat.h"
#include "core/tensor/weight_memory.h"

namespace modelpatch::tensor {

struct WeightSet::State {
  std::shared_ptr<const WeightLayout> layout;
  at::Tensor flat;
  std::vector<at::Tensor> views;
};

WeightSet::WeightSet(std::shared_ptr<const WeightLayout> layout, const Device& device) {
  auto state = std::make_shared<State>();
  state->layout = std::move(layout);
  const int64_t size = state->layout->storage_size();
  state->flat = device.is_cuda()
                    ? at::zeros({size}, at::TensorOptions().dtype(at::kFloat).device(ToTorchDevice(device)))
                    : AllocateWeightMemory(size);
  state->views.reserve(state->layout->weights().size());
  for (const WeightInfo& weight : state->layout->weights()) {
    state->views.push_back(state->flat.narrow(0, weight.offset, weight.numel).view(weight.spec.shape));
  }
  state_ = std::move(state);
}

const WeightLayout& WeightSet::layout() const { return *state_->layout; }
const std::shared_ptr<const WeightLayout>& WeightSet::shared_layout() const { return state_->layout; }
const at::Tensor& WeightSet::flat() const { return state_->flat; }
const std::vector<at::Tensor>& WeightSet::views() const { return state_->views; }
int64_t WeightSet::bytes() const { return layout().storage_size() * static_cast<int64_t>(sizeof(float)); }
Device WeightSet::device() const { return FromTorchDevice(flat().device()); }

WeightSet WeightSet::CloneTo(const Device& device) const {
  WeightSet copy(state_->layout, device);
  const at::NoGradGuard no_grad;
  copy.flat().copy_(flat());
  return copy;
}

std::string WeightSet::Digest() const {
  if (device().is_cuda()) return CloneTo(Device()).Digest();
  base::Sha256 digest;
  digest.Update("modelpatch weights 1");
  digest.Update(layout().digest());
  const float* data = flat().data_ptr<float>();
  for (const WeightInfo& weight : layout().weights()) {
    digest.Update(data + weight.offset, static_cast<size_t>(weight.numel) * sizeof(float));
  }
  return digest.Finish();
}

}  // namespace modelpatch::tensor
