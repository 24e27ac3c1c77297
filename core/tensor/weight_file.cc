#include "core/tensor/weight_file.h"

#include <fmt/format.h>
#include <torch/torch.h>

#include <cstring>
#include <utility>
#include <vector>

#include "core/base/file.h"
#include "core/tensor/guard.h"
#include "core/tensor/safetensors_file.h"

namespace modelpatch::tensor {
namespace {

std::vector<TensorInfo> DescribeTensors(const WeightLayout& layout) {
  std::vector<TensorInfo> tensors;
  uint64_t position = 0;
  for (const WeightInfo& weight : layout.weights()) {
    const uint64_t bytes = static_cast<uint64_t>(weight.numel) * sizeof(float);
    tensors.push_back({weight.spec.name, DType::kFloat32, weight.spec.shape, position, position + bytes});
    position += bytes;
  }
  return tensors;
}

std::string_view BytesOf(const WeightSet& weights, const WeightInfo& weight) {
  const float* data = weights.flat().data_ptr<float>() + weight.offset;
  return {reinterpret_cast<const char*>(data), static_cast<size_t>(weight.numel) * sizeof(float)};
}

}  // namespace

absl::Status WriteWeightFile(const std::string& path, const WeightSet& weights,
                             const std::map<std::string, std::string>& metadata) {
  return Guarded([&]() -> absl::Status {
    if (weights.device().is_cuda()) return WriteWeightFile(path, weights.CloneTo(Device()), metadata);
    MP_ASSIGN_OR_RETURN(base::AtomicFile file, base::AtomicFile::Create(path));
    MP_RETURN_IF_ERROR(file.Append(SerializeSafetensorsHeader(DescribeTensors(weights.layout()), metadata)));
    for (const WeightInfo& weight : weights.layout().weights())
      MP_RETURN_IF_ERROR(file.Append(BytesOf(weights, weight)));
    return file.Commit();
  });
}

absl::StatusOr<WeightSet> ReadWeightFile(const std::string& path, std::shared_ptr<const WeightLayout> layout) {
  MP_ASSIGN_OR_RETURN(const base::MappedFile file, base::MappedFile::Open(path));
  MP_ASSIGN_OR_RETURN(const SafetensorsHeader header, ParseSafetensorsHeader(file.bytes()));
  return Guarded([&]() -> absl::StatusOr<WeightSet> {
    WeightSet weights(layout, Device());
    if (header.tensors.size() != layout->weights().size()) {
      return base::DataLoss("WEIGHT_FILE_MISMATCH", fmt::format("'{}' holds {} tensors; the layout has {}", path,
                                                                header.tensors.size(), layout->weights().size()));
    }
    for (const WeightInfo& weight : layout->weights()) {
      const TensorInfo* info = header.Find(weight.spec.name);
      if (info == nullptr || info->dtype != DType::kFloat32 || info->shape != weight.spec.shape) {
        return base::DataLoss(
            "WEIGHT_FILE_MISMATCH",
            fmt::format("'{}' lacks the tensor '{}' in fp32 and of the layout's shape", path, weight.spec.name));
      }
      std::memcpy(weights.flat().data_ptr<float>() + weight.offset,
                  file.bytes().data() + header.data_offset + info->begin,
                  static_cast<size_t>(weight.numel) * sizeof(float));
    }
    return weights;
  });
}

}  // namespace modelpatch::tensor
