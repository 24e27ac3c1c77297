#include "core/model/weight_files.h"

#include <fmt/format.h>
#include <torch/torch.h>

#include <filesystem>
#include <utility>

#include "core/model/weight_index.h"
#include "core/tensor/mapped_tensor.h"

namespace modelpatch::model {
namespace {

absl::Status AddTensors(const std::string& name, std::string_view file, TensorTable& table) {
  if (IsSafetensors(name)) {
    MP_ASSIGN_OR_RETURN(const tensor::SafetensorsHeader header, tensor::ParseSafetensorsHeader(file));
    return table.Add(header);
  }
  MP_ASSIGN_OR_RETURN(const std::vector<tensor::ArchivedTensor> archive, tensor::ParseTorchArchive(file));
  return table.Add(archive);
}

}  // namespace

absl::StatusOr<WeightFiles> WeightFiles::Open(const std::string& directory, const ModelFileNames& names) {
  MP_ASSIGN_OR_RETURN(const WeightFilePlan plan, PlanWeightFiles(directory, names));
  WeightFiles weights;
  for (const std::string& name : plan.files) {
    const std::string path = directory + "/" + name;
    std::error_code ignored;
    if (!std::filesystem::exists(path, ignored)) {
      return base::InvalidArgument("MODEL_FILE_MISSING", fmt::format("there is no '{}'", path));
    }
    MP_ASSIGN_OR_RETURN(base::MappedFile mapped, base::MappedFile::Open(path));
    weights.files_.push_back(std::make_shared<const base::MappedFile>(std::move(mapped)));
    if (const absl::Status status = AddTensors(name, weights.files_.back()->bytes(), weights.table_); !status.ok()) {
      return base::WithContext(status, "'" + path + "'");
    }
  }
  MP_RETURN_IF_ERROR(CheckIndex(plan, weights.table_));
  weights.table_.StripWrappers();
  return weights;
}

at::Tensor WeightFiles::View(const StoredTensor& stored) const {
  return tensor::ViewOf(files_[stored.file], stored.info.begin, stored.info, stored.strides);
}

}  // namespace modelpatch::model
