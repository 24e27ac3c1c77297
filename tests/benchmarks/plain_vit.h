// The same ViT written with plain torch::nn modules, as one would in a first program: the reference of the benchmarks.
#pragma once

#include <torch/torch.h>

#include "core/model/config.h"

namespace modelpatch::benchmarks {

struct PlainBlockImpl : torch::nn::Module {
  PlainBlockImpl(int64_t width, int64_t heads, int64_t mlp_width)
      : ln_1(register_module("ln_1", torch::nn::LayerNorm(torch::nn::LayerNormOptions({width})))),
        attention(register_module("attn", torch::nn::MultiheadAttention(width, heads))),
        ln_2(register_module("ln_2", torch::nn::LayerNorm(torch::nn::LayerNormOptions({width})))),
        c_fc(register_module("c_fc", torch::nn::Linear(width, mlp_width))),
        c_proj(register_module("c_proj", torch::nn::Linear(mlp_width, width))) {}

  // [T, B, width].
  at::Tensor forward(at::Tensor x) {
    const at::Tensor normed = ln_1->forward(x);
    x = x + std::get<0>(attention->forward(normed, normed, normed, {}, /*need_weights=*/false));
    const at::Tensor hidden = c_fc->forward(ln_2->forward(x));
    return x + c_proj->forward(hidden * torch::sigmoid(hidden * 1.702));
  }

  torch::nn::LayerNorm ln_1;
  torch::nn::MultiheadAttention attention;
  torch::nn::LayerNorm ln_2;
  torch::nn::Linear c_fc, c_proj;
};
TORCH_MODULE(PlainBlock);

struct PlainVitImpl : torch::nn::Module {
  PlainVitImpl(const model::VisionConfig& config, int64_t embedding_width)
      : conv1(register_module(
            "conv1",
            torch::nn::Conv2d(
                torch::nn::Conv2dOptions(3, config.width, config.patch_size).stride(config.patch_size).bias(false)))),
        ln_pre(register_module("ln_pre", torch::nn::LayerNorm(torch::nn::LayerNormOptions({config.width})))),
        blocks(register_module("blocks", torch::nn::Sequential())),
        ln_post(register_module("ln_post", torch::nn::LayerNorm(torch::nn::LayerNormOptions({config.width})))) {
    class_embedding = register_parameter("class_embedding", torch::randn({config.width}) * 0.02);
    positional_embedding =
        register_parameter("positional_embedding", torch::randn({config.grid().pixels() + 1, config.width}) * 0.02);
    proj = register_parameter("proj", torch::randn({config.width, embedding_width}) * 0.02);
    for (int64_t i = 0; i < config.layers; ++i)
      blocks->push_back(PlainBlock(config.width, config.heads, config.mlp_width));
  }

  at::Tensor forward(const at::Tensor& pixels) {
    at::Tensor x = conv1->forward(pixels).flatten(2).transpose(1, 2);
    x = torch::cat({class_embedding.expand({x.size(0), 1, -1}), x}, 1) + positional_embedding;
    x = blocks->forward(ln_pre->forward(x).transpose(0, 1)).transpose(0, 1);
    return torch::matmul(ln_post->forward(x.select(1, 0)), proj);
  }

  torch::nn::Conv2d conv1;
  torch::nn::LayerNorm ln_pre;
  torch::nn::Sequential blocks;
  torch::nn::LayerNorm ln_post;
  at::Tensor class_embedding, positional_embedding, proj;
};
TORCH_MODULE(PlainVit);

}  // namespace modelpatch::benchmarks
