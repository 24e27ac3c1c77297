// Tasks of the API to the sources that core opens, and the server's own copies of their files.
//
// Pure functions, except StageTaskFiles. Errors carry the field's path within the Task message (`files.train_path`).
#pragma once

#include <string>

#include "core/base/cancellation.h"
#include "core/data/task.h"
#include "core/store/records.h"
#include "modelpatch/v1/resources.pb.h"
#include "server/root_paths.h"

namespace modelpatch::server {

// What the client asks for, paths as given. INVALID_ARGUMENT: TASK_WITHOUT_SOURCE, BAD_SEED, BAD_CLASS_PARTITION (fewer
// than 2 parts), UNKNOWN_TASK_FORMAT, CLASS_NAMES_TWICE, UNEXPECTED_FIELD. Reads the file of class names below `roots`.
absl::StatusOr<data::TaskSource> ToTaskSource(const v1::Task& task, const RootPaths& roots);

// `status` of core/data, its field put into the message's words: `train` becomes `files.train_path`.
absl::Status WithTaskField(const absl::Status& status, const v1::Task& task);

// Copies the files of `source` into `directory`, and returns the source with paths relative to it.
absl::StatusOr<data::TaskSource> StageTaskFiles(const data::TaskSource& source, const RootPaths& roots,
                                                const std::string& directory,
                                                const base::CancellationToken& cancellation);

// `source` with its relative paths put below `directory`.
data::TaskSource WithDirectory(data::TaskSource source, const std::string& directory);

// `source` without its class partition, as JSON: what the copies of its files are for, whichever part of the classes.
std::string ContentJson(data::TaskSource source);

// The stored source of a task, with absolute paths. DATA_LOSS (METADATA_CORRUPT).
absl::StatusOr<data::TaskSource> TaskSourceOf(const store::TaskRecord& record, const std::string& tasks_path);

// The name below the tasks' directory of the copies that a stored source points into; "" for a generator.
std::string ContentKeyOf(const data::TaskSource& stored);

// Fills in what was found on opening it: class names, templates, sizes of the splits.
void FillTask(const data::Task& opened, v1::Task& task);

}  // namespace modelpatch::server
