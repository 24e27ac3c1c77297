#include "core/data/cifar_dataset.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/digest.h"
#include "core/data/dataset_files.h"
#include "core/data/gzip.h"

namespace modelpatch::data {
namespace {

constexpr int kSide = 32;
constexpr size_t kPlane = size_t{kSide} * kSide;
constexpr size_t kPixels = 3 * kPlane;
// Of one file, where CIFAR's own have 154 MB at most; and of all files of a split, which are held in memory. A gzip
// stream is read no further, however much more it holds.
constexpr uint64_t kMaximumFileBytes = uint64_t{512} << 20;
constexpr uint64_t kMaximumBytes = uint64_t{4} << 30;
constexpr int64_t kCoarseClasses = 20;  // of CIFAR-100

struct CifarFile {
  std::string bytes;
  size_t label_bytes = 1;

  size_t record_size() const { return label_bytes + kPixels; }
  size_t count() const { return bytes.size() / record_size(); }
  int32_t label(size_t record) const { return static_cast<uint8_t>(bytes[record * record_size() + label_bytes - 1]); }
};

class CifarDataset final : public Dataset {
 public:
  explicit CifarDataset(std::vector<CifarFile> files) : files_(std::move(files)) {
    for (size_t file = 0; file < files_.size(); ++file) {
      for (size_t record = 0; record < files_[file].count(); ++record) {
        records_.push_back({static_cast<uint32_t>(file), static_cast<uint32_t>(record)});
      }
    }
  }

  int64_t size() const override { return static_cast<int64_t>(records_.size()); }
  int32_t label(int64_t index) const override {
    const Record& record = records_[static_cast<size_t>(index)];
    return files_[record.file].label(record.record);
  }
  absl::StatusOr<RgbImage> image(int64_t index) const override {
    const Record& record = records_[static_cast<size_t>(index)];
    const CifarFile& file = files_[record.file];
    const char* planes = file.bytes.data() + record.record * file.record_size() + file.label_bytes;
    RgbImage image{kSide, kSide, std::vector<uint8_t>(kPixels)};
    for (size_t i = 0; i < kPlane; ++i) {
      for (size_t channel = 0; channel < 3; ++channel) {
        image.pixels[3 * i + channel] = static_cast<uint8_t>(planes[channel * kPlane + i]);
      }
    }
    return image;
  }

 private:
  struct Record {
    uint32_t file;
    uint32_t record;
  };
  const std::vector<CifarFile> files_;
  std::vector<Record> records_;
};

// The first label out of range, as an error; coarse labels count where there are two bytes.
absl::Status CheckLabels(const CifarFile& file, const std::string& path, int64_t class_count) {
  for (size_t record = 0; record < file.count(); ++record) {
    const size_t offset = record * file.record_size();
    if (const int32_t label = file.label(record); label >= class_count) {
      return base::InvalidArgument(
          "DATASET_LABEL_OUT_OF_RANGE",
          fmt::format("{} has label {} at byte {} (record {}); with {} class names labels are below {}", path, label,
                      offset + file.label_bytes - 1, record, class_count, class_count));
    }
    if (const int coarse = static_cast<uint8_t>(file.bytes[offset]);
        file.label_bytes == 2 && coarse >= kCoarseClasses) {
      return base::InvalidArgument(
          "DATASET_LABEL_OUT_OF_RANGE",
          fmt::format("{} has coarse label {} at byte {} (record {}); coarse labels are below {}", path, coarse, offset,
                      record, kCoarseClasses));
    }
  }
  return absl::OkStatus();
}

// `budget`: the bytes that the files of the split may still have.
absl::StatusOr<CifarFile> ReadCifarFile(const std::string& path, int64_t class_count, uint64_t budget) {
  const uint64_t maximum = std::min(budget, kMaximumFileBytes);
  MP_ASSIGN_OR_RETURN(Gunzipped content, ReadMaybeGzip(path, maximum));
  if (!content.complete) {
    return base::InvalidArgument(
        "DATASET_TOO_LARGE",
        fmt::format("{} holds more than {} bytes; a file may have {}, in which {} images fit, and all files of a split "
                    "{}; use several files data_batch_*.bin, or fewer images",
                    path, maximum, kMaximumFileBytes, kMaximumFileBytes / (1 + kPixels), kMaximumBytes));
  }
  CifarFile file{std::move(content.content)};
  if (file.bytes.empty()) return base::InvalidArgument("DATASET_EMPTY", fmt::format("{} holds no bytes", path));
  const size_t size = file.bytes.size();
  const bool fits_one = size % (1 + kPixels) == 0;
  const bool fits_two = size % (2 + kPixels) == 0;
  if (!fits_one && !fits_two) {
    return base::InvalidArgument(
        "DATASET_TRUNCATED",
        fmt::format(
            "{} holds {} bytes, which is neither a whole number of records of {} bytes (the last starts at byte {}) "
            "nor of {} bytes",
            path, size, 1 + kPixels, size - size % (1 + kPixels), 2 + kPixels));
  }
  if (fits_one && fits_two) {
    const bool valid_one = CheckLabels(file, path, class_count).ok();
    file.label_bytes = 2;
    const bool valid_two = CheckLabels(file, path, class_count).ok();
    if (valid_one && valid_two) {
      return base::InvalidArgument(
          "DATASET_AMBIGUOUS",
          fmt::format("{} holds {} bytes, which fits records with one label byte and with two, and "
                      "the labels fit both; split the file",
                      path, size));
    }
    file.label_bytes = valid_two ? 2 : 1;
  } else {
    file.label_bytes = fits_two ? 2 : 1;
  }
  MP_RETURN_IF_ERROR(CheckLabels(file, path, class_count));
  return file;
}

// The files named data_batch_*.bin or .bin.gz, in the order of their numbers; of two with one stem the raw one.
absl::StatusOr<std::vector<std::string>> FindBatches(const std::string& directory) {
  MP_ASSIGN_OR_RETURN(const DirectoryListing listing, ListDirectory(directory));
  std::vector<std::string> stems;
  for (std::string name : listing.files) {
    if (name.ends_with(".gz")) name.resize(name.size() - 3);
    if (name.starts_with("data_batch_") && name.ends_with(".bin")) stems.push_back(std::move(name));
  }
  std::sort(stems.begin(), stems.end(), [](const std::string& a, const std::string& b) {
    return a.size() != b.size() ? a.size() < b.size() : a < b;
  });
  stems.erase(std::unique(stems.begin(), stems.end()), stems.end());
  std::vector<std::string> paths;
  for (const std::string& stem : stems) {
    MP_ASSIGN_OR_RETURN(std::optional<std::string> found, FindMaybeGzip(directory, stem));
    if (found.has_value()) paths.push_back(*std::move(found));
  }
  return paths;
}

// The first of `names` in `directory`, as a list of one file or none.
absl::StatusOr<std::vector<std::string>> FindFirst(const std::string& directory,
                                                   const std::vector<std::string_view>& names) {
  for (const std::string_view name : names) {
    MP_ASSIGN_OR_RETURN(std::optional<std::string> found, FindMaybeGzip(directory, name));
    if (found.has_value()) return std::vector<std::string>{*std::move(found)};
  }
  return std::vector<std::string>();
}

absl::StatusOr<std::vector<std::string>> FindFiles(const std::string& path, Split split) {
  MP_ASSIGN_OR_RETURN(const bool is_directory, IsDirectory(path));
  if (!is_directory) return std::vector<std::string>{path};
  if (split == Split::kValidation) {
    MP_ASSIGN_OR_RETURN(std::vector<std::string> own, FindFirst(path, {"validation.bin", "val.bin"}));
    if (!own.empty()) return own;
  }
  std::vector<std::string> train;
  std::vector<std::string> test;
  if (split != Split::kTest) {
    MP_ASSIGN_OR_RETURN(train, FindBatches(path));
    if (train.empty()) {
      MP_ASSIGN_OR_RETURN(train, FindFirst(path, {"train.bin"}));
    }
  }
  if (split != Split::kTrain) {
    MP_ASSIGN_OR_RETURN(test, FindFirst(path, {"test_batch.bin", "test.bin"}));
  }
  if (!train.empty() && !test.empty()) {
    return base::InvalidArgument(
        "DATASET_AMBIGUOUS", fmt::format("{} and {} could both be meant; give the file", train.front(), test.front()));
  }
  if (train.empty() && test.empty()) {
    return base::NotFound("DATASET_FILES_MISSING",
                          fmt::format("{} has no {}, raw or with .gz", path,
                                      split == Split::kTest    ? "test_batch.bin or test.bin"
                                      : split == Split::kTrain ? "data_batch_*.bin or train.bin"
                                                               : "validation.bin or val.bin"));
  }
  return train.empty() ? test : train;
}

}  // namespace

absl::StatusOr<OpenedDataset> OpenCifarDataset(const std::string& path, Split split, int64_t class_count) {
  MP_ASSIGN_OR_RETURN(const std::vector<std::string> paths, FindFiles(path, split));
  std::vector<CifarFile> files;
  base::Sha256 digest;
  uint64_t budget = kMaximumBytes;
  for (const std::string& file_path : paths) {
    MP_ASSIGN_OR_RETURN(CifarFile file, ReadCifarFile(file_path, class_count, budget));
    budget -= file.bytes.size();
    digest.UpdateInteger(file.bytes.size());
    digest.Update(file.bytes);
    files.push_back(std::move(file));
  }
  OpenedDataset opened;
  opened.dataset = std::make_shared<const CifarDataset>(std::move(files));
  opened.digest = digest.Finish();
  return opened;
}

}  // namespace modelpatch::data
