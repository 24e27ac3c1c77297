#include "core/store/blob_store.h"

#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <utility>

#include "core/base/file.h"
#include "core/base/text.h"
#include "core/tensor/guard.h"
#include "core/tensor/weight_file.h"

namespace modelpatch::store {

BlobStore::BlobStore(std::string directory) : directory_(std::move(directory)) {}

std::string BlobStore::Path(const std::string& digest) const { return directory_ + "/" + digest + ".safetensors"; }

absl::StatusOr<std::string> BlobStore::Put(const tensor::WeightSet& weights,
                                           const std::map<std::string, std::string>& metadata) const {
  MP_ASSIGN_OR_RETURN(std::string digest, tensor::Guarded([&] { return weights.Digest(); }));
  const std::string path = Path(digest);
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) MP_RETURN_IF_ERROR(tensor::WriteWeightFile(path, weights, metadata));
  return digest;
}

absl::StatusOr<tensor::WeightSet> BlobStore::Get(const std::string& digest,
                                                 std::shared_ptr<const tensor::WeightLayout> layout) const {
  const std::string path = Path(digest);
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) {
    return base::NotFound("BLOB_NOT_FOUND", fmt::format("there is no blob {}", base::Printable(digest)));
  }
  absl::StatusOr<tensor::WeightSet> weights = tensor::ReadWeightFile(path, std::move(layout));
  if (!weights.ok()) {
    if (weights.status().code() != absl::StatusCode::kInvalidArgument) return weights.status();
    return base::DataLoss("BLOB_CORRUPT", fmt::format("'{}': {}", path, std::string(weights.status().message())));
  }
  MP_ASSIGN_OR_RETURN(const std::string actual, tensor::Guarded([&] { return weights->Digest(); }));
  if (actual != digest) {
    return base::DataLoss("BLOB_CORRUPT",
                          fmt::format("'{}' holds the weights {}; restore it from a copy", path, actual));
  }
  return weights;
}

absl::Status BlobStore::Delete(const std::string& digest) const { return base::RemoveAll(Path(digest)); }

}  // namespace modelpatch::store
