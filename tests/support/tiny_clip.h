// A tiny CLIP with random weights and a small vocabulary, in a Hugging Face directory: for tests that need a model, not
// a good one.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "core/model/clip_model.h"

namespace modelpatch::testing {

// 16 pixels, patch 8, width 64, two layers; a function of the seed. Fails the test on an error.
void WriteTinyModel(const std::string& directory, uint64_t seed = 1);

// The same, loaded.
std::shared_ptr<const model::ClipModel> MakeTinyModel(uint64_t seed = 1);

}  // namespace modelpatch::testing
