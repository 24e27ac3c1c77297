#include "core/model/model_file_names.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <set>

#include "core/base/text.h"

namespace modelpatch::model {
namespace {

using base::InvalidArgument;
using Names = std::set<std::string, std::less<>>;

constexpr std::string_view kSafetensors = ".safetensors";
constexpr std::string_view kTorchArchives[] = {".bin", ".pt", ".pth"};
// Safetensors before what torch.save writes, which costs more to read.
constexpr std::string_view kHuggingFaceWeights[] = {"model.safetensors", "pytorch_model.bin"};
constexpr std::string_view kOpenClipWeights[] = {"open_clip_model.safetensors", "open_clip_pytorch_model.bin"};
constexpr std::string_view kMergesNames[] = {"bpe_simple_vocab_16e6.txt.gz", "bpe_simple_vocab_16e6.txt"};

absl::Status Missing(std::string_view what) {
  return InvalidArgument(
      "MODEL_FILE_MISSING",
      fmt::format("there is no {}; a model directory holds config.json, preprocessor_config.json, "
                  "vocab.json, merges.txt and model.safetensors (Hugging Face), or "
                  "open_clip_config.json and open_clip_model.safetensors (OpenCLIP), or one "
                  "state dict, .safetensors or .pt (OpenAI), the last two with a vocabulary beside them",
                  what));
}

absl::Status ChooseTokenizer(const Names& names, ModelFileNames& chosen) {
  const bool has_vocabulary = names.contains("vocab.json");
  const bool has_merges = names.contains("merges.txt");
  const bool has_both = has_vocabulary && has_merges;
  if (!has_both && names.contains("tokenizer.json")) {
    chosen.tokenizer = TokenizerSource::kTokenizerJson;
    chosen.texts.emplace_back("tokenizer.json");
    return absl::OkStatus();
  }
  for (const std::string_view name : kMergesNames) {
    if (has_vocabulary || has_merges || !names.contains(name)) continue;
    chosen.tokenizer = TokenizerSource::kMerges;
    chosen.tokenizer_file = name;
    chosen.texts.emplace_back(name);
    return absl::OkStatus();
  }
  if (!has_vocabulary && names.contains("spiece.model")) {
    return Missing("tokenizer.json, and spiece.model is not read: transformers converts it");
  }
  if (!has_vocabulary) return Missing("vocab.json");
  if (!has_merges) return Missing("merges.txt");
  chosen.tokenizer = TokenizerSource::kVocabularyAndMerges;
  chosen.texts.insert(chosen.texts.end(), {"vocab.json", "merges.txt"});
  return absl::OkStatus();
}

// The first that is there of the files `wholes`, or of their indices.
bool ChooseWeights(const Names& names, std::span<const std::string_view> wholes, ModelFileNames& chosen) {
  for (const std::string_view whole : wholes) {
    const std::string index = std::string(whole) + ".index.json";
    if (names.contains(whole)) {
      chosen.weights = whole;
      return true;
    }
    if (names.contains(index)) {
      chosen.index = index;
      chosen.texts.push_back(index);
      return true;
    }
  }
  return false;
}

absl::StatusOr<ModelFileNames> ChooseHuggingFace(const Names& names) {
  ModelFileNames chosen;
  chosen.texts = {"config.json"};
  if (!names.contains("preprocessor_config.json")) return Missing("preprocessor_config.json");
  chosen.texts.emplace_back("preprocessor_config.json");
  MP_RETURN_IF_ERROR(ChooseTokenizer(names, chosen));
  if (!ChooseWeights(names, kHuggingFaceWeights, chosen)) return Missing("model.safetensors");
  return chosen;
}

absl::StatusOr<ModelFileNames> ChooseOpenClip(const Names& names) {
  ModelFileNames chosen;
  chosen.config = ConfigSource::kOpenClip;
  chosen.texts = {"open_clip_config.json"};
  MP_RETURN_IF_ERROR(ChooseTokenizer(names, chosen));
  if (!ChooseWeights(names, kOpenClipWeights, chosen)) return Missing("open_clip_model.safetensors");
  return chosen;
}

// The only weight file, whatever it is called.
absl::Status ChooseOnlyWeights(const Names& names, ModelFileNames& chosen) {
  for (const std::string& name : names) {
    if (!IsWeightFile(name)) continue;
    if (!chosen.weights.empty()) {
      return InvalidArgument("MODEL_FILES_AMBIGUOUS",
                             fmt::format("there are '{}' and '{}' and no config; leave one state dict in the directory",
                                         base::Printable(chosen.weights), base::Printable(name)));
    }
    chosen.weights = name;
  }
  return chosen.weights.empty() ? Missing("config.json") : absl::OkStatus();
}

absl::StatusOr<ModelFileNames> ChooseStateDict(const Names& names) {
  ModelFileNames chosen;
  chosen.config = ConfigSource::kShapes;
  MP_RETURN_IF_ERROR(ChooseOnlyWeights(names, chosen));
  MP_RETURN_IF_ERROR(ChooseTokenizer(names, chosen));
  return chosen;
}

}  // namespace

bool IsSafetensors(std::string_view name) { return name.ends_with(kSafetensors); }

bool IsWeightFile(std::string_view name) {
  return IsSafetensors(name) || std::any_of(std::begin(kTorchArchives), std::end(kTorchArchives),
                                            [&](std::string_view ending) { return name.ends_with(ending); });
}

std::string_view OpenClipWeightName(std::string_view name) {
  return IsSafetensors(name) ? kOpenClipWeights[0] : kOpenClipWeights[1];
}

absl::StatusOr<ModelFileNames> ChooseModelFiles(std::span<const std::string> names) {
  const Names all(names.begin(), names.end());
  const bool has_open_clip = all.contains("open_clip_config.json");
  ModelFileNames unused;
  // The hub's OpenCLIP repositories may hold a config.json of another kind, or of a conversion that is not there.
  if (all.contains("config.json") && (!has_open_clip || ChooseWeights(all, kHuggingFaceWeights, unused))) {
    return ChooseHuggingFace(all);
  }
  return has_open_clip ? ChooseOpenClip(all) : ChooseStateDict(all);
}

absl::StatusOr<ModelFileNames> ChooseCheckpointFiles(std::span<const std::string> names) {
  const Names all(names.begin(), names.end());
  ModelFileNames chosen;
  if (ChooseWeights(all, kHuggingFaceWeights, chosen)) {
    chosen.config = ConfigSource::kHuggingFace;
    if (all.contains("config.json")) {
      chosen.texts.emplace_back("config.json");
      return chosen;
    }
  } else if (ChooseWeights(all, kOpenClipWeights, chosen)) {
    chosen.config = ConfigSource::kOpenClip;
    if (all.contains("open_clip_config.json")) {
      chosen.texts.emplace_back("open_clip_config.json");
      return chosen;
    }
  } else {
    MP_RETURN_IF_ERROR(ChooseOnlyWeights(all, chosen));
  }
  chosen.config = ConfigSource::kShapes;
  return chosen;
}

}  // namespace modelpatch::model
