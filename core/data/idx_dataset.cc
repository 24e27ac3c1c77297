#include "core/data/idx_dataset.h"

#include <fmt/format.h>

#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/digest.h"
#include "core/data/dataset_files.h"
#include "core/data/gzip.h"

namespace modelpatch::data {
namespace {

constexpr uint32_t kImagesMagic = 0x803;
constexpr uint32_t kLabelsMagic = 0x801;
constexpr size_t kImagesHeader = 16;
constexpr size_t kLabelsHeader = 8;
constexpr uint64_t kMaximumBytes = uint64_t{4} << 30;
constexpr uint64_t kMaximumSide = 16384;

uint32_t BigEndian(std::string_view bytes, size_t offset) {
  uint32_t value = 0;
  for (size_t i = 0; i < 4; ++i) value = value << 8 | static_cast<uint8_t>(bytes[offset + i]);
  return value;
}

// Holds both files as they are, headers included.
class IdxDataset final : public Dataset {
 public:
  IdxDataset(std::string images, std::string labels)
      : images_(std::move(images)),
        labels_(std::move(labels)),
        height_(static_cast<int>(BigEndian(images_, 8))),
        width_(static_cast<int>(BigEndian(images_, 12))) {}

  int64_t size() const override { return static_cast<int64_t>(labels_.size() - kLabelsHeader); }
  int32_t label(int64_t index) const override {
    return static_cast<uint8_t>(labels_[kLabelsHeader + static_cast<size_t>(index)]);
  }
  absl::StatusOr<RgbImage> image(int64_t index) const override {
    const size_t count = static_cast<size_t>(width_) * static_cast<size_t>(height_);
    const char* grey = images_.data() + kImagesHeader + static_cast<size_t>(index) * count;
    RgbImage image{width_, height_, std::vector<uint8_t>(3 * count)};
    for (size_t i = 0; i < count; ++i) {
      for (size_t channel = 0; channel < 3; ++channel) image.pixels[3 * i + channel] = static_cast<uint8_t>(grey[i]);
    }
    return image;
  }

 private:
  const std::string images_;
  const std::string labels_;
  const int height_;
  const int width_;
};

// The whole of a file whose header of `header_size` bytes starts with `magic`; the size that the header announces,
// given by `announced(header)`, bounds what is read.
template <typename Announced>
absl::StatusOr<std::string> ReadIdx(const std::string& path, uint32_t magic, size_t header_size,
                                    const Announced& announced) {
  MP_ASSIGN_OR_RETURN(const Gunzipped header, ReadMaybeGzip(path, header_size));
  if (header.content.size() < 4) {
    return base::InvalidArgument("DATASET_TRUNCATED", fmt::format("{} has {} bytes; an IDX file starts with {}", path,
                                                                  header.content.size(), header_size));
  }
  if (const uint32_t found = BigEndian(header.content, 0); found != magic) {
    return base::InvalidArgument(
        "DATASET_BAD_MAGIC", fmt::format("{} starts with {:#010x} at byte 0; IDX {} of bytes start with {:#010x}", path,
                                         found, magic == kImagesMagic ? "images" : "labels", magic));
  }
  if (header.content.size() < header_size) {
    return base::InvalidArgument("DATASET_TRUNCATED", fmt::format("{} ends at byte {}, within its header of {} bytes",
                                                                  path, header.content.size(), header_size));
  }
  MP_ASSIGN_OR_RETURN(const uint64_t size, announced(std::string_view(header.content)));
  MP_ASSIGN_OR_RETURN(Gunzipped file, ReadMaybeGzip(path, size));
  if (file.content.size() < size) {
    return base::InvalidArgument("DATASET_TRUNCATED",
                                 fmt::format("{} ends at byte {}; its header announces {} bytes (count {})", path,
                                             file.content.size(), size, BigEndian(header.content, 4)));
  }
  if (!file.complete) {
    return base::InvalidArgument("DATASET_TRAILING_BYTES",
                                 fmt::format("{} goes on after byte {}, where its header says that it ends (count {})",
                                             path, size, BigEndian(header.content, 4)));
  }
  return std::move(file.content);
}

absl::StatusOr<std::string> ReadImages(const std::string& path) {
  return ReadIdx(path, kImagesMagic, kImagesHeader, [&path](std::string_view header) -> absl::StatusOr<uint64_t> {
    const uint64_t count = BigEndian(header, 4), rows = BigEndian(header, 8), columns = BigEndian(header, 12);
    if (count == 0 || rows == 0 || columns == 0) {
      return base::InvalidArgument("DATASET_EMPTY",
                                   fmt::format("{} announces {} images of {} x {} pixels", path, count, columns, rows));
    }
    const uint64_t pixels = rows * columns;  // both are 32 bits: no overflow
    if (rows > kMaximumSide || columns > kMaximumSide || count > (kMaximumBytes - kImagesHeader) / pixels) {
      return base::InvalidArgument(
          "DATASET_TOO_LARGE",
          fmt::format("{} announces {} images of {} x {} pixels; at most {} bytes and {} pixels a side are read", path,
                      count, columns, rows, kMaximumBytes, kMaximumSide));
    }
    return kImagesHeader + count * pixels;
  });
}

absl::StatusOr<std::string> ReadLabels(const std::string& path, uint32_t image_count, int64_t class_count) {
  MP_ASSIGN_OR_RETURN(
      std::string labels,
      ReadIdx(path, kLabelsMagic, kLabelsHeader, [&](std::string_view header) -> absl::StatusOr<uint64_t> {
        const uint32_t count = BigEndian(header, 4);
        if (count != image_count) {
          return base::InvalidArgument("DATASET_COUNT_MISMATCH",
                                       fmt::format("{} announces {} labels at byte 4; the images' file has {} images",
                                                   path, count, image_count));
        }
        return kLabelsHeader + uint64_t{count};
      }));
  for (size_t i = kLabelsHeader; i < labels.size(); ++i) {
    if (const int label = static_cast<uint8_t>(labels[i]); label >= class_count) {
      return base::InvalidArgument("DATASET_LABEL_OUT_OF_RANGE",
                                   fmt::format("{} has label {} at byte {}; with {} class names labels are below {}",
                                               path, label, i, class_count, class_count));
    }
  }
  return labels;
}

struct IdxFiles {
  std::string images;
  std::string labels;
};

void ReplaceLast(std::string& text, std::string_view from, std::string_view to) {
  if (const size_t at = text.rfind(from); at != std::string::npos) text.replace(at, from.size(), to);
}

// The labels' file beside the images' file.
absl::StatusOr<std::string> FindLabels(const std::string& images) {
  const size_t slash = images.rfind('/');
  const std::string directory = slash == std::string::npos ? "." : images.substr(0, slash + 1);
  std::string name = slash == std::string::npos ? images : images.substr(slash + 1);
  if (name.ends_with(".gz")) name.resize(name.size() - 3);
  std::string labels = name;
  ReplaceLast(labels, "images", "labels");
  ReplaceLast(labels, "idx3", "idx1");
  if (labels != name) {
    MP_ASSIGN_OR_RETURN(std::optional<std::string> found, FindMaybeGzip(directory, labels));
    if (found.has_value()) return *std::move(found);
  }
  return base::NotFound(
      "DATASET_FILES_MISSING",
      fmt::format("there are no labels for {}: looked for {} and {}.gz beside it; the images' file must "
                  "have 'images' in its name",
                  images, labels, labels));
}

// `directory`/`prefix`-images…, in the spelling of the original files or with the dot that many copies have.
absl::StatusOr<std::optional<std::string>> FindImages(const std::string& directory, std::string_view prefix) {
  for (const char separator : {'-', '.'}) {
    MP_ASSIGN_OR_RETURN(std::optional<std::string> found,
                        FindMaybeGzip(directory, fmt::format("{}-images{}idx3-ubyte", prefix, separator)));
    if (found.has_value()) return found;
  }
  return std::optional<std::string>();
}

absl::StatusOr<std::string> FindImagesOfSplit(const std::string& directory, Split split) {
  const std::vector<std::string_view> prefixes =
      split == Split::kTrain  ? std::vector<std::string_view>{"train"}
      : split == Split::kTest ? std::vector<std::string_view>{"t10k", "test"}
                              : std::vector<std::string_view>{"validation", "val", "train", "t10k"};
  std::vector<std::string> candidates;
  for (const std::string_view prefix : prefixes) {
    MP_ASSIGN_OR_RETURN(std::optional<std::string> found, FindImages(directory, prefix));
    if (!found.has_value()) continue;
    candidates.push_back(*std::move(found));
    if (prefix.starts_with("val")) break;  // named for this split: no doubt
  }
  if (candidates.empty()) {
    return base::NotFound(
        "DATASET_FILES_MISSING",
        fmt::format("{} has no {}-images-idx3-ubyte or {}-images.idx3-ubyte, raw or with .gz; give the images' file "
                    "itself if it has another name",
                    directory, prefixes.front(), prefixes.front()));
  }
  if (candidates.size() > 1) {
    return base::InvalidArgument(
        "DATASET_AMBIGUOUS",
        fmt::format("{} and {} could both be meant; give the images' file", candidates[0], candidates[1]));
  }
  return candidates.front();
}

absl::StatusOr<IdxFiles> FindFiles(const std::string& path, Split split) {
  std::string images = path;
  MP_ASSIGN_OR_RETURN(const bool is_directory, IsDirectory(path));
  if (is_directory) {
    MP_ASSIGN_OR_RETURN(images, FindImagesOfSplit(path, split));
  }
  MP_ASSIGN_OR_RETURN(std::string labels, FindLabels(images));
  return IdxFiles{std::move(images), std::move(labels)};
}

}  // namespace

absl::StatusOr<OpenedDataset> OpenIdxDataset(const std::string& path, Split split, int64_t class_count) {
  MP_ASSIGN_OR_RETURN(const IdxFiles files, FindFiles(path, split));
  MP_ASSIGN_OR_RETURN(std::string images, ReadImages(files.images));
  MP_ASSIGN_OR_RETURN(std::string labels, ReadLabels(files.labels, BigEndian(images, 4), class_count));
  base::Sha256 digest;
  for (const std::string* content : {&images, &labels}) {
    digest.UpdateInteger(content->size());
    digest.Update(*content);
  }
  OpenedDataset opened;
  opened.digest = digest.Finish();
  opened.dataset = std::make_shared<const IdxDataset>(std::move(images), std::move(labels));
  return opened;
}

}  // namespace modelpatch::data
