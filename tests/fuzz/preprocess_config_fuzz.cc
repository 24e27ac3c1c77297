// Any bytes as a preprocessor_config.json: refused, or a config that survives being written and whose normalised
// pixels are finite.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "core/data/preprocess.h"
#include "tests/fuzz/require.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace modelpatch::data;
  using modelpatch::fuzz::Require;
  auto config = ParsePreprocessConfig({reinterpret_cast<const char*>(data), size});
  if (!config.ok()) {
    Require(config.status().code() == absl::StatusCode::kInvalidArgument, "a bad file is an invalid argument");
    Require(!modelpatch::base::ReasonOf(config.status()).empty(), "an error has a reason");
    return 0;
  }
  Require(config->image_size.height > 0 && config->image_size.width > 0, "images have pixels");
  if (const auto written = WritePreprocessConfig(*config); written.ok()) {
    const auto again = ParsePreprocessConfig(*written);
    Require(again.ok() && *again == *config, "what is written is read");
  }
  config->image_size = 2;
  const std::vector<uint8_t> pixels = {0, 0, 0, 255, 255, 255, 1, 2, 3, 127, 128, 129};
  std::vector<float> planes(pixels.size());
  NormalizeToPlanar(pixels.data(), *config, planes.data());
  Require(std::all_of(planes.begin(), planes.end(), [](float value) { return std::isfinite(value); }),
          "normalised pixels are finite");
  return 0;
}
