// The run-length encoding of bitmaps with 4 and 8 bits a pixel. Private to core/data. Thread safety: pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "core/base/status.h"

namespace modelpatch::data {

// The indices [height, width] in the order of the file, which is from the bottom up; 0 where the file has none. `bits`
// is 4 or 8. What stands out of a row or of the image is dropped. IMAGE_TRUNCATED if the data ends before the image and
// its end mark. Source: Windows' "Bitmap Compression" (BI_RLE4, BI_RLE8).
absl::StatusOr<std::vector<uint8_t>> DecodeBmpRuns(std::string_view data, int bits, size_t width, size_t height);

}  // namespace modelpatch::data
