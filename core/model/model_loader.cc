#include "core/model/model_loader.h"

#include <fmt/format.h>
#include <torch/torch.h>

#include <cmath>
#include <filesystem>
#include <optional>
#include <utility>

#include "core/base/digest.h"
#include "core/base/file.h"
#include "core/data/gzip.h"
#include "core/model/architecture.h"
#include "core/model/bpe_tokenizer.h"
#include "core/model/hf_config.h"
#include "core/model/model_digest.h"
#include "core/model/open_clip_config.h"
#include "core/model/shape_config.h"
#include "core/model/tokenizer_json.h"
#include "core/model/unigram_tokenizer.h"
#include "core/model/weight_copy.h"
#include "core/model/weight_files.h"
#include "core/tensor/guard.h"

namespace modelpatch::model {
namespace {

absl::StatusOr<double> ReadLogitScale(const tensor::WeightSet& text_weights) {
  const auto logarithm = static_cast<double>(text_weights.views().back().item<float>());
  if (IsValidLogitScale(logarithm)) return std::exp(logarithm);
  return base::InvalidArgument("MODEL_LOGIT_SCALE_INVALID",
                               fmt::format("the tensor 'logit_scale' is {}; it must be from -{} to {}", logarithm,
                                           kMaximumLogitScale, kMaximumLogitScale));
}

std::optional<double> ReadLogitBias(const ModelConfig& config, const tensor::WeightSet& text_weights) {
  if (!config.is_siglip()) return std::nullopt;
  const std::vector<at::Tensor>& views = text_weights.views();
  return static_cast<double>(views[views.size() - 2].item<float>());
}

absl::StatusOr<std::string> ReadModelText(const std::string& directory, const std::string& name) {
  return base::ReadFile(directory + "/" + name, kMaximumModelTextBytes);
}

// The parts of a model that its small files and the shapes of its weights tell.
struct SmallParts {
  ModelConfig config;
  data::PreprocessConfig preprocess;
  std::shared_ptr<const Tokenizer> tokenizer;
  std::string tokenizer_digest;  // of the texts that it was made of
};

absl::Status ReadConfigs(const std::string& directory, const ModelFileNames& names, const TensorTable& tensors,
                         SmallParts& parts) {
  switch (names.config) {
    case ConfigSource::kHuggingFace: {
      MP_ASSIGN_OR_RETURN(const std::string config_json, ReadModelText(directory, "config.json"));
      MP_ASSIGN_OR_RETURN(parts.config, ParseHuggingFaceConfig(config_json));
      MP_ASSIGN_OR_RETURN(const std::string preprocess_json, ReadModelText(directory, "preprocessor_config.json"));
      MP_ASSIGN_OR_RETURN(parts.preprocess, data::ParsePreprocessConfig(preprocess_json));
      return absl::OkStatus();
    }
    case ConfigSource::kOpenClip: {
      MP_ASSIGN_OR_RETURN(const std::string config_json, ReadModelText(directory, "open_clip_config.json"));
      MP_ASSIGN_OR_RETURN(OpenClipConfig config, ParseOpenClipConfig(config_json));
      parts.config = std::move(config.model);
      parts.preprocess = config.preprocess;
      return absl::OkStatus();
    }
    case ConfigSource::kShapes: {
      MP_ASSIGN_OR_RETURN(parts.config, ConfigOfShapes(tensors));
      parts.preprocess.image_size = parts.config.vision.image_size;
      return absl::OkStatus();
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<BpeVocabulary> ReadVocabulary(const std::string& directory, const ModelFileNames& names,
                                             int64_t vocabulary_size) {
  if (names.tokenizer == TokenizerSource::kTokenizerJson) {
    MP_ASSIGN_OR_RETURN(const std::string tokenizer_json, ReadModelText(directory, "tokenizer.json"));
    return ParseTokenizerJson(tokenizer_json);
  }
  if (names.tokenizer == TokenizerSource::kMerges) {
    const std::string path = directory + "/" + names.tokenizer_file;
    MP_ASSIGN_OR_RETURN(const data::Gunzipped merges, data::ReadMaybeGzip(path, kMaximumModelTextBytes));
    if (!merges.complete) {
      return base::InvalidArgument("FILE_TOO_LARGE",
                                   fmt::format("'{}' holds more than {} bytes", path, kMaximumModelTextBytes));
    }
    return VocabularyOfMerges(merges.content, vocabulary_size);
  }
  BpeVocabulary vocabulary;
  MP_ASSIGN_OR_RETURN(vocabulary.vocab_json, ReadModelText(directory, "vocab.json"));
  MP_ASSIGN_OR_RETURN(vocabulary.merges_txt, ReadModelText(directory, "merges.txt"));
  return vocabulary;
}

absl::Status CheckAgreement(const SmallParts& parts) {
  const ModelConfig& config = parts.config;
  if (parts.preprocess.image_size != config.vision.image_size) {
    return base::InvalidArgument(
        "MODEL_PREPROCESS_MISMATCH",
        fmt::format("preprocessor_config.json gives images of {}, config.json takes {}",
                    data::Describe(parts.preprocess.image_size), data::Describe(config.vision.image_size)));
  }
  // SigLIP's embedding may have rows to spare.
  const int64_t entries = parts.tokenizer->vocabulary_size();
  if (config.is_siglip() ? entries > config.text.vocabulary_size : entries != config.text.vocabulary_size) {
    return base::InvalidArgument("MODEL_VOCABULARY_MISMATCH",
                                 fmt::format("the vocabulary has {} entries, the model's vocab_size is {}", entries,
                                             config.text.vocabulary_size));
  }
  if (config.text.pooling == TextPooling::kFirstEndOfText &&
      config.text.end_of_text_id != parts.tokenizer->end_of_text_id()) {
    return base::InvalidArgument("MODEL_VOCABULARY_MISMATCH",
                                 fmt::format("the config's end of text is {}, the vocabulary's <|endoftext|> is {}",
                                             config.text.end_of_text_id, parts.tokenizer->end_of_text_id()));
  }
  return absl::OkStatus();
}

// The one file that says all of SigLIP's tokenizer.
absl::StatusOr<std::string> ReadUnigramJson(const std::string& directory, const ModelFileNames& names) {
  if (names.tokenizer == TokenizerSource::kTokenizerJson) return ReadModelText(directory, "tokenizer.json");
  return base::InvalidArgument("MODEL_FILE_MISSING", "a SigLIP needs a tokenizer.json, and no vocab.json beside it");
}

absl::StatusOr<SmallParts> LoadSmallParts(const std::string& directory, const ModelFileNames& names,
                                          const TensorTable& tensors) {
  SmallParts parts;
  MP_RETURN_IF_ERROR(ReadConfigs(directory, names, tensors, parts));
  const TextConfig& text = parts.config.text;
  base::Sha256 digest;
  const auto add = [&digest](const std::string& content) {
    digest.UpdateInteger(content.size());
    digest.Update(content);
  };
  if (parts.config.is_siglip()) {
    MP_ASSIGN_OR_RETURN(const std::string tokenizer_json, ReadUnigramJson(directory, names));
    MP_ASSIGN_OR_RETURN(parts.tokenizer, MakeUnigramTokenizer(tokenizer_json, text.context_length));
    add(tokenizer_json);
  } else {
    MP_ASSIGN_OR_RETURN(const BpeVocabulary vocabulary, ReadVocabulary(directory, names, text.vocabulary_size));
    MP_ASSIGN_OR_RETURN(parts.tokenizer,
                        MakeBpeTokenizer(vocabulary.vocab_json, vocabulary.merges_txt, text.context_length));
    add(vocabulary.vocab_json);
    add(vocabulary.merges_txt);
  }
  parts.tokenizer_digest = digest.Finish();
  MP_RETURN_IF_ERROR(CheckAgreement(parts));
  return parts;
}

absl::StatusOr<std::vector<std::string>> NamesIn(const std::string& directory) {
  std::error_code error;
  std::vector<std::string> names;
  for (std::filesystem::directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) {
    names.push_back(it->path().filename().string());
  }
  if (!error) return names;
  return base::InvalidArgument("MODEL_FILE_MISSING",
                               fmt::format("cannot list the model's directory '{}': {}", directory, error.message()));
}

absl::StatusOr<ModelFileNames> ChooseIn(const std::string& directory,
                                        absl::StatusOr<ModelFileNames> (*choose)(std::span<const std::string> names)) {
  MP_ASSIGN_OR_RETURN(const std::vector<std::string> present, NamesIn(directory));
  absl::StatusOr<ModelFileNames> chosen = choose(present);
  if (!chosen.ok()) return base::WithContext(chosen.status(), "'" + directory + "'");
  return chosen;
}

}  // namespace

absl::StatusOr<ModelFileNames> ChooseFilesIn(const std::string& directory) {
  return ChooseIn(directory, ChooseModelFiles);
}

absl::StatusOr<ModelFileNames> ChooseCheckpointFilesIn(const std::string& directory) {
  return ChooseIn(directory, ChooseCheckpointFiles);
}

absl::Status CheckModelBeforeWeights(const std::string& directory, const ModelFileNames& names,
                                     const TensorTable& tensors) {
  MP_ASSIGN_OR_RETURN(const SmallParts parts, LoadSmallParts(directory, names, tensors));
  return MatchArchitecture(parts.config, tensors).status();
}

absl::StatusOr<std::shared_ptr<const ClipModel>> LoadModel(const std::string& directory, const tensor::Device& device,
                                                           const base::CancellationToken& cancellation) {
  MP_ASSIGN_OR_RETURN(const ModelFileNames names, ChooseFilesIn(directory));
  MP_ASSIGN_OR_RETURN(const WeightFiles files, WeightFiles::Open(directory, names));
  MP_ASSIGN_OR_RETURN(SmallParts parts, LoadSmallParts(directory, names, files.table()));
  MP_ASSIGN_OR_RETURN(Architecture architecture, MatchArchitecture(parts.config, files.table()));

  MP_ASSIGN_OR_RETURN(auto image_layout, tensor::WeightLayout::Make(std::move(architecture.image_specs)));
  MP_ASSIGN_OR_RETURN(auto text_layout, tensor::WeightLayout::Make(std::move(architecture.text_specs)));
  return tensor::Guarded([&]() -> absl::StatusOr<std::shared_ptr<const ClipModel>> {
    const at::NoGradGuard no_grad;
    tensor::WeightSet image_weights(image_layout, device);
    tensor::WeightSet text_weights(text_layout, device);
    ModelDigestParts digest;
    MP_ASSIGN_OR_RETURN(digest.image_weights, CopyWeights(files, architecture.names, image_weights, cancellation));
    MP_ASSIGN_OR_RETURN(digest.text_weights, CopyWeights(files, architecture.names, text_weights, cancellation));
    digest.tokenizer = std::move(parts.tokenizer_digest);
    MP_ASSIGN_OR_RETURN(const double logit_scale, ReadLogitScale(text_weights));
    const std::optional<double> logit_bias = ReadLogitBias(parts.config, text_weights);
    return std::make_shared<const ClipModel>(
        ClipModel{parts.config, parts.preprocess, parts.tokenizer, architecture.image_encoder,
                  architecture.text_encoder, std::move(image_weights), std::move(text_weights), logit_scale,
                  DigestOfModel(parts.config, parts.preprocess, digest), logit_bias});
  });
}

absl::Status CheckFamilyIsVerified(const std::string& directory, const ModelFileNames& names) {
  if (names.config != ConfigSource::kHuggingFace) return absl::OkStatus();
  MP_ASSIGN_OR_RETURN(const std::string config_json, ReadModelText(directory, "config.json"));
  MP_ASSIGN_OR_RETURN(const ModelConfig config, ParseHuggingFaceConfig(config_json));
  if (!config.is_siglip()) return absl::OkStatus();
  return base::FailedPrecondition("MODEL_FAMILY_UNVERIFIED",
                                  "this is a SigLIP, whose outputs were never compared with those of a reference; set "
                                  "allow_unverified_family (--allow-unverified-family) to import it all the same");
}

absl::StatusOr<ModelFiles> FilesOf(const ClipModel& model, const std::string& directory) {
  MP_ASSIGN_OR_RETURN(const ModelFileNames names, ChooseFilesIn(directory));
  if (model.config.is_siglip()) {
    MP_ASSIGN_OR_RETURN(std::string tokenizer_json, ReadUnigramJson(directory, names));
    return ModelFiles{model.config, "", "", model.preprocess, std::move(tokenizer_json)};
  }
  MP_ASSIGN_OR_RETURN(BpeVocabulary vocabulary, ReadVocabulary(directory, names, model.config.text.vocabulary_size));
  return ModelFiles{model.config, std::move(vocabulary.vocab_json), std::move(vocabulary.merges_txt), model.preprocess};
}

}  // namespace modelpatch::model
