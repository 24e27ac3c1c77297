// The published variants of the ViT against the formulas of open_clip transformer.py, VisionTransformer, written with
// plain operators and weights by name.
#include <torch/torch.h>

#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "core/model/image_encoder.h"
#include "tests/support/status_matchers.h"

namespace modelpatch::model {
namespace {

using Named = std::map<std::string, at::Tensor>;

at::Tensor Norm(const at::Tensor& x, const Named& weights, const std::string& name, const VisionConfig& config) {
  const at::Tensor centred = x - x.mean(-1, /*keepdim=*/true);
  const at::Tensor variance = centred.square().mean(-1, /*keepdim=*/true);
  return centred / (variance + config.layer_norm_epsilon).sqrt() * weights.at(name + ".weight") +
         weights.at(name + ".bias");
}

at::Tensor Activate(const at::Tensor& x, Activation activation) {
  if (activation == Activation::kQuickGelu) return x * at::sigmoid(1.702 * x);
  if (activation == Activation::kGelu) return 0.5 * x * (1 + at::erf(x / std::sqrt(2.0)));
  return 0.5 * x * (1 + at::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x.pow(3))));
}

at::Tensor Attend(const at::Tensor& x, const Named& weights, const std::string& prefix, const VisionConfig& config) {
  const int64_t batch = x.size(0);
  const int64_t length = x.size(1);
  const at::Tensor projected =
      at::matmul(x, weights.at(prefix + "attn.in_proj_weight").t()) + weights.at(prefix + "attn.in_proj_bias");
  const auto heads = [&](int64_t part) {
    return projected.narrow(2, part * config.width, config.width)
        .view({batch, length, config.heads, config.width / config.heads})
        .transpose(1, 2);
  };
  const double scale = 1 / std::sqrt(static_cast<double>(config.width / config.heads));
  const at::Tensor attended =
      at::matmul(at::softmax(at::matmul(heads(0), heads(1).transpose(2, 3)) * scale, -1), heads(2));
  return at::matmul(attended.transpose(1, 2).reshape({batch, length, config.width}),
                    weights.at(prefix + "attn.out_proj.weight").t()) +
         weights.at(prefix + "attn.out_proj.bias");
}

at::Tensor PlainForward(const at::Tensor& pixels, const Named& weights, const VisionConfig& config) {
  const int64_t batch = pixels.size(0);
  at::Tensor x =
      at::conv2d(pixels, weights.at("visual.conv1.weight"), {}, config.patch_size).flatten(2).transpose(1, 2);
  x = at::cat({weights.at("visual.class_embedding").expand({batch, 1, config.width}), x}, 1) +
      weights.at("visual.positional_embedding");
  if (config.pre_norm) x = Norm(x, weights, "visual.ln_pre", config);
  for (int64_t layer = 0; layer < config.layers; ++layer) {
    const std::string prefix = "visual.transformer.resblocks." + std::to_string(layer) + ".";
    const auto gain = [&](const char* name) {
      return config.layer_scale ? weights.at(prefix + name) : at::ones({config.width});
    };
    x = x + gain("ls_1.gamma") * Attend(Norm(x, weights, prefix + "ln_1", config), weights, prefix, config);
    const at::Tensor hidden =
        at::matmul(Norm(x, weights, prefix + "ln_2", config), weights.at(prefix + "mlp.c_fc.weight").t()) +
        weights.at(prefix + "mlp.c_fc.bias");
    const at::Tensor out =
        at::matmul(Activate(hidden, config.activation), weights.at(prefix + "mlp.c_proj.weight").t()) +
        weights.at(prefix + "mlp.c_proj.bias");
    x = x + gain("ls_2.gamma") * out;
  }
  const auto pool = [&](const at::Tensor& tokens) {
    return config.pooling == ImagePooling::kClassToken ? tokens.select(1, 0) : tokens.slice(1, 1).mean(1);
  };
  x = config.norm_after_pooling ? Norm(pool(x), weights, "visual.ln_post", config)
                                : pool(Norm(x, weights, "visual.ln_post", config));
  return at::matmul(x, weights.at("visual.proj"));
}

void ExpectPlain(const VisionConfig& config, const std::string& what) {
  const auto encoder = MakeVisionTransformer(config, /*embedding_width=*/12);
  at::manual_seed(7);
  std::vector<at::Tensor> weights;
  Named named;
  for (const tensor::WeightSpec& spec : encoder->WeightSpecs()) {
    const at::Tensor weight = (at::randn(spec.shape) * 0.2 + (spec.shape.size() == 1 ? 0.5 : 0)).requires_grad_(true);
    weights.push_back(weight);
    named[spec.name] = weight;
  }
  const at::Tensor pixels = at::randn({3, 3, 24, 24});
  const at::Tensor ours = encoder->TrainingForward(weights, pixels);
  const at::Tensor plain = PlainForward(pixels, named, config);
  EXPECT_TRUE(at::allclose(ours, plain, 1e-4, 1e-5)) << what << ": " << (ours - plain).abs().max().item<float>();
  {
    const at::NoGradGuard no_grad;
    EXPECT_TRUE(at::allclose(encoder->Forward(weights, pixels), plain, 1e-4, 1e-5)) << what;
  }
  const at::Tensor factor = at::randn_like(plain);
  const auto our_gradients = torch::autograd::grad({(ours * factor).sum()}, weights);
  const auto plain_gradients = torch::autograd::grad({(plain * factor).sum()}, weights);
  for (size_t i = 0; i < weights.size(); ++i) {
    const double scale = plain_gradients[i].abs().max().item<double>();
    EXPECT_TRUE(at::allclose(our_gradients[i], plain_gradients[i], 1e-3, 1e-4 * scale + 1e-5)) << what << ' ' << i;
  }
}

TEST(VisionVariantsTest, EveryCombinationIsThePlainFormula) {
  for (const Activation activation : {Activation::kQuickGelu, Activation::kGelu, Activation::kGeluTanh}) {
    for (int bits = 0; bits < 16; ++bits) {
      VisionConfig config;
      config.image_size = 24;
      config.patch_size = 8;
      config.width = 32;
      config.layers = 2;
      config.heads = 4;
      config.mlp_width = 40;
      config.activation = activation;
      config.layer_norm_epsilon = 1e-6;
      config.pre_norm = (bits & 1) != 0;
      config.layer_scale = (bits & 2) != 0;
      config.norm_after_pooling = (bits & 4) != 0;
      config.pooling = (bits & 8) != 0 ? ImagePooling::kMeanOfPatches : ImagePooling::kClassToken;
      ExpectPlain(config, std::string(NameOf(activation)) + " variant " + std::to_string(bits));
    }
  }
}

}  // namespace
}  // namespace modelpatch::model
