#include "server/task_conversion.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <filesystem>
#include <utility>

#include "core/base/file.h"
#include "core/base/text.h"
#include "server/copy_files.h"
#include "server/copy_json_lines.h"

namespace modelpatch::server {
namespace {

constexpr uint64_t kMaximumClassFileBytes = uint64_t{16} << 20;

absl::Status BadField(std::string_view field, std::string_view reason, std::string_view message) {
  return base::WithField(base::InvalidArgument(reason, message), field);
}

// One class name a line; a carriage return at the end of a line and empty lines at the end of the file do not count.
absl::StatusOr<std::vector<std::string>> ReadClassNames(const std::string& path, const RootPaths& roots) {
  MP_ASSIGN_OR_RETURN(const std::string resolved, roots.Resolve(path));
  MP_ASSIGN_OR_RETURN(const std::string content, base::ReadFile(resolved, kMaximumClassFileBytes));
  std::vector<std::string> names;
  for (size_t start = 0; start < content.size();) {
    const size_t end = std::min(content.find('\n', start), content.size());
    std::string line = content.substr(start, end - start);
    if (!line.empty() && line.back() == '\r') line.pop_back();
    names.push_back(std::move(line));
    start = end + 1;
  }
  while (!names.empty() && names.back().empty()) names.pop_back();
  if (names.empty())
    return base::InvalidArgument("NO_CLASSES", fmt::format("'{}' holds no class name", base::Printable(path)));
  return names;
}

absl::StatusOr<std::string> FormatName(v1::TaskFormat format) {
  switch (format) {
    case v1::TASK_FORMAT_IDX:
      return "idx";
    case v1::TASK_FORMAT_CIFAR:
      return "cifar";
    case v1::TASK_FORMAT_IMAGE_FOLDER:
      return "image-folder";
    case v1::TASK_FORMAT_JSON_LINES:
      return "json-lines";
    default:
      return BadField("files.format", "UNKNOWN_TASK_FORMAT",
                      fmt::format("{} is no format of files; use IDX, CIFAR, IMAGE_FOLDER or JSON_LINES",
                                  static_cast<int>(format)));
  }
}

absl::Status FillFromFiles(const v1::TaskFiles& files, const RootPaths& roots, data::TaskSource& source) {
  MP_ASSIGN_OR_RETURN(source.format, FormatName(files.format()));
  source.train = files.train_path();
  source.validation = files.validation_path();
  source.test = files.test_path();
  if (files.has_validation_fraction()) source.validation_fraction = files.validation_fraction();
  if (files.split_seed() < 0)
    return BadField("files.split_seed", "BAD_SEED", fmt::format("the seed {} is negative", files.split_seed()));
  source.split_seed = static_cast<uint64_t>(files.split_seed());
  if (files.class_names_path().empty()) return absl::OkStatus();
  if (source.format == "json-lines") {
    return BadField("files.class_names_path", "UNEXPECTED_FIELD",
                    "the classes of the format JSON_LINES are the candidates of its examples; give no class names");
  }
  if (!source.class_names.empty()) {
    return BadField("files.class_names_path", "CLASS_NAMES_TWICE",
                    "class names are given and so is a file of them; give one");
  }
  auto names = ReadClassNames(files.class_names_path(), roots);
  if (!names.ok()) return base::WithField(names.status(), "files.class_names_path");
  source.class_names = *std::move(names);
  return absl::OkStatus();
}

absl::Status FillFromGenerator(const v1::TaskGenerator& generator, data::TaskSource& source) {
  source.format = "generator";
  source.generator = generator.generator();
  source.generated_train = generator.train_examples();
  source.generated_validation = generator.validation_examples();
  source.generated_test = generator.test_examples();
  if (generator.seed() < 0)
    return BadField("generator.seed", "BAD_SEED", fmt::format("the seed {} is negative", generator.seed()));
  source.generator_seed = static_cast<uint64_t>(generator.seed());
  return absl::OkStatus();
}

// A partition that is there says into how many parts: none is no way to ask for all classes.
absl::Status FillPartition(const v1::Task& task, data::TaskSource& source) {
  if (!task.has_class_partition()) return absl::OkStatus();
  const v1::ClassPartition& partition = task.class_partition();
  if (partition.parts() < 2) {
    return BadField("class_partition.parts", "BAD_CLASS_PARTITION",
                    fmt::format("the classes cannot be cut into {} parts; use at least 2, or no partition for all "
                                "classes",
                                partition.parts()));
  }
  if (partition.seed() < 0) {
    return BadField("class_partition.seed", "BAD_SEED", fmt::format("the seed {} is negative", partition.seed()));
  }
  source.partition_parts = partition.parts();
  source.partition_part = partition.part();
  source.partition_seed = static_cast<uint64_t>(partition.seed());
  return absl::OkStatus();
}

// The files of a directory that a format may read.
CopyRules RulesOf(const std::string& format) {
  CopyRules rules;
  rules.recursive = format == "image-folder";
  if (format == "idx") {
    rules.wanted = [](const std::string& name) { return name.find("idx") != std::string::npos; };
  } else if (format == "cifar") {
    rules.wanted = [](const std::string& name) { return name.find(".bin") != std::string::npos; };
  }
  return rules;
}

std::string Replaced(std::string text, const std::string& from, const std::string& to) {
  if (const size_t at = text.rfind(from); at != std::string::npos) text.replace(at, from.size(), to);
  return text;
}

// The file of labels beside an IDX file of images, gzipped or not; "" if there is none.
std::string LabelsBeside(const std::string& images) {
  const std::filesystem::path path(images);
  std::string name = Replaced(Replaced(path.filename().string(), "images", "labels"), "idx3", "idx1");
  if (name == path.filename().string()) return "";
  if (name.ends_with(".gz")) name.resize(name.size() - 3);
  for (const std::string& candidate : {name, name + ".gz"}) {
    const std::string beside = (path.parent_path() / candidate).string();
    if (std::error_code error; std::filesystem::exists(beside, error)) return beside;
  }
  return "";
}

std::string FileName(const std::string& path) { return std::filesystem::path(path).filename().string(); }

// Copies one split to `directory`/`split` and returns its path relative to `directory`.
absl::StatusOr<std::string> StageSplit(const std::string& given, const std::string& format, const char* split,
                                       const RootPaths& roots, const std::string& directory,
                                       const base::CancellationToken& cancellation) {
  MP_ASSIGN_OR_RETURN(const std::string path, roots.Resolve(given));
  const std::string target = directory + "/" + split;
  if (format == "json-lines") {
    MP_RETURN_IF_ERROR(CopyJsonLines(roots, given, target, cancellation));
    return fmt::format("{}/{}", split, FileName(given));
  }
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) {
    MP_RETURN_IF_ERROR(CopyDirectory(roots, path, target, RulesOf(format), cancellation));
    return std::string(split);
  }
  MP_RETURN_IF_ERROR(base::CreateDirectories(target));
  // The name as given: a link's name says what the file is, its target's may not.
  const std::string name = FileName(given);
  MP_RETURN_IF_ERROR(CopyFile(roots, path, target + "/" + name, cancellation));
  if (format == "idx") {
    const std::string parent = std::filesystem::path(given).is_absolute() ? given : path;
    if (const std::string labels = LabelsBeside(parent); !labels.empty()) {
      MP_RETURN_IF_ERROR(CopyFile(roots, labels, target + "/" + FileName(labels), cancellation));
    }
  }
  return fmt::format("{}/{}", split, name);
}

}  // namespace

absl::StatusOr<data::TaskSource> ToTaskSource(const v1::Task& task, const RootPaths& roots) {
  data::TaskSource source;
  source.class_names.assign(task.class_names().begin(), task.class_names().end());
  source.templates.assign(task.templates().begin(), task.templates().end());
  MP_RETURN_IF_ERROR(FillPartition(task, source));
  switch (task.source_case()) {
    case v1::Task::kFiles:
      MP_RETURN_IF_ERROR(FillFromFiles(task.files(), roots, source));
      return source;
    case v1::Task::kGenerator:
      MP_RETURN_IF_ERROR(FillFromGenerator(task.generator(), source));
      return source;
    case v1::Task::SOURCE_NOT_SET:
      break;
  }
  return BadField("source", "TASK_WITHOUT_SOURCE", "the task has no source; set `files` or `generator`");
}

absl::Status WithTaskField(const absl::Status& status, const v1::Task& task) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 11> kFields = {{
      {"format", "files.format"},
      {"train", "files.train_path"},
      {"validation", "files.validation_path"},
      {"test", "files.test_path"},
      {"validation_fraction", "files.validation_fraction"},
      {"generator", "generator.generator"},
      {"generated_train", "generator.train_examples"},
      {"generated_validation", "generator.validation_examples"},
      {"generated_test", "generator.test_examples"},
      {"partition_parts", "class_partition.parts"},
      {"partition_part", "class_partition.part"},
  }};
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 3> kGeneratorFields = {{
      {"train", "generator.train_examples"},
      {"validation", "generator.validation_examples"},
      {"test", "generator.test_examples"},
  }};
  const std::string field = base::FieldOf(status);
  std::string_view translated;
  for (const auto& [from, to] : kFields) {
    if (field == from) translated = to;
  }
  if (task.has_generator()) {
    for (const auto& [from, to] : kGeneratorFields) {
      if (field == from) translated = to;
    }
  }
  if (translated.empty()) return status;
  absl::Status bare =
      base::Error(status.code(), base::ReasonOf(status), {status.message().data(), status.message().size()});
  return base::WithField(bare, translated);
}

absl::StatusOr<data::TaskSource> StageTaskFiles(const data::TaskSource& source, const RootPaths& roots,
                                                const std::string& directory,
                                                const base::CancellationToken& cancellation) {
  data::TaskSource staged = source;
  for (const auto& [split, path] :
       {std::pair("train", &staged.train), {"validation", &staged.validation}, {"test", &staged.test}}) {
    if (path->empty()) continue;
    auto relative = StageSplit(*path, source.format, split, roots, directory, cancellation);
    if (!relative.ok()) return base::WithField(relative.status(), split);
    *path = *std::move(relative);
  }
  return staged;
}

data::TaskSource WithDirectory(data::TaskSource source, const std::string& directory) {
  for (std::string* path : {&source.train, &source.validation, &source.test}) {
    if (!path->empty()) *path = directory + "/" + *path;
  }
  return source;
}

std::string ContentJson(data::TaskSource source) {
  source.partition_parts = source.partition_part = 0;
  source.partition_seed = 0;
  return data::TaskSourceToJson(source);
}

absl::StatusOr<data::TaskSource> TaskSourceOf(const store::TaskRecord& record, const std::string& tasks_path) {
  auto source = data::TaskSourceFromJson(record.source_json);
  if (!source.ok()) {
    return base::DataLoss("METADATA_CORRUPT", fmt::format("the stored source of tasks/{} is damaged: {}", record.id,
                                                          std::string(source.status().message())));
  }
  return WithDirectory(*std::move(source), tasks_path);
}

std::string ContentKeyOf(const data::TaskSource& stored) {
  for (const std::string* path : {&stored.train, &stored.test, &stored.validation}) {
    if (!path->empty()) return path->substr(0, path->find('/'));
  }
  return "";
}

void FillTask(const data::Task& opened, v1::Task& task) {
  const auto size = [](const std::shared_ptr<const data::Dataset>& dataset) {
    return dataset == nullptr ? 0 : static_cast<int32_t>(dataset->size());
  };
  task.mutable_class_names()->Assign(opened.class_names.begin(), opened.class_names.end());
  task.mutable_templates()->Assign(opened.templates.begin(), opened.templates.end());
  task.set_train_examples(size(opened.train));
  task.set_validation_examples(size(opened.validation));
  task.set_test_examples(size(opened.test));
  task.set_digest(opened.digest);
}

}  // namespace modelpatch::server
