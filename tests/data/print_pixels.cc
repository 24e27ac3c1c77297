// Decodes and resizes images for pillow_test.py. Each line of the input names a file and what to do with it:
//
//   decode 0 0 0 - PATH
//   shortest|longest|squash HEIGHT WIDTH FILL bicubic|bilinear PATH
//
// The answer to each is a line `WIDTH HEIGHT` and the pixels, uint8 [height, width, 3]; or the line `- REASON`.
#include <cstdio>
#include <iostream>
#include <sstream>
#include <string>

#include "core/base/file.h"
#include "core/data/preprocess.h"

namespace {

using namespace modelpatch;

absl::StatusOr<data::RgbImage> Answer(const std::string& line) {
  std::istringstream words(line);
  std::string mode, filter, path;
  data::PreprocessConfig config;
  words >> mode >> config.image_size.height >> config.image_size.width >> config.fill_color >> filter >> path;
  MP_ASSIGN_OR_RETURN(const std::string bytes, base::ReadFile(path, uint64_t{1} << 28));
  if (mode == "decode") return data::DecodeImage(bytes);
  config.resize_mode = mode == "shortest"  ? data::ResizeMode::kShortest
                       : mode == "longest" ? data::ResizeMode::kLongest
                                           : data::ResizeMode::kSquash;
  config.filter = filter == "bilinear" ? data::ResizeFilter::kBilinear : data::ResizeFilter::kBicubic;
  return data::PreprocessToPixels(bytes, config);
}

}  // namespace

int main() {
  std::string line;
  while (std::getline(std::cin, line)) {
    const auto image = Answer(line);
    if (image.ok()) {
      std::printf("%d %d\n", image->width, image->height);
      std::fwrite(image->pixels.data(), 1, image->pixels.size(), stdout);
    } else {
      std::printf("- %s\n", std::string(base::ReasonOf(image.status())).c_str());
    }
  }
  return 0;
}
