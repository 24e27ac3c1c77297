// Random-resized-crop, the one augmentation of the reference's fine-tuning. Thread safety: pure functions.
#pragma once

#include "core/base/random.h"
#include "core/data/resize.h"

namespace modelpatch::data {

// The defaults are the reference's (mlfoundations/patching, through OpenCLIP's training transform).
struct RandomCropOptions {
  double minimum_scale = 0.9, maximum_scale = 1.0;              // of the image's area
  double minimum_ratio = 3.0 / 4.0, maximum_ratio = 4.0 / 3.0;  // width / height
};

// The crop of torchvision's RandomResizedCrop for an image of `width` x `height` pixels: up to ten tries with an area
// uniform in the scales and a ratio log-uniform in the ratios, then the largest central crop whose ratio is allowed.
Box DrawRandomCrop(int width, int height, const RandomCropOptions& options, base::RandomStream& random);

}  // namespace modelpatch::data
