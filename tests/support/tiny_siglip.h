// A tiny SigLIP with random weights, as transformers would write it: for tests that need a model, not a good one.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace modelpatch::testing {

struct TinyTensor {
  std::vector<int64_t> shape;
  std::vector<float> values;
};

// The tensors by Hugging Face's names; a function of the seed. Images of 20 pixels in patches of 8, so that 4 pixels
// are left out; an image tower of width 32 and a text tower of width 48, two layers each; 12 tokens; an embedding of
// 104 rows for the 101 pieces of tests/support/unigram_tokenizer.json.
std::map<std::string, TinyTensor> TinySiglipTensors(uint64_t seed = 1);

// Writes them as F32 with config.json, preprocessor_config.json and tokenizer.json to the new directory. Fails the test
// on an error.
void WriteTinySiglip(const std::string& directory, uint64_t seed = 1);

}  // namespace modelpatch::testing
