// Any bytes as an open_clip_config.json: refused, or a config that passes its check and survives being written.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/model/open_clip_config.h"
#include "tests/fuzz/require.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace modelpatch::model;
  using modelpatch::fuzz::Require;
  const auto config = ParseOpenClipConfig({reinterpret_cast<const char*>(data), size});
  if (!config.ok()) {
    Require(!modelpatch::base::ReasonOf(config.status()).empty(), "an error has a reason");
    return 0;
  }
  Require(CheckModelConfig(config->model).ok(), "a config that was read is valid");
  const auto written = WriteOpenClipConfig(*config);
  if (!written.ok()) return 0;
  const auto again = ParseOpenClipConfig(*written);
  Require(again.ok() && again->model == config->model && again->preprocess == config->preprocess,
          "what is written is read");
  return 0;
}
