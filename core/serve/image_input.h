// One image of a request, as the encoder's pixels. Torch-free. Pure.
#pragma once

#include "core/data/image_codec.h"
#include "core/data/preprocess.h"
#include "core/serve/request.h"

namespace modelpatch::serve {

// Writes fp32 [3, h, w] to `out`: decoded and preprocessed, or the tensor as it was given. Errors: of decoding;
// INVALID_ARGUMENT (BAD_IMAGE_TENSOR).
absl::Status PreprocessImage(const ImageInput& image, const data::PreprocessConfig& config,
                             const data::DecodeLimits& limits, float* out);

}  // namespace modelpatch::serve
