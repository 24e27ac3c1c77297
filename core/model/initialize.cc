#include "core/model/initialize.h"

#include <torch/torch.h>

#include <cmath>
#include <string>

#include "core/base/random.h"

namespace modelpatch::model {
namespace {

// What the standard deviations of one tower depend on.
struct TowerScale {
  double width;
  double layers;
};

// The standard deviation of the weight `name`; 0 where it starts constant.
double StandardDeviation(const std::string& name, const TowerScale& tower) {
  const double attention = 1.0 / std::sqrt(tower.width);
  const double projection = attention / std::sqrt(2.0 * tower.layers);
  if (name.ends_with("attn.in_proj_weight")) return attention;
  if (name.ends_with("attn.out_proj.weight") || name.ends_with("mlp.c_proj.weight")) return projection;
  if (name.ends_with("mlp.c_fc.weight")) return 1.0 / std::sqrt(2.0 * tower.width);
  if (name == "token_embedding.weight") return 0.02;
  if (name == "positional_embedding") return 0.01;
  // The rest of the image tower's stem, and both projections, scale with the width.
  const bool scales = name == "visual.class_embedding" || name == "visual.positional_embedding" ||
                      name == "visual.proj" || name == "visual.conv1.weight" || name == "text_projection";
  return scales ? attention : 0.0;
}

bool IsGain(const std::string& name) {
  const bool is_norm = name.find("ln_") != std::string::npos;
  return is_norm && name.ends_with(".weight");
}

void Fill(const tensor::WeightSet& weights, const TowerScale& tower, uint64_t seed) {
  for (const tensor::WeightInfo& weight : weights.layout().weights()) {
    float* values = weights.flat().data_ptr<float>() + weight.offset;
    const double deviation = StandardDeviation(weight.spec.name, tower);
    base::RandomStream random(seed, "initialize " + weight.spec.name);
    for (int64_t i = 0; i < weight.numel; ++i) {
      values[i] = static_cast<float>(deviation > 0              ? deviation * random.Normal()
                                     : IsGain(weight.spec.name) ? 1.0
                                                                : 0.0);
    }
  }
}

}  // namespace

void InitializeWeights(const ModelConfig& config, uint64_t seed, const tensor::WeightSet& image_weights,
                       const tensor::WeightSet& text_weights) {
  Fill(image_weights, {static_cast<double>(config.vision.width), static_cast<double>(config.vision.layers)}, seed);
  Fill(text_weights, {static_cast<double>(config.text.width), static_cast<double>(config.text.layers)}, seed);
  const at::NoGradGuard no_grad;
  at::Tensor logit_scale = text_weights.views().back();
  logit_scale.fill_(config.initial_logit_scale);
}

}  // namespace modelpatch::model
