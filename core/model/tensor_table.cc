#include "core/model/tensor_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "core/base/text.h"

namespace modelpatch::model {
namespace {

constexpr std::string_view kWrappers[] = {"module.", "model."};

}  // namespace

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

void TensorTable::StripWrappers() {
  const auto wrapper = [this]() -> std::string_view {
    for (const std::string_view prefix : kWrappers) {
      const bool in_all = std::all_of(tensors_.begin(), tensors_.end(),
                                      [&](const auto& entry) { return entry.first.starts_with(prefix); });
      if (in_all && !tensors_.empty()) return prefix;
    }
    return "";
  };
  for (std::string_view prefix = wrapper(); !prefix.empty(); prefix = wrapper()) {
    std::map<std::string, StoredTensor, std::less<>> stripped;
    for (auto& [name, stored] : tensors_) {
      stored.info.name = name.substr(prefix.size());
      stripped.emplace(stored.info.name, std::move(stored));
    }
    tensors_ = std::move(stripped);
  }
}

const StoredTensor* TensorTable::Find(std::string_view name) const {
  const auto found = tensors_.find(name);
  return found == tensors_.end() ? nullptr : &found->second;
}

}  // namespace modelpatch::model
