#include "core/data/task.h"

#include <fmt/format.h>

#include <bit>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

#include "core/base/digest.h"
#include "core/base/text.h"
#include "core/data/candidate_table.h"
#include "core/data/cifar_dataset.h"
#include "core/data/class_partition.h"
#include "core/data/generated_dataset.h"
#include "core/data/idx_dataset.h"
#include "core/data/image_folder_dataset.h"
#include "core/data/json_lines_dataset.h"
#include "core/data/prompt_templates.h"
#include "core/data/split.h"

namespace modelpatch::data {
namespace {

constexpr Split kSplits[] = {Split::kTrain, Split::kValidation, Split::kTest};

const std::string& PathOf(const TaskSource& source, Split split) {
  return split == Split::kTrain ? source.train : split == Split::kValidation ? source.validation : source.test;
}

int64_t GeneratedCount(const TaskSource& source, Split split) {
  return split == Split::kTrain        ? source.generated_train
         : split == Split::kValidation ? source.generated_validation
                                       : source.generated_test;
}

// Nothing if the source has no such split. Candidates of examples get their classes from `candidates`.
absl::StatusOr<std::optional<OpenedDataset>> OpenSplit(const std::string& task_name, const TaskSource& source,
                                                       Split split, int64_t class_count, CandidateTable& candidates,
                                                       const DecodeLimits& limits) {
  absl::StatusOr<OpenedDataset> opened = OpenedDataset();
  std::string_view field = SplitName(split);
  if (source.format == "generator") {
    const int64_t count = GeneratedCount(source, split);
    if (count == 0) return std::optional<OpenedDataset>();
    MP_ASSIGN_OR_RETURN(std::shared_ptr<const Generator> generator, FindGenerator(source.generator));
    opened = MakeGeneratedDataset(std::move(generator), source.generator_seed, split, count);
  } else {
    const std::string& path = PathOf(source, split);
    if (path.empty()) return std::optional<OpenedDataset>();
    if (source.format == "idx") opened = OpenIdxDataset(path, split, class_count);
    if (source.format == "cifar") opened = OpenCifarDataset(path, split, class_count);
    if (source.format == "image-folder") opened = OpenImageFolderDataset(path, limits, ShownPath(task_name, split));
    if (source.format == "json-lines") {
      opened = OpenJsonLinesDataset(path, candidates, limits, ShownPath(task_name, split));
    }
  }
  if (!opened.ok()) return base::WithField(opened.status(), field);
  return std::optional<OpenedDataset>(*std::move(opened));
}

// All splits of a format that has names of its own have the same ones.
absl::Status CheckSameNames(const std::vector<std::string>& expected, const std::vector<std::string>& found,
                            Split split) {
  if (expected == found) return absl::OkStatus();
  size_t i = 0;
  while (i < expected.size() && i < found.size() && expected[i] == found[i]) ++i;
  return base::WithField(
      base::InvalidArgument(
          "DATASET_CLASS_MISMATCH",
          fmt::format("the {} split has {} class folders and another split {}; in sorted order folder {} is "
                      "'{}' here and '{}' there; every split needs the same folders",
                      SplitName(split), found.size(), expected.size(), i,
                      i < found.size() ? base::Printable(found[i]) : "missing",
                      i < expected.size() ? base::Printable(expected[i]) : "missing")),
      SplitName(split));
}

void UpdateList(base::Sha256& digest, const std::vector<std::string>& list) {
  digest.UpdateInteger(list.size());
  for (const std::string& entry : list) {
    digest.UpdateInteger(entry.size());
    digest.Update(entry);
  }
}

std::shared_ptr<const Dataset>& DatasetOf(Task& task, Split split) {
  return split == Split::kTrain ? task.train : split == Split::kValidation ? task.validation : task.test;
}

absl::Status CarveValidation(const TaskSource& source, Task& task) {
  auto split = StratifiedSplit(StrataOf(*task.train), source.validation_fraction, source.split_seed);
  if (!split.ok()) return base::WithField(split.status(), "validation");
  task.validation = std::make_shared<const SubsetDataset>(task.train, std::move(split->validation));
  task.train = std::make_shared<const SubsetDataset>(task.train, std::move(split->train));
  return absl::OkStatus();
}

// Leaves the classes of one part, and their examples.
absl::Status TakePart(const ClassPartition& partition, Task& task) {
  MP_ASSIGN_OR_RETURN(const std::vector<int32_t> classes,
                      ClassesOfPart(partition, static_cast<int64_t>(task.class_names.size())));
  std::vector<std::string> names;
  for (const int32_t index : classes) names.push_back(std::move(task.class_names[static_cast<size_t>(index)]));
  task.class_names = std::move(names);
  for (const Split split : kSplits) {
    auto& dataset = DatasetOf(task, split);
    if (dataset == nullptr) continue;
    dataset = RestrictToClasses(dataset, classes);
    if (dataset->size() > 0) continue;
    return base::WithField(
        base::InvalidArgument("BAD_CLASS_PARTITION",
                              fmt::format("the {} split has no example of the {} classes of part {} of {}; use fewer "
                                          "parts, another seed, or more examples",
                                          SplitName(split), classes.size(), partition.part, partition.parts)),
        "partition_part");
  }
  base::Sha256 digest;
  UpdateList(digest, {"class partition 1", task.whole_digest});
  for (const uint64_t value :
       {static_cast<uint64_t>(partition.parts), static_cast<uint64_t>(partition.part), partition.seed}) {
    digest.UpdateInteger(value);
  }
  task.digest = digest.Finish();
  return absl::OkStatus();
}

}  // namespace

const char* SplitName(Split split) {
  return split == Split::kTrain ? "train" : split == Split::kValidation ? "validation" : "test";
}

std::string ShownPath(const std::string& task_name, Split split) {
  return fmt::format("task {}: {}", task_name, SplitName(split));
}

absl::StatusOr<Task> OpenTask(std::string name, const TaskSource& source, const DecodeLimits& limits) {
  MP_RETURN_IF_ERROR(CheckTaskSource(source));
  Task task;
  task.name = std::move(name);
  MP_ASSIGN_OR_RETURN(task.class_names, ExpandClassNames(source.class_names));
  MP_ASSIGN_OR_RETURN(task.templates, ExpandTemplates(source.templates));

  std::vector<std::string> own_names;
  CandidateTable candidates;
  std::vector<std::string> contents = {"task 1", source.format};  // what the digest is over, the version first
  for (const Split split : kSplits) {
    MP_ASSIGN_OR_RETURN(
        std::optional<OpenedDataset> opened,
        OpenSplit(task.name, source, split, static_cast<int64_t>(task.class_names.size()), candidates, limits));
    contents.push_back(opened.has_value() ? opened->digest : "");
    if (!opened.has_value()) continue;
    if (own_names.empty()) own_names = opened->class_names;
    MP_RETURN_IF_ERROR(CheckSameNames(own_names, opened->class_names, split));
    DatasetOf(task, split) = opened->dataset;
  }
  if (!candidates.texts().empty()) own_names = candidates.texts();
  if (task.class_names.empty()) {
    MP_RETURN_IF_ERROR(CheckClassNames(own_names));
    MP_RETURN_IF_ERROR(CheckPromptSizes(own_names, task.templates));
    task.class_names = own_names;
  } else if (!own_names.empty() && own_names.size() != task.class_names.size()) {
    return base::WithField(
        base::InvalidArgument("CLASS_COUNT_MISMATCH", fmt::format("there are {} class names, but {} class folders",
                                                                  task.class_names.size(), own_names.size())),
        "class_names");
  }

  base::Sha256 digest;
  UpdateList(digest, contents);
  UpdateList(digest, task.class_names);
  UpdateList(digest, task.templates);
  if (task.train != nullptr && task.validation == nullptr) {
    MP_RETURN_IF_ERROR(CarveValidation(source, task));
    digest.UpdateInteger(std::bit_cast<uint64_t>(source.validation_fraction));
    digest.UpdateInteger(source.split_seed);
  }
  task.digest = task.whole_digest = digest.Finish();
  if (source.partition_parts != 0) {
    MP_RETURN_IF_ERROR(TakePart({source.partition_parts, source.partition_part, source.partition_seed}, task));
  }
  return task;
}

}  // namespace modelpatch::data
