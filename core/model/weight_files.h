// WeightFiles: the tensors of one model, mapped from one file or several.
//
// Immutable and thread-safe; the views keep the mappings alive.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/base/file.h"
#include "core/model/model_file_names.h"
#include "core/model/tensor_table.h"

namespace at {
class Tensor;
}

namespace modelpatch::model {

class WeightFiles {
 public:
  // Maps the files that `names` chose in `directory`. INVALID_ARGUMENT: SAFETENSORS_*, ZIP_*, PICKLE_*,
  // TORCH_ARCHIVE_*, WEIGHT_INDEX_*, MODEL_FILE_MISSING, MODEL_TENSOR_DUPLICATE, MODEL_TENSORS_MISMATCH (a file lacks a
  // tensor that the index has there).
  static absl::StatusOr<WeightFiles> Open(const std::string& directory, const ModelFileNames& names);

  const TensorTable& table() const { return table_; }
  // A view of the file's bytes, of the tensor's own dtype and shape. Not to be written.
  at::Tensor View(const StoredTensor& stored) const;

 private:
  WeightFiles() = default;

  std::vector<std::shared_ptr<const base::MappedFile>> files_;
  TensorTable table_;
};

}  // namespace modelpatch::model
