#include "core/tensor/torch_archive.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "core/base/text.h"
#include "core/tensor/state_dict_pickle.h"
#include "core/tensor/zip_archive.h"

namespace modelpatch::tensor {
namespace {

using base::InvalidArgument;
using base::Printable;

constexpr std::string_view kPickleName = "/data.pkl";
constexpr uint64_t kMaximumPickleBytes = uint64_t{64} << 20;
// Tensors may share their storage, and repeat it with strides of 0; but they may not unfold into much more than the
// file.
constexpr uint64_t kMaximumUnfolding = 2;

absl::Status Invalid(std::string_view what) {
  return InvalidArgument("TORCH_ARCHIVE_INVALID", fmt::format("the file is no state dict of torch.save: {}", what));
}

// The elements from the first to the last that a tensor touches; nothing if they are too many to count.
absl::StatusOr<int64_t> Span(const PickledTensor& tensor) {
  int64_t numel = 1;
  int64_t last = 0;
  bool overflow = false;
  for (size_t i = 0; i < tensor.shape.size(); ++i) {
    overflow = overflow || __builtin_mul_overflow(numel, tensor.shape[i], &numel);
    int64_t reach = 0;
    overflow = overflow ||
               __builtin_mul_overflow(std::max<int64_t>(tensor.shape[i] - 1, 0), tensor.strides[i], &reach) ||
               __builtin_add_overflow(last, reach, &last);
  }
  if (overflow || last == INT64_MAX)
    return Invalid(fmt::format("'{}' has an impossible shape", Printable(tensor.name)));
  return numel == 0 ? 0 : last + 1;
}

bool LiesInOrder(const PickledTensor& tensor) {
  int64_t stride = 1;
  for (size_t i = tensor.shape.size(); i-- > 0;) {
    if (tensor.shape[i] != 1 && tensor.strides[i] != stride) return false;
    stride *= tensor.shape[i];
  }
  return true;
}

absl::StatusOr<ArchivedTensor> Locate(std::string_view file, const ZipMembers& members, const std::string& folder,
                                      PickledTensor tensor) {
  const std::string member = fmt::format("{}/data/{}", folder, tensor.storage);
  const auto storage = members.find(member);
  if (storage == members.end()) return Invalid(fmt::format("its storage '{}' is missing", Printable(member)));
  const auto element = SizeOf(tensor.dtype);
  const auto elements = static_cast<int64_t>(storage->second.size()) / element;
  MP_ASSIGN_OR_RETURN(const int64_t span, Span(tensor));
  if (tensor.storage_size > elements || tensor.storage_offset < 0 || tensor.storage_offset > elements ||
      span > elements - tensor.storage_offset) {
    return Invalid(fmt::format("'{}' goes beyond its storage of {} elements", Printable(tensor.name), elements));
  }
  ArchivedTensor located;
  if (span > 0 && !LiesInOrder(tensor)) located.strides = std::move(tensor.strides);
  located.info = {std::move(tensor.name), tensor.dtype, std::move(tensor.shape)};
  located.info.begin = static_cast<uint64_t>(storage->second.data() - file.data()) +
                       static_cast<uint64_t>(tensor.storage_offset * element);
  located.info.end = located.info.begin + static_cast<uint64_t>(span * element);
  return located;
}

absl::Status CheckUnfolding(const std::vector<ArchivedTensor>& tensors, uint64_t file_size) {
  uint64_t left = file_size * kMaximumUnfolding;
  for (const ArchivedTensor& tensor : tensors) {
    uint64_t bytes = 0;
    const bool overflow = __builtin_mul_overflow(static_cast<uint64_t>(tensor.info.numel()),
                                                 static_cast<uint64_t>(SizeOf(tensor.info.dtype)), &bytes);
    if (overflow || bytes > left) {
      return Invalid(fmt::format("its tensors, up to '{}', have more than {} times the bytes of the file",
                                 Printable(tensor.info.name), kMaximumUnfolding));
    }
    left -= bytes;
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<ArchivedTensor>> ParseTorchArchive(std::string_view file) {
  if (!IsZip(file)) {
    const bool is_pickle = file.starts_with("\x80\x02");
    if (is_pickle) {
      return InvalidArgument("TORCH_ARCHIVE_TOO_OLD",
                             "the file was saved by PyTorch before 1.6; load and save it again, or use safetensors");
    }
    return Invalid("it is no zip archive");
  }
  MP_ASSIGN_OR_RETURN(const ZipMembers members, ParseZip(file));
  const auto pickle = std::find_if(members.begin(), members.end(),
                                   [](const auto& member) { return member.first.ends_with(kPickleName); });
  if (pickle == members.end()) return Invalid("it has no data.pkl");
  if (pickle->second.size() > kMaximumPickleBytes) return Invalid("its data.pkl is too large");
  const std::string folder = pickle->first.substr(0, pickle->first.size() - kPickleName.size());
  const auto order = members.find(folder + "/byteorder");
  if (order != members.end() && order->second != "little") return Invalid("its numbers are big-endian");
  MP_ASSIGN_OR_RETURN(std::vector<PickledTensor> pickled, ReadStateDictPickle(pickle->second));
  std::vector<ArchivedTensor> tensors;
  for (PickledTensor& tensor : pickled) {
    MP_ASSIGN_OR_RETURN(ArchivedTensor located, Locate(file, members, folder, std::move(tensor)));
    tensors.push_back(std::move(located));
  }
  MP_RETURN_IF_ERROR(CheckUnfolding(tensors, file.size()));
  return tensors;
}

}  // namespace modelpatch::tensor
