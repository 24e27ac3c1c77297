// Any bytes as the index of a model in several files: refused, or plain names of files beside it.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/model/weight_index.h"
#include "tests/fuzz/require.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace modelpatch::model;
  using modelpatch::fuzz::Require;
  const auto index = ParseWeightIndex({reinterpret_cast<const char*>(data), size});
  if (!index.ok()) {
    Require(!modelpatch::base::ReasonOf(index.status()).empty(), "an error has a reason");
    return 0;
  }
  Require(!index->empty(), "an index has tensors");
  for (const auto& [tensor, file] : *index) {
    Require(file.find('/') == std::string::npos && file[0] != '.', "a file is beside the index");
  }
  return 0;
}
