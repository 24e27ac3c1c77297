// The IDX format of MNIST, Fashion-MNIST and their kin: grey images and labels in two files, raw or gzip.
//
// Images: big-endian 32-bit magic 0x803, count, rows, columns, then count · rows · columns bytes. Labels: magic 0x801,
// count, then count bytes. Both are held in memory; grey becomes three equal channels when an image is asked for.
#pragma once

#include <cstdint>
#include <string>

#include "core/base/status.h"
#include "core/data/dataset.h"

namespace modelpatch::data {

// `path`: a directory with files of the usual names (train-images-idx3-ubyte[.gz] and train-labels-idx1-ubyte[.gz] for
// kTrain, t10k-… for kTest; for kValidation whichever of validation-…, val-…, train-…, t10k-… is the only one there;
// each also with a dot before idx, as in train-images.idx3-ubyte), or the images' file, whose labels' file lies beside
// it under the name with `images` replaced by `labels` and `idx3` by `idx1`, with or without .gz. Every label must be
// less than `class_count`. Errors, INVALID_ARGUMENT unless stated, naming file, offset and value: DATASET_BAD_MAGIC,
// DATASET_TRUNCATED, DATASET_TRAILING_BYTES, DATASET_EMPTY, DATASET_TOO_LARGE (more than 4 GiB or 16384 pixels a side),
// DATASET_COUNT_MISMATCH (images and labels), DATASET_LABEL_OUT_OF_RANGE, DATASET_AMBIGUOUS, DATASET_FILES_MISSING
// (NOT_FOUND); those of ReadMaybeGzip.
absl::StatusOr<OpenedDataset> OpenIdxDataset(const std::string& path, Split split, int64_t class_count);

}  // namespace modelpatch::data
