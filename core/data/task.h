// Task: a dataset with its splits, class names and prompt templates, opened and checked.
//
// A plain value; the datasets are immutable, shared and thread-safe, so a Task may be copied and read from any thread.
// Invariants: every label is below class_names.size(); at least one of `train` and `test` is there; class names are not
// empty and templates contain `{c}`.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/base/status.h"
#include "core/data/dataset.h"
#include "core/data/image_codec.h"
#include "core/data/task_source.h"

namespace modelpatch::data {

struct Task {
  std::string name;
  std::vector<std::string> class_names;  // built-in lists expanded
  std::vector<std::string> templates;    // at least one
  // Null where the source has no such split. Test examples are never taken for another split.
  std::shared_ptr<const Dataset> train, validation, test;
  // SHA-256 over format, contents, class names, templates, how the splits came about and which part of the classes it
  // is: equal digests, equal tasks.
  std::string digest;
  // The digest that the task of all classes has: the same for all parts of a partition.
  std::string whole_digest;

  const std::shared_ptr<const Dataset>& split(Split which) const {
    return which == Split::kTrain ? train : which == Split::kValidation ? validation : test;
  }
};

// "train", "validation" or "test".
const char* SplitName(Split split);

// How messages about the images of a split name its directory, which may lie in a server's private place.
std::string ShownPath(const std::string& task_name, Split split);

// Opens what `source` says. Reads every file. A missing validation split is carved out of the training one, stratified
// (see StrataOf) and seeded. A class partition comes last, so that each split of a part holds the examples of the whole
// task's split. Of examples with candidates, the class names are the distinct candidates, in the order of their first
// appearance over train, validation and test. Errors: those of CheckTaskSource, of the format's opening function and of
// StratifiedSplit, with the field's path ("train", "class_names", …); those of CheckClassNames and CheckPromptSizes for
// the dataset's own names; CLASS_COUNT_MISMATCH if an image folder has not as many folders as there are class names,
// DATASET_CLASS_MISMATCH if the folders of two splits have different names; BAD_CLASS_PARTITION if a split has no
// example of the part's classes.
absl::StatusOr<Task> OpenTask(std::string name, const TaskSource& source, const DecodeLimits& limits = {});

}  // namespace modelpatch::data
