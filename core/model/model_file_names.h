// Which files of a directory make a model, whatever tool wrote it. Thread safety: pure functions.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/status.h"

namespace modelpatch::model {

// Where the architecture is written.
enum class ConfigSource {
  kHuggingFace,  // config.json
  kOpenClip,     // open_clip_config.json
  kShapes,       // nowhere: the shapes of OpenAI's state dict say it
};

// Where the vocabulary is.
enum class TokenizerSource {
  kVocabularyAndMerges,  // vocab.json, merges.txt
  kTokenizerJson,        // tokenizer.json
  kMerges,               // bpe_simple_vocab_16e6.txt, with gzip or not
};

// The files by name.
struct ModelFileNames {
  ConfigSource config = ConfigSource::kHuggingFace;
  TokenizerSource tokenizer = TokenizerSource::kVocabularyAndMerges;
  // The one of kMerges.
  std::string tokenizer_file;
  // Small ones: configs, vocabularies, and `index`.
  std::vector<std::string> texts;
  // The index of a model in several files, which names the weight files; "" for a model in one file.
  std::string index;
  // The one weight file; "" if there is an index.
  std::string weights;
};

// Whether a weight file is safetensors by its name; else it is what torch.save writes.
bool IsSafetensors(std::string_view name);
// Whether a weight file's name is one of either.
bool IsWeightFile(std::string_view name);

// The name that OpenCLIP's layout gives a weight file of the kind of `name`.
std::string_view OpenClipWeightName(std::string_view name);

// Chooses among the names of a directory's files. Hugging Face's layout goes first where a directory has several.
// INVALID_ARGUMENT (MODEL_FILE_MISSING) names what is missing; MODEL_FILES_AMBIGUOUS: several state dicts.
absl::StatusOr<ModelFileNames> ChooseModelFiles(std::span<const std::string> names);

// The same for the weights alone: the files of a model without its vocabulary and preprocessing, with its config if it
// is there (else `config` is kShapes).
absl::StatusOr<ModelFileNames> ChooseCheckpointFiles(std::span<const std::string> names);

}  // namespace modelpatch::model
