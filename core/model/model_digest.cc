#include "core/model/model_digest.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/base/digest.h"

namespace modelpatch::model {
namespace {

// Pooling at the first end of text and at the largest id are the same thing where the end of text is the last id.
std::string PoolingOf(const TextConfig& text) {
  if (text.pooling == TextPooling::kLast) return "last";
  const bool is_argmax = text.pooling == TextPooling::kArgmax || text.end_of_text_id == text.vocabulary_size - 1;
  return is_argmax ? "argmax" : fmt::format("first {}", text.end_of_text_id);
}

std::string TextOf(const TextConfig& text) {
  return fmt::format("text {} {} {} {} {} {} {} {} {} {} {} {}\n", text.vocabulary_size, text.context_length,
                     text.width, text.layers, text.heads, text.mlp_width, NameOf(text.activation),
                     text.layer_norm_epsilon, PoolingOf(text), text.layer_scale, text.is_siglip,
                     text.is_siglip ? text.padding_id : 0);
}

std::string TextOf(const VisionConfig& vision) {
  if (vision.is_resnet()) {
    return fmt::format("resnet {} {} {} {} {}\n", vision.image_size.height, vision.image_size.width, vision.width,
                       vision.heads, fmt::join(vision.stages, " "));
  }
  return fmt::format("vit {} {} {} {} {} {} {} {} {} {} {} {} {}\n", vision.image_size.height, vision.image_size.width,
                     vision.patch_size, vision.width, vision.layers, vision.heads, vision.mlp_width,
                     NameOf(vision.activation), vision.layer_norm_epsilon, vision.pre_norm,
                     static_cast<int>(vision.pooling), vision.norm_after_pooling, vision.layer_scale);
}

std::string TextOf(const data::PreprocessConfig& preprocess) {
  const data::ImageSize resize = preprocess.resize_size.value_or(preprocess.image_size);
  // The fill colour matters to one mode alone.
  const int fill = preprocess.resize_mode == data::ResizeMode::kLongest ? preprocess.fill_color : 0;
  return fmt::format("preprocess {} {} {} {} {} {} {} {} {}\n", preprocess.image_size.height,
                     preprocess.image_size.width, resize.height, resize.width, static_cast<int>(preprocess.resize_mode),
                     static_cast<int>(preprocess.filter), fill, fmt::join(preprocess.mean, " "),
                     fmt::join(preprocess.std, " "));
}

}  // namespace

std::string DigestOfModel(const ModelConfig& config, const data::PreprocessConfig& preprocess,
                          const ModelDigestParts& parts) {
  base::Sha256 digest;
  digest.Update("modelpatch model 2\n");
  digest.Update(TextOf(config.vision));
  digest.Update(TextOf(config.text));
  digest.Update(fmt::format("embedding {}\n", config.embedding_width));
  digest.Update(TextOf(preprocess));
  digest.Update(parts.tokenizer);
  for (const std::vector<std::string>* weights : {&parts.image_weights, &parts.text_weights}) {
    digest.UpdateInteger(weights->size());
    for (const std::string& weight : *weights) digest.Update(weight);
  }
  return digest.Finish();
}

}  // namespace modelpatch::model
