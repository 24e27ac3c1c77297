// A tiny CLIP with random weights and a small vocabulary, in a Hugging Face directory: for tests that need a model, not
// a good one.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "core/model/clip_model.h"
#include "core/model/model_writer.h"

namespace modelpatch::testing {

// What a tiny model is made of.
struct TinyParts {
  model::ModelFiles files;
  tensor::WeightSet image_weights;
  tensor::WeightSet text_weights;
};

// A ViT of 16 pixels, patch 8, width 64, two layers, unless `vision` says otherwise; a function of the seed.
TinyParts MakeTinyParts(uint64_t seed = 1, const model::VisionConfig* vision = nullptr);

// The same in a Hugging Face directory. Fails the test on an error.
void WriteTinyModel(const std::string& directory, uint64_t seed = 1);

// The same, loaded.
std::shared_ptr<const model::ClipModel> MakeTinyModel(uint64_t seed = 1);

}  // namespace modelpatch::testing
