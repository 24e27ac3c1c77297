// Random starting weights for a new CLIP, as OpenAI's implementation draws them.
#pragma once

#include <cstdint>

#include "core/model/config.h"
#include "core/tensor/weight_set.h"

namespace modelpatch::model {

// Fills both towers' weights (on the CPU) as a function of the seed: normal with the standard deviations of
// openai/CLIP clip/model.py, CLIP.initialize_parameters; gains 1, biases 0; logit_scale = the config's.
void InitializeWeights(const ModelConfig& config, uint64_t seed, const tensor::WeightSet& image_weights,
                       const tensor::WeightSet& text_weights);

}  // namespace modelpatch::model
