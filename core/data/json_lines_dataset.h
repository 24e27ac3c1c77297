// Examples that each have candidates of their own, as json_lines.h describes: visual question answering, typographic
// photographs.
//
// Images are what DecodeImage reads, told apart by their content; several examples may name the same one. They are
// decoded when asked for and must stay as they are while the dataset is in use.
#pragma once

#include <string>

#include "core/base/status.h"
#include "core/data/candidate_table.h"
#include "core/data/dataset.h"
#include "core/data/image_codec.h"

namespace modelpatch::data {

// Reads the file at `path` and every image once, for the digest, without decoding it. Candidates get their classes
// from `table`, which the splits of a task share; `class_names` of the result stays empty.
// Errors, INVALID_ARGUMENT unless stated, naming the file and the line: those of ForEachJsonLine and CandidateTable;
// DATASET_EMPTY (no example), NOT_A_REGULAR_FILE, IMAGE_EMPTY (a file of no bytes), FILE_TOO_LARGE (an image of more
// than 1 GiB, a file of more than 256 MiB); FILE_NOT_FOUND (NOT_FOUND); PATH_OUTSIDE_ROOT (PERMISSION_DENIED) for a
// link that leads out of the file's directory. `shown_as` stands for `path` in the messages of images that cannot be
// decoded later; empty: `path` itself.
absl::StatusOr<OpenedDataset> OpenJsonLinesDataset(const std::string& path, CandidateTable& table,
                                                   const DecodeLimits& limits, const std::string& shown_as = "");

}  // namespace modelpatch::data
