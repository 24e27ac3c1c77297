#include "core/data/json_lines_dataset.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/base/digest.h"
#include "core/base/file.h"
#include "core/data/dataset_files.h"
#include "core/data/json_lines.h"

namespace modelpatch::data {
namespace {

constexpr uint64_t kMaximumImageBytes = uint64_t{1} << 30;

struct Example {
  int64_t line;
  size_t image;  // an index into the images
  int32_t label;
  size_t candidates_end;  // in the list of all examples' candidates; they begin where those of the one before end
};

struct Examples {
  std::string directory;            // of the file
  std::vector<std::string> images;  // distinct, relative to the directory
  std::vector<Example> examples;
  std::vector<int32_t> candidates;
};

class JsonLinesDataset final : public Dataset {
 public:
  JsonLinesDataset(Examples content, std::string shown_as, const DecodeLimits& limits)
      : content_(std::move(content)), shown_as_(std::move(shown_as)), limits_(limits) {}

  int64_t size() const override { return static_cast<int64_t>(content_.examples.size()); }
  int32_t label(int64_t index) const override { return At(index).label; }
  std::vector<int32_t> candidates(int64_t index) const override {
    const auto all = content_.candidates.begin();
    const size_t begin = index == 0 ? 0 : At(index - 1).candidates_end;
    return {all + static_cast<std::ptrdiff_t>(begin), all + static_cast<std::ptrdiff_t>(At(index).candidates_end)};
  }
  absl::StatusOr<RgbImage> image(int64_t index) const override {
    const std::string& name = content_.images[At(index).image];
    const std::string shown = fmt::format("{}: line {}: {}", shown_as_, At(index).line, name);
    const auto bytes = base::ReadFile(fmt::format("{}/{}", content_.directory, name), kMaximumImageBytes);
    if (!bytes.ok()) {
      return base::Error(bytes.status().code(), base::ReasonOf(bytes.status()),
                         fmt::format("{} cannot be read any more; restore it", shown));
    }
    auto image = DecodeImage(*bytes, limits_);
    if (!image.ok()) return base::WithContext(image.status(), shown);
    return image;
  }

 private:
  const Example& At(int64_t index) const { return content_.examples[static_cast<size_t>(index)]; }

  const Examples content_;
  const std::string shown_as_;
  const DecodeLimits limits_;
};

// Gathers the examples of a file, line by line.
class Reader {
 public:
  Reader(std::string directory, CandidateTable& table) : table_(table) { content_.directory = std::move(directory); }

  absl::Status Add(int64_t line, const JsonLine& example) {
    MP_ASSIGN_OR_RETURN(const size_t image, ImageOf(example.image));
    std::vector<int32_t> candidates;
    for (const std::string& text : example.candidates) {
      MP_ASSIGN_OR_RETURN(const int32_t candidate, table_.ClassOf(text));
      candidates.push_back(candidate);
    }
    const int32_t label = candidates[example.answer];
    std::sort(candidates.begin(), candidates.end());
    digest_.UpdateInteger(static_cast<uint64_t>(label));
    digest_.UpdateInteger(candidates.size());
    for (const int32_t candidate : candidates) digest_.UpdateInteger(static_cast<uint64_t>(candidate));
    content_.candidates.insert(content_.candidates.end(), candidates.begin(), candidates.end());
    content_.examples.push_back({line, image, label, content_.candidates.size()});
    return absl::OkStatus();
  }

  Examples& content() { return content_; }
  std::string FinishDigest() { return digest_.Finish(); }

 private:
  // The place of this image; a new one is read for the digest.
  absl::StatusOr<size_t> ImageOf(const std::string& name) {
    const auto [entry, is_new] = places_.try_emplace(name, content_.images.size());
    digest_.UpdateInteger(entry->second);
    if (!is_new) return entry->second;
    const std::string path = fmt::format("{}/{}", content_.directory, name);
    MP_RETURN_IF_ERROR(CheckStaysInside(content_.directory, path));
    MP_ASSIGN_OR_RETURN(const std::string bytes, base::ReadFile(path, kMaximumImageBytes));
    if (bytes.empty()) return base::InvalidArgument("IMAGE_EMPTY", fmt::format("{} holds no bytes", path));
    digest_.UpdateInteger(bytes.size());
    digest_.Update(bytes);
    content_.images.push_back(name);
    return entry->second;
  }

  CandidateTable& table_;
  Examples content_;
  std::unordered_map<std::string, size_t> places_;
  base::Sha256 digest_;
};

}  // namespace

absl::StatusOr<OpenedDataset> OpenJsonLinesDataset(const std::string& path, CandidateTable& table,
                                                   const DecodeLimits& limits, const std::string& shown_as) {
  MP_ASSIGN_OR_RETURN(const std::string text, base::ReadFile(path, kMaximumJsonLinesFileBytes));
  const std::filesystem::path parent = std::filesystem::path(path).parent_path();
  Reader reader(parent.empty() ? std::string(1, '.') : parent.string(), table);
  const absl::Status read =
      ForEachJsonLine(text, [&reader](int64_t line, const JsonLine& example) { return reader.Add(line, example); });
  if (!read.ok()) return base::WithContext(read, path);
  if (reader.content().examples.empty()) {
    return base::InvalidArgument("DATASET_EMPTY", fmt::format("{} holds no example", path));
  }
  OpenedDataset opened;
  opened.digest = reader.FinishDigest();
  opened.dataset =
      std::make_shared<const JsonLinesDataset>(std::move(reader.content()), shown_as.empty() ? path : shown_as, limits);
  return opened;
}

}  // namespace modelpatch::data
