#include "core/model/tensor_table.h"

#include <fmt/format.h>

#include <utility>

#include "core/base/text.h"

namespace modelpatch::model {

absl::Status TensorTable::Add(const tensor::SafetensorsHeader& header) {
  for (tensor::TensorInfo info : header.tensors) {
    info.begin += header.data_offset;
    info.end += header.data_offset;
    MP_RETURN_IF_ERROR(Insert({std::move(info), {}, files_}));
  }
  ++files_;
  return absl::OkStatus();
}

absl::Status TensorTable::Add(const std::vector<tensor::ArchivedTensor>& archive) {
  for (const tensor::ArchivedTensor& tensor : archive) {
    MP_RETURN_IF_ERROR(Insert({tensor.info, tensor.strides, files_}));
  }
  ++files_;
  return absl::OkStatus();
}

absl::Status TensorTable::Insert(StoredTensor stored) {
  const std::string name = stored.info.name;
  if (tensors_.try_emplace(name, std::move(stored)).second) return absl::OkStatus();
  return base::InvalidArgument("MODEL_TENSOR_DUPLICATE",
                               fmt::format("two of the weight files have the tensor '{}'", base::Printable(name)));
}

const StoredTensor* TensorTable::Find(std::string_view name) const {
  const auto found = tensors_.find(name);
  return found == tensors_.end() ? nullptr : &found->second;
}

}  // namespace modelpatch::model
