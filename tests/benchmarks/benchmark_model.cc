#include "tests/benchmarks/benchmark_model.h"

#include <torch/torch.h>

#include "core/model/initialize.h"

namespace modelpatch::benchmarks {
namespace {

constexpr model::VisionConfig kSmall{/*image_size=*/32, /*patch_size=*/4, /*width=*/192,
                                     /*layers=*/6,      /*heads=*/3,      /*mlp_width=*/768};
constexpr model::VisionConfig kBase32{/*image_size=*/224, /*patch_size=*/32, /*width=*/768,
                                      /*layers=*/12,      /*heads=*/12,      /*mlp_width=*/3072};

}  // namespace

const model::VisionConfig& VisionOf(int64_t shape) { return shape == 0 ? kSmall : kBase32; }

std::shared_ptr<const model::ClipModel> MakeModel(const model::VisionConfig& vision) {
  model::ModelConfig config;
  config.vision = vision;
  config.text = {/*vocabulary_size=*/16, /*context_length=*/8, /*width=*/64,
                 /*layers=*/1,           /*heads=*/1,          /*mlp_width=*/64};
  config.embedding_width = kEmbeddingWidth;
  config.initial_logit_scale = 4.6;
  std::shared_ptr<const model::ImageEncoder> encoder = model::MakeVisionTransformer(vision, kEmbeddingWidth);
  auto text_encoder = std::make_shared<const model::TextEncoder>(config.text, kEmbeddingWidth);
  const tensor::WeightSet image_weights(*tensor::WeightLayout::Make(encoder->WeightSpecs()), tensor::Device());
  const tensor::WeightSet text_weights(*tensor::WeightLayout::Make(text_encoder->WeightSpecs()), tensor::Device());
  model::InitializeWeights(config, 1, image_weights, text_weights);
  return std::make_shared<const model::ClipModel>(
      model::ClipModel{config, {}, nullptr, encoder, text_encoder, image_weights, text_weights, 100.0, "benchmark"});
}

}  // namespace modelpatch::benchmarks
