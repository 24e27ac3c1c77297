#include "core/train/pretrain.h"

#include <fmt/format.h>
#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <utility>

#include "core/base/random.h"
#include "core/data/batch_loader.h"
#include "core/model/bpe_tokenizer.h"
#include "core/model/bpe_trainer.h"
#include "core/model/initialize.h"
#include "core/model/model_loader.h"
#include "core/model/model_writer.h"
#include "core/patch/evaluation.h"
#include "core/tensor/guard.h"
#include "core/train/caption_dataset.h"
#include "core/train/contrastive_trainer.h"

namespace modelpatch::train {
namespace {

constexpr int64_t kMlpRatio = 4;
constexpr int64_t kStepsBetweenLogs = 100;
constexpr double kInitialLogitScale = 2.6592600369327779;  // ln(1/0.07), Radford et al. 2021, section 2.5

model::ModelConfig ConfigOf(const PretrainSpec& spec, const model::Tokenizer& tokenizer) {
  model::ModelConfig config;
  config.vision = {spec.image_size, spec.patch_size, spec.width, spec.layers, spec.heads, spec.width * kMlpRatio};
  config.text.vocabulary_size = tokenizer.vocabulary_size();
  config.text.context_length = spec.context_length;
  config.text.width = spec.text_width;
  config.text.layers = spec.text_layers;
  config.text.heads = spec.text_heads;
  config.text.mlp_width = spec.text_width * kMlpRatio;
  config.text.pooling = model::TextPooling::kFirstEndOfText;
  config.text.end_of_text_id = tokenizer.end_of_text_id();
  config.embedding_width = spec.embedding_width;
  config.initial_logit_scale = kInitialLogitScale;
  return config;
}

absl::StatusOr<tensor::DType> DTypeOf(const std::string& name) {
  for (const tensor::DType dtype : {tensor::DType::kFloat32, tensor::DType::kFloat16, tensor::DType::kBFloat16}) {
    if (tensor::NameOf(dtype) == name) return dtype;
  }
  return base::InvalidArgument("BAD_PRETRAIN_SPEC", fmt::format("dtype '{}' is not F32, F16 or BF16", name));
}

absl::StatusOr<std::shared_ptr<const CaptionDataset>> OpenCaptions(const PretrainSpec& spec) {
  std::vector<CaptionPart> parts;
  for (const PretrainTask& entry : spec.tasks) {
    MP_ASSIGN_OR_RETURN(data::Task task, data::OpenTask(entry.name, entry.source, data::DecodeLimits{}));
    parts.push_back({std::move(task), entry.maximum_examples, entry.flip});
  }
  return std::make_shared<const CaptionDataset>(std::move(parts), spec.seed);
}

// A batch of images with the captions of the concepts in it.
struct CaptionBatch {
  at::Tensor pixels;
  std::vector<int64_t> caption_of;
  std::vector<std::vector<int32_t>> captions;
};

absl::StatusOr<CaptionBatch> MakeCaptions(const CaptionDataset& dataset, const model::Tokenizer& tokenizer,
                                          uint64_t seed, data::Batch& batch, int64_t image_size) {
  CaptionBatch result;
  std::map<int32_t, int64_t> place;
  for (const int32_t label : batch.labels) {
    const auto [found, is_new] = place.emplace(label, static_cast<int64_t>(result.captions.size()));
    result.caption_of.push_back(found->second);
    if (!is_new) continue;
    base::RandomStream random(seed, "caption", static_cast<uint64_t>(batch.step), static_cast<uint64_t>(label));
    MP_ASSIGN_OR_RETURN(model::TokenizedText tokens, tokenizer.Tokenize(dataset.Caption(label, random.NextBits())));
    result.captions.push_back(std::move(tokens.ids));
  }
  result.pixels = at::from_blob(batch.pixels.data(), {batch.count, 3, image_size, image_size}, at::kFloat).clone();
  for (int64_t i = 0; i < batch.count; ++i) {
    base::RandomStream random(seed, "flip", static_cast<uint64_t>(batch.step), static_cast<uint64_t>(i));
    if (!dataset.MayFlip(batch.labels[static_cast<size_t>(i)]) || random.Uniform() < 0.5) continue;
    result.pixels[i].copy_(result.pixels[i].flip({2}));
  }
  return result;
}

// Zero-shot accuracy of the written model, as a user would import it.
absl::Status LogAccuracies(const PretrainSpec& spec, const std::string& directory, int threads,
                           const base::CancellationToken& cancellation,
                           const std::function<void(const std::string&)>& log) {
  MP_ASSIGN_OR_RETURN(const auto model, model::LoadModel(directory, tensor::Device(), cancellation));
  for (const PretrainTask& entry : spec.tasks) {
    MP_ASSIGN_OR_RETURN(const data::Task task, data::OpenTask(entry.name, entry.source, data::DecodeLimits{}));
    MP_ASSIGN_OR_RETURN(
        const patch::EvaluationSet set,
        patch::MakeEvaluationSet(*model, task, patch::TaskRole::kSupported, data::Split::kValidation, threads,
                                 /*maximum_examples=*/0, cancellation));
    MP_ASSIGN_OR_RETURN(
        const patch::TaskAccuracy accuracy,
        patch::EvaluateAccuracy(*model, model->image_weights, set, patch::DirectFeatures(model), cancellation));
    log(fmt::format("zero-shot accuracy on {} (validation): {:.2f} %", task.name, 100 * accuracy.accuracy()));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status Pretrain(const PretrainSpec& spec, const std::string& output_directory, int threads,
                      const base::CancellationToken& cancellation, const std::function<void(const std::string&)>& log) {
  MP_ASSIGN_OR_RETURN(const tensor::DType dtype, DTypeOf(spec.dtype));
  MP_ASSIGN_OR_RETURN(const auto dataset, OpenCaptions(spec));
  MP_ASSIGN_OR_RETURN(model::BpeVocabulary vocabulary, model::TrainBpe(dataset->AllCaptions(), spec.merges));
  MP_ASSIGN_OR_RETURN(const auto tokenizer,
                      model::MakeBpeTokenizer(vocabulary.vocab_json, vocabulary.merges_txt, spec.context_length));
  const model::ModelConfig config = ConfigOf(spec, *tokenizer);
  MP_RETURN_IF_ERROR(model::CheckModelConfig(config));

  const std::shared_ptr<const model::ImageEncoder> image_encoder =
      model::MakeVisionTransformer(config.vision, config.embedding_width);
  const auto text_encoder = std::make_shared<const model::TextEncoder>(config.text, config.embedding_width);
  MP_ASSIGN_OR_RETURN(const auto image_layout, tensor::WeightLayout::Make(image_encoder->WeightSpecs()));
  MP_ASSIGN_OR_RETURN(const auto text_layout, tensor::WeightLayout::Make(text_encoder->WeightSpecs()));

  ContrastiveOptions options;
  options.learning_rate = spec.learning_rate;
  options.warmup_steps = spec.warmup_steps;
  options.weight_decay = spec.weight_decay;
  options.total_steps = std::max<int64_t>(
      1, std::llround(spec.epochs * static_cast<double>(dataset->size()) / static_cast<double>(spec.batch_size)));
  log(fmt::format("{} images, {} concepts, {} tokens; {} steps of {}", dataset->size(), dataset->concept_count(),
                  tokenizer->vocabulary_size(), options.total_steps, spec.batch_size));
  MP_ASSIGN_OR_RETURN(const std::unique_ptr<ContrastiveTrainer> trainer, tensor::Guarded([&] {
                        const tensor::WeightSet image_weights(image_layout, tensor::Device());
                        const tensor::WeightSet text_weights(text_layout, tensor::Device());
                        model::InitializeWeights(config, spec.seed, image_weights, text_weights);
                        return std::make_unique<ContrastiveTrainer>(image_encoder, text_encoder, image_weights,
                                                                    text_weights, options);
                      }));

  data::PreprocessConfig preprocess;
  preprocess.image_size = spec.image_size;
  data::BatchLoaderOptions loader_options;
  loader_options.batch_size = spec.batch_size;
  loader_options.seed = spec.seed;
  loader_options.augment = true;
  data::BatchLoader loader(dataset, preprocess, loader_options);
  double mean_loss = 0;
  for (int64_t step = 0; step < options.total_steps; ++step) {
    MP_RETURN_IF_ERROR(cancellation.Check());
    MP_ASSIGN_OR_RETURN(data::Batch batch, loader.Next());
    MP_ASSIGN_OR_RETURN(const CaptionBatch captions,
                        MakeCaptions(*dataset, *tokenizer, spec.seed, batch, spec.image_size));
    MP_ASSIGN_OR_RETURN(const double loss, trainer->Step(captions.pixels, captions.caption_of, captions.captions));
    mean_loss += loss / static_cast<double>(kStepsBetweenLogs);
    if ((step + 1) % kStepsBetweenLogs == 0) {
      log(fmt::format("step {}/{}: mean loss {:.4f}", step + 1, options.total_steps, mean_loss));
      mean_loss = 0;
    }
  }
  const model::ModelFiles files{config, std::move(vocabulary.vocab_json), std::move(vocabulary.merges_txt)};
  MP_RETURN_IF_ERROR(
      model::WriteModel(output_directory, files, trainer->image_weights(), trainer->text_weights(), dtype));
  return LogAccuracies(spec, output_directory, threads, cancellation, log);
}

}  // namespace modelpatch::train
