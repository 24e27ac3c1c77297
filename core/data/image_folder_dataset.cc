#include "core/data/image_folder_dataset.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/digest.h"
#include "core/base/file.h"
#include "core/data/dataset_files.h"

namespace modelpatch::data {
namespace {

constexpr uint64_t kMaximumFileBytes = uint64_t{1} << 30;

bool HasImageName(std::string_view name) {
  const size_t dot = name.rfind('.');
  if (dot == std::string_view::npos) return false;
  std::string extension(name.substr(dot + 1));
  for (char& c : extension) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  constexpr std::array<std::string_view, 11> kExtensions = {"bmp", "gif", "jpeg", "jpg",  "pgm", "png",
                                                            "pnm", "ppm", "tif",  "tiff", "webp"};
  return std::find(kExtensions.begin(), kExtensions.end(), extension) != kExtensions.end();
}

class ImageFolderDataset final : public Dataset {
 public:
  struct Example {
    std::string name;  // of the file, within the folder of its class
    int32_t label;
  };

  ImageFolderDataset(std::string root, std::string shown_as, std::vector<std::string> folders,
                     std::vector<Example> examples, const DecodeLimits& limits)
      : root_(std::move(root)),
        shown_as_(std::move(shown_as)),
        folders_(std::move(folders)),
        examples_(std::move(examples)),
        limits_(limits) {}

  int64_t size() const override { return static_cast<int64_t>(examples_.size()); }
  int32_t label(int64_t index) const override { return examples_[static_cast<size_t>(index)].label; }
  absl::StatusOr<RgbImage> image(int64_t index) const override {
    const Example& example = examples_[static_cast<size_t>(index)];
    const std::string name = fmt::format("{}/{}", folders_[static_cast<size_t>(example.label)], example.name);
    const auto bytes = base::ReadFile(fmt::format("{}/{}", root_, name), kMaximumFileBytes);
    if (!bytes.ok()) {
      return base::Error(bytes.status().code(), base::ReasonOf(bytes.status()),
                         fmt::format("{}/{} cannot be read any more; restore it", shown_as_, name));
    }
    auto image = DecodeImage(*bytes, limits_);
    if (!image.ok()) return base::WithContext(image.status(), fmt::format("{}/{}", shown_as_, name));
    return image;
  }

 private:
  const std::string root_;
  const std::string shown_as_;
  const std::vector<std::string> folders_;
  const std::vector<Example> examples_;
  const DecodeLimits limits_;
};

}  // namespace

absl::StatusOr<OpenedDataset> OpenImageFolderDataset(const std::string& path, const DecodeLimits& limits,
                                                     const std::string& shown_as) {
  MP_ASSIGN_OR_RETURN(const bool is_directory, IsDirectory(path));
  if (!is_directory) {
    return base::InvalidArgument("DATASET_NO_FOLDERS",
                                 fmt::format("{} is not a directory; it must hold one folder per class", path));
  }
  MP_ASSIGN_OR_RETURN(DirectoryListing root, ListDirectory(path));
  if (root.directories.empty()) {
    return base::InvalidArgument("DATASET_NO_FOLDERS",
                                 fmt::format("{} holds no folders; one per class is needed", path));
  }
  std::vector<ImageFolderDataset::Example> examples;
  base::Sha256 digest;
  for (size_t label = 0; label < root.directories.size(); ++label) {
    const std::string folder = fmt::format("{}/{}", path, root.directories[label]);
    MP_RETURN_IF_ERROR(CheckStaysInside(path, folder));
    MP_ASSIGN_OR_RETURN(DirectoryListing listing, ListDirectory(folder));
    for (std::string& name : listing.files) {
      if (!HasImageName(name)) continue;
      const std::string file_path = fmt::format("{}/{}", folder, name);
      MP_RETURN_IF_ERROR(CheckStaysInside(path, file_path));
      MP_ASSIGN_OR_RETURN(const std::string bytes, base::ReadFile(file_path, kMaximumFileBytes));
      if (bytes.empty()) return base::InvalidArgument("IMAGE_EMPTY", fmt::format("{} holds no bytes", file_path));
      digest.UpdateInteger(label);
      digest.UpdateInteger(bytes.size());
      digest.Update(bytes);
      examples.push_back({std::move(name), static_cast<int32_t>(label)});
    }
  }
  if (examples.empty()) {
    return base::InvalidArgument(
        "DATASET_EMPTY",
        fmt::format("the {} folders of {} hold no png, jpg, jpeg, webp, gif, tif, tiff, bmp, ppm, pgm or pnm file",
                    root.directories.size(), path));
  }
  OpenedDataset opened;
  opened.class_names = root.directories;
  opened.dataset = std::make_shared<const ImageFolderDataset>(path, shown_as.empty() ? path : shown_as,
                                                              std::move(root.directories), std::move(examples), limits);
  opened.digest = digest.Finish();
  return opened;
}

}  // namespace modelpatch::data
