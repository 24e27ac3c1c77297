// CLIP's evaluation transform: decode, resize the shorter side, crop the centre, normalise.
//
// Pixels are kept as uint8 as long as possible (a quarter of the memory of float); NormalizeToPlanar is the last step,
// straight into the batch. Thread safety: pure functions.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "core/base/status.h"
#include "core/data/image.h"
#include "core/data/image_codec.h"

namespace modelpatch::data {

struct PreprocessConfig {
  int image_size = 224;  // pixels, both sides
  // Of the channels red, green, blue, on the scale [0, 1]. The defaults are those of OpenAI's CLIP.
  std::array<float, 3> mean = {0.48145466f, 0.4578275f, 0.40821073f};
  std::array<float, 3> std = {0.26862954f, 0.26130258f, 0.27577711f};
};

// A Hugging Face `preprocessor_config.json`, in its old form ("size": 224) and its new one ("size": {"shortest_edge":
// 224}); of `size` and `crop_size` one may stand for both, and what else is absent has CLIPImageProcessor's default.
// INVALID_ARGUMENT with the member as its field: BAD_PREPROCESSOR_CONFIG if it is not such a document (of at most 1
// MiB, means of at most 256 either way, standard deviations from 1e-6 to 1e6); UNSUPPORTED_PREPROCESSING if it asks for
// a transform that is not the one above: another filter than bicubic, a step left out, a crop of another size than the
// resize, a resize that does not keep the ratio.
absl::StatusOr<PreprocessConfig> ParsePreprocessConfig(std::string_view json);

// (pixel / 255 - mean) / std in fp32, each operation rounded, as torchvision's ToTensor and Normalize.
// `pixels`: uint8 [n, n, 3] with n = config.image_size. `out`: float [3, n, n], must not overlap.
void NormalizeToPlanar(const uint8_t* pixels, const PreprocessConfig& config, float* out);

// The image in `encoded` at config.image_size x config.image_size, before normalisation. Errors: those of DecodeImage.
absl::StatusOr<RgbImage> PreprocessToPixels(std::string_view encoded, const PreprocessConfig& config,
                                            const DecodeLimits& limits = {});

}  // namespace modelpatch::data
