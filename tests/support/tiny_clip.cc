#include "tests/support/tiny_clip.h"

#include <gtest/gtest.h>

#include <vector>

#include "core/model/bpe_trainer.h"
#include "core/model/initialize.h"
#include "core/model/model_loader.h"
#include "core/model/model_writer.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_data.h"

namespace modelpatch::testing {
namespace {

model::ModelConfig TinyConfig(int64_t vocabulary_size) {
  model::ModelConfig config;
  config.vision = {/*image_size=*/16, /*patch_size=*/8, /*width=*/64,
                   /*layers=*/2,      /*heads=*/1,      /*mlp_width=*/256};
  config.text.vocabulary_size = vocabulary_size;
  config.text.context_length = 32;
  config.text.width = 64;
  config.text.layers = 1;
  config.text.heads = 1;
  config.text.mlp_width = 256;
  config.text.pooling = model::TextPooling::kFirstEndOfText;
  config.text.end_of_text_id = vocabulary_size - 1;
  config.embedding_width = 32;
  config.initial_logit_scale = 2.6592;
  return config;
}

}  // namespace

TinyParts MakeTinyParts(uint64_t seed, const model::VisionConfig* vision) {
  const std::vector<std::string> texts = {"a photo of a red circle.", "a drawing of the digit seven.", "a blue square"};
  const model::BpeVocabulary vocabulary = *model::TrainBpe(texts, 40);
  int64_t merges = -1;  // the first line is the header
  for (const char c : vocabulary.merges_txt) merges += c == '\n' ? 1 : 0;
  model::ModelConfig config = TinyConfig(512 + merges + 2);
  if (vision != nullptr) config.vision = *vision;
  const auto encoder = model::MakeImageEncoder(config.vision, config.embedding_width);
  const model::TextEncoder text_encoder(config.text, config.embedding_width);
  const tensor::WeightSet image_weights(*tensor::WeightLayout::Make(encoder->WeightSpecs()), tensor::Device());
  const tensor::WeightSet text_weights(*tensor::WeightLayout::Make(text_encoder.WeightSpecs()), tensor::Device());
  model::InitializeWeights(config, seed, image_weights, text_weights);
  return {{config, vocabulary.vocab_json, vocabulary.merges_txt}, image_weights, text_weights};
}

void WriteTinyModel(const std::string& directory, uint64_t seed) {
  const TinyParts parts = MakeTinyParts(seed);
  ASSERT_OK(
      model::WriteModel(directory, parts.files, parts.image_weights, parts.text_weights, tensor::DType::kFloat32));
}

std::shared_ptr<const model::ClipModel> MakeTinyModel(uint64_t seed) {
  const ScratchDirectory scratch;
  WriteTinyModel(scratch.Path("model"), seed);
  auto model = model::LoadModel(scratch.Path("model"), tensor::Device(), {});
  EXPECT_OK(model);
  return model.ok() ? *model : nullptr;
}

}  // namespace modelpatch::testing
