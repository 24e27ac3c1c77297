#include "core/store/blob_store.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <system_error>
#include <utility>

#include "core/base/file.h"
#include "core/base/text.h"
#include "core/tensor/guard.h"
#include "core/tensor/weight_file.h"

namespace modelpatch::store {
namespace {

constexpr char kExtension[] = ".safetensors";

// Makes a file's time the present one; false if it is not there.
bool Touch(const std::string& path) { return utimensat(AT_FDCWD, path.c_str(), nullptr, 0) == 0; }

bool IsOlder(const std::string& path, base::WallTime before) {
  struct stat file;
  if (lstat(path.c_str(), &file) != 0) return false;
  const auto since = std::chrono::seconds(file.st_mtim.tv_sec) + std::chrono::nanoseconds(file.st_mtim.tv_nsec);
  return since < before.time_since_epoch();
}

// Whether the file was removed.
absl::StatusOr<bool> RemoveIfOlder(const std::string& path, base::WallTime before) {
  if (!IsOlder(path, before)) return false;
  // A worker may put the same weights just now: it finds nothing under the name and writes it, or it has touched the
  // file, which shows once the file has left the name.
  const std::string aside = path + ".removed";
  if (rename(path.c_str(), aside.c_str()) != 0) return base::ErrnoError(errno, fmt::format("cannot move '{}'", path));
  if (!IsOlder(aside, before)) {
    if (rename(aside.c_str(), path.c_str()) == 0) return false;
    return base::ErrnoError(errno, fmt::format("cannot move '{}' back", aside));
  }
  MP_RETURN_IF_ERROR(base::RemoveAll(aside));
  return true;
}

}  // namespace

BlobStore::BlobStore(std::string directory) : directory_(std::move(directory)) {}

std::string BlobStore::Path(const std::string& digest) const { return directory_ + "/" + digest + kExtension; }

absl::StatusOr<std::string> BlobStore::Put(const tensor::WeightSet& weights,
                                           const std::map<std::string, std::string>& metadata) const {
  MP_ASSIGN_OR_RETURN(std::string digest, tensor::Guarded([&] { return weights.Digest(); }));
  const std::string path = Path(digest);
  if (!Touch(path)) MP_RETURN_IF_ERROR(tensor::WriteWeightFile(path, weights, metadata));
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

absl::StatusOr<std::vector<std::string>> BlobStore::RemoveUnused(const std::set<std::string>& used,
                                                                 base::WallTime before) const {
  std::vector<std::string> names;
  std::error_code error;
  for (std::filesystem::directory_iterator it(directory_, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    // A blob is `<digest>.safetensors`; anything longer is what a writer has left.
    if (!name.ends_with(kExtension) || !used.contains(name.substr(0, name.find('.')))) names.push_back(name);
  }
  if (error) return base::ErrnoError(error.value(), fmt::format("cannot list '{}'", directory_));
  std::vector<std::string> removed;
  for (std::string& name : names) {
    MP_ASSIGN_OR_RETURN(const bool is_gone, RemoveIfOlder(directory_ + "/" + name, before));
    if (is_gone) removed.push_back(std::move(name));
  }
  return removed;
}

}  // namespace modelpatch::store
