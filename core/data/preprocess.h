// The evaluation transform of CLIP and its kin: decode, resize, crop the centre, normalise.
//
// Pixels are kept as uint8 as long as possible (a quarter of the memory of float); NormalizeToPlanar is the last step,
// straight into the batch. Thread safety: pure functions.
#pragma once

#include <cstdint>
#include <string_view>

#include "core/base/status.h"
#include "core/data/image.h"
#include "core/data/image_codec.h"
#include "core/data/preprocess_config.h"

namespace modelpatch::data {

// `image`, of at least one pixel, at config.image_size, which must have passed CheckModelImageSize. The sizes and
// offsets are those of torchvision and OpenCLIP:
// - kShortest to a square is torchvision's Resize(n): the shorter side becomes n, the longer one n · long / short,
//   truncated. To another size each side is divided by min(h / wanted h, w / wanted w) and rounded half to even, as
//   OpenCLIP's ResizeKeepRatio.
// - kLongest divides by the max of both and rounds half to even; a side that would vanish keeps one pixel.
// - kSquash is torchvision's Resize((h, w)).
// Where the resized image is larger than the result, the crop's offset is half of the difference, rounded half to even
// (CenterCrop); where it is smaller, the margin above and on the left is half of it, rounded down (CenterCropOrPad).
// The cost does not grow with the length of the part that the crop discards, so that thin strips are harmless.
RgbImage ResizeForModel(const RgbImage& image, const PreprocessConfig& config);

// (pixel / 255 - mean) / std in fp32, each operation rounded, as torchvision's ToTensor and Normalize.
// `pixels`: uint8 [h, w, 3] with [h, w] = config.image_size. `out`: float [3, h, w], must not overlap.
void NormalizeToPlanar(const uint8_t* pixels, const PreprocessConfig& config, float* out);

// The image in `encoded` at config.image_size, before normalisation. Errors: those of DecodeImage.
absl::StatusOr<RgbImage> PreprocessToPixels(std::string_view encoded, const PreprocessConfig& config,
                                            const DecodeLimits& limits = {});

}  // namespace modelpatch::data
