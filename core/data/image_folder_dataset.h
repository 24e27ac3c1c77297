// One folder per class, image files in it: the layout of torchvision's ImageFolder.
//
// The sorted folder names are the classes. Files are what DecodeImage reads, told apart by their content;
// files whose names do not end in png, jpg, jpeg, webp, gif, tif, tiff, bmp, ppm, pgm or pnm (in any case) are left
// out, and so is whatever starts with a dot. Within a folder files go by sorted name. Sorting is bytewise, so the order
// is the same everywhere. Files are decoded when asked for and must stay as they are while the dataset is in use.
#pragma once

#include <string>

#include "core/base/status.h"
#include "core/data/dataset.h"
#include "core/data/image_codec.h"

namespace modelpatch::data {

// Reads every file once, for the digest, without decoding it.
// Errors, INVALID_ARGUMENT unless stated: DATASET_NO_FOLDERS (not a directory, or one without folders), DATASET_EMPTY
// (no image in any folder), NOT_A_REGULAR_FILE, IMAGE_EMPTY (a file of no bytes), FILE_TOO_LARGE (more than 1 GiB);
// PATH_OUTSIDE_ROOT (PERMISSION_DENIED) for a link that leads out of `path`. All name the file.
// `shown_as` stands for `path` in the messages of images that cannot be decoded later; empty: `path` itself.
absl::StatusOr<OpenedDataset> OpenImageFolderDataset(const std::string& path, const DecodeLimits& limits,
                                                     const std::string& shown_as = "");

}  // namespace modelpatch::data
