#include "core/model/initialize.h"

#include <torch/torch.h>

#include <cmath>
#include <functional>
#include <string>

#include "core/base/random.h"
#include "core/tensor/weight_loop.h"

namespace modelpatch::model {
namespace {

// What the standard deviations of one transformer depend on.
struct TowerScale {
  double width;
  double layers;
};

// The standard deviation of the weight `name` of a transformer; 0 where it starts constant.
double TransformerDeviation(const std::string& name, const TowerScale& tower) {
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

// The same for a weight of a ModifiedResNet. Convolutions have the variance of torch's own, uniform in ±1/√inputs.
double ResNetDeviation(const tensor::WeightSpec& spec) {
  const bool is_matrix = spec.shape.size() > 1;
  if (!is_matrix) return 0.0;
  double inputs = 1;
  for (size_t i = 1; i < spec.shape.size(); ++i) inputs *= static_cast<double>(spec.shape[i]);
  const bool is_attention = spec.name.find("attnpool.") != std::string::npos;
  return 1.0 / std::sqrt(is_attention ? inputs : 3 * inputs);
}

// What a weight without a deviation starts at. The last norm of a residual block starts at 0, so that the block starts
// as the identity.
double StartValue(const std::string& name) {
  const bool is_block = name.starts_with("visual.layer");
  if (is_block && name.ends_with(".bn3.weight")) return 0.0;
  const bool is_norm = name.find("ln_") != std::string::npos || name.find("bn") != std::string::npos ||
                       name.find("downsample.1.") != std::string::npos;
  const bool is_gain = name.ends_with(".weight") || name.ends_with(".running_var");
  return (is_norm && is_gain) || name.ends_with(".gamma") ? 1.0 : 0.0;
}

void Fill(const tensor::WeightSet& weights, const std::function<double(const tensor::WeightSpec&)>& deviation_of,
          uint64_t seed) {
  float* flat = weights.flat().data_ptr<float>();
  tensor::ForEachWeight(weights.layout(), [&](size_t index) {
    const tensor::WeightInfo& weight = weights.layout().weights()[index];
    float* values = flat + weight.offset;
    const double deviation = deviation_of(weight.spec);
    const double start = StartValue(weight.spec.name);
    base::RandomStream random(seed, "initialize " + weight.spec.name);
    for (int64_t i = 0; i < weight.numel; ++i) {
      values[i] = static_cast<float>(deviation > 0 ? deviation * random.Normal() : start);
    }
  });
}

}  // namespace

void InitializeWeights(const ModelConfig& config, uint64_t seed, const tensor::WeightSet& image_weights,
                       const tensor::WeightSet& text_weights) {
  const TowerScale vision{static_cast<double>(config.vision.width), static_cast<double>(config.vision.layers)};
  const TowerScale text{static_cast<double>(config.text.width), static_cast<double>(config.text.layers)};
  const bool is_resnet = config.vision.is_resnet();
  Fill(
      image_weights,
      [&](const tensor::WeightSpec& spec) {
        return is_resnet ? ResNetDeviation(spec) : TransformerDeviation(spec.name, vision);
      },
      seed);
  Fill(
      text_weights, [&](const tensor::WeightSpec& spec) { return TransformerDeviation(spec.name, text); }, seed);
  const at::NoGradGuard no_grad;
  at::Tensor logit_scale = text_weights.views().back();
  logit_scale.fill_(config.initial_logit_scale);
}

}  // namespace modelpatch::model
