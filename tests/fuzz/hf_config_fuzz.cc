// Any bytes as a config.json: refused, or a config that passes its check and survives being written.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/model/hf_config.h"
#include "tests/fuzz/require.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace modelpatch::model;
  using modelpatch::fuzz::Require;
  const auto config = ParseHuggingFaceConfig({reinterpret_cast<const char*>(data), size});
  if (!config.ok()) {
    Require(!modelpatch::base::ReasonOf(config.status()).empty(), "an error has a reason");
    return 0;
  }
  Require(CheckModelConfig(*config).ok(), "a config that was read is valid");
  const auto again = ParseHuggingFaceConfig(WriteHuggingFaceConfig(*config));
  Require(again.ok() && *again == *config, "what is written is read");
  return 0;
}
