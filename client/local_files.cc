#include "client/local_files.h"

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <set>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/status_macros.h"
#include "google/protobuf/struct.pb.h"
#include "google/protobuf/util/json_util.h"

namespace modelpatch::client {
namespace {

namespace fs = std::filesystem;

using Wanted = std::function<bool(const std::string& name)>;

bool EndsWithAny(const std::string& name, std::initializer_list<const char*> suffixes) {
  return std::any_of(suffixes.begin(), suffixes.end(),
                     [&](const char* suffix) { return absl::EndsWith(name, suffix); });
}

absl::Status CannotList(const std::string& path, const std::error_code& error) {
  return absl::InvalidArgumentError(absl::StrCat("cannot list ", path, ": ", error.message()));
}

// The wanted files in a directory, links followed and hidden ones left out, sorted.
absl::StatusOr<std::vector<LocalFile>> FindIn(const std::string& directory, const std::string& prefix, bool recursive,
                                              const Wanted& wanted) {
  std::error_code error;
  std::vector<LocalFile> files;
  fs::recursive_directory_iterator it(directory, fs::directory_options::follow_directory_symlink, error);
  for (const fs::recursive_directory_iterator end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    std::error_code ignored;
    if (absl::StartsWith(name, ".") || !recursive) it.disable_recursion_pending();
    if (absl::StartsWith(name, ".") || !it->is_regular_file(ignored) || !wanted(name)) continue;
    const std::string inner = it->path().lexically_relative(directory).string();
    files.push_back({it->path().string(), prefix.empty() ? inner : absl::StrCat(prefix, "/", inner)});
  }
  if (error) return CannotList(directory, error);
  std::sort(files.begin(), files.end(), [](const LocalFile& a, const LocalFile& b) { return a.path < b.path; });
  return files;
}

// The file of labels that belongs to an IDX file of images, gzipped or not, if it is there.
std::vector<std::string> LabelsBeside(const fs::path& images) {
  std::string name = images.filename().string();
  for (const auto& [from, to] : {std::pair("images", "labels"), {"idx3", "idx1"}}) {
    if (const size_t at = name.rfind(from); at != std::string::npos) name.replace(at, std::string(from).size(), to);
  }
  if (name == images.filename().string()) return {};
  if (absl::EndsWith(name, ".gz")) name.resize(name.size() - 3);
  for (const std::string& candidate : {name, name + ".gz"}) {
    const fs::path beside = images.parent_path() / candidate;
    if (std::error_code error; fs::is_regular_file(beside, error)) return {beside.string()};
  }
  return {};
}

// The image that a line of a JSON-lines file names, in the form that a path in an upload has; "" where the line has
// none that could be one.
std::string ImageOf(const std::string& line) {
  google::protobuf::Struct object;
  if (!google::protobuf::util::JsonStringToMessage(line, &object).ok()) return "";
  const auto found = object.fields().find("image");
  if (found == object.fields().end()) return "";
  const fs::path image = fs::path(found->second.string_value()).lexically_normal();
  const bool leaves = std::find(image.begin(), image.end(), "..") != image.end();
  return image.is_absolute() || leaves || !image.has_filename() || image == "." ? "" : image.string();
}

Wanted WantedOf(v1::TaskFormat format) {
  switch (format) {
    case v1::TASK_FORMAT_IDX:
      return [](const std::string& name) { return absl::StrContains(name, "idx"); };
    case v1::TASK_FORMAT_CIFAR:
      return [](const std::string& name) { return absl::StrContains(name, ".bin"); };
    default:
      return [](const std::string&) { return true; };
  }
}

// Adds the images that the lines of a JSON-lines file name, under `prefix`. What is no such line, or names no file that
// could be sent, is left to the server, which says what is wrong with it.
absl::Status AddImagesOf(const std::string& path, const std::string& prefix, std::vector<LocalFile>& files) {
  std::ifstream content(path, std::ios::binary);
  if (!content) return absl::InvalidArgumentError(absl::StrCat("cannot read ", path));
  std::set<std::string> added = {fs::path(path).filename().string()};
  std::string line;
  for (int64_t number = 1; std::getline(content, line); ++number) {
    const std::string image = ImageOf(line);
    if (image.empty() || !added.insert(image).second) continue;
    const fs::path local = fs::path(path).parent_path() / image;
    if (std::error_code error; !fs::is_regular_file(local, error)) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ": line ", number, ": there is no file ", local.string(), " on this machine"));
    }
    files.push_back({local.string(), absl::StrCat(prefix, "/", image)});
  }
  return absl::OkStatus();
}

// Adds what lies at `path` under `prefix`, and puts its place in the upload for it.
absl::Status AddSplit(v1::TaskFormat format, const std::string& prefix, std::string& path,
                      std::vector<LocalFile>& files) {
  std::error_code error;
  if (fs::is_directory(path, error)) {
    if (format == v1::TASK_FORMAT_JSON_LINES) {
      return absl::InvalidArgumentError(absl::StrCat(path, " is a directory; name the file with the JSON lines"));
    }
    const bool recursive = format == v1::TASK_FORMAT_IMAGE_FOLDER;
    CLIENT_ASSIGN_OR_RETURN(const auto found, FindIn(path, prefix, recursive, WantedOf(format)));
    if (found.empty()) return absl::InvalidArgumentError(absl::StrCat("there is no file of this format in ", path));
    files.insert(files.end(), found.begin(), found.end());
    path = prefix;
    return absl::OkStatus();
  }
  if (!fs::is_regular_file(path, error)) {
    return absl::InvalidArgumentError(absl::StrCat("there is no file or directory ", path, " on this machine"));
  }
  std::vector<std::string> found = {path};
  if (format == v1::TASK_FORMAT_IDX) {
    for (const std::string& labels : LabelsBeside(path)) found.push_back(labels);
  }
  for (const std::string& one : found) {
    files.push_back({one, absl::StrCat(prefix, "/", fs::path(one).filename().string())});
  }
  if (format == v1::TASK_FORMAT_JSON_LINES) CLIENT_RETURN_IF_ERROR(AddImagesOf(path, prefix, files));
  path = absl::StrCat(prefix, "/", fs::path(path).filename().string());
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<LocalFile>> FindModelFiles(const std::string& path) {
  if (std::error_code error; !fs::is_directory(path, error)) {
    return absl::InvalidArgumentError(absl::StrCat("there is no directory ", path, " on this machine"));
  }
  CLIENT_ASSIGN_OR_RETURN(
      auto files, FindIn(path, "", /*recursive=*/false, [](const std::string& name) {
        return EndsWithAny(name, {".json", ".txt", ".txt.gz", ".safetensors", ".bin", ".pt", ".pth"});
      }));
  const bool has_whole = std::any_of(files.begin(), files.end(), [](const LocalFile& file) {
    return file.path == "model.safetensors" || file.path == "open_clip_model.safetensors";
  });
  if (has_whole) {
    std::erase_if(files, [](const LocalFile& file) { return EndsWithAny(file.path, {".bin", ".pt", ".pth"}); });
  }
  if (files.empty()) return absl::InvalidArgumentError(absl::StrCat("there is no file of a model in ", path));
  return files;
}

absl::StatusOr<std::vector<LocalFile>> FindTaskFiles(v1::TaskFiles& task) {
  std::vector<LocalFile> files;
  // What is named twice is sent once.
  std::map<std::string, std::string> sent;
  for (const auto& [prefix, path] : {std::pair("train", task.mutable_train_path()),
                                     {"validation", task.mutable_validation_path()},
                                     {"test", task.mutable_test_path()}}) {
    if (path->empty()) continue;
    const std::string given = *path;
    if (const auto before = sent.find(given); before != sent.end()) {
      *path = before->second;
      continue;
    }
    CLIENT_RETURN_IF_ERROR(AddSplit(task.format(), prefix, *path, files));
    sent[given] = *path;
  }
  if (!task.class_names_path().empty()) {
    CLIENT_RETURN_IF_ERROR(AddSplit(v1::TASK_FORMAT_UNSPECIFIED, "classes", *task.mutable_class_names_path(), files));
  }
  return files;
}

}  // namespace modelpatch::client
