// The binary format of CIFAR-10 and CIFAR-100: records of label bytes and 3 x 32 x 32 planar RGB bytes, raw or gzip.
//
// CIFAR-10 has one label byte (records of 3073 bytes). The official CIFAR-100 has two, coarse then fine (3074 bytes),
// of which the fine one is the label; CIFAR-100 is also found with the fine byte alone. Which it is follows from the
// size of the file; where a size fits both, from which of the two gives only valid labels. All files are held in
// memory.
#pragma once

#include <cstdint>
#include <string>

#include "core/base/status.h"
#include "core/data/dataset.h"

namespace modelpatch::data {

// `path`: a file, or a directory with, for kTrain, data_batch_*.bin[.gz] in the order of their numbers or
// train.bin[.gz]; for kTest, test_batch.bin[.gz] or test.bin[.gz]; for kValidation, validation.bin[.gz], val.bin[.gz],
// or else the one of the train and test files that is there. Every label must be less than `class_count`. Errors,
// INVALID_ARGUMENT unless stated, naming file, offset and value: DATASET_TRUNCATED (the size is no whole number of
// records), DATASET_EMPTY, DATASET_TOO_LARGE (more than 512 MiB in a file, 4 GiB in a split),
// DATASET_LABEL_OUT_OF_RANGE, DATASET_AMBIGUOUS, DATASET_FILES_MISSING (NOT_FOUND); those of ReadMaybeGzip.
absl::StatusOr<OpenedDataset> OpenCifarDataset(const std::string& path, Split split, int64_t class_count);

}  // namespace modelpatch::data
