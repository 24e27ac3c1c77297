#include "core/model/tokenizer_pipeline.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "core/data/show_json.h"
#include "core/model/bpe_tables.h"
#include "core/model/json_member.h"

namespace modelpatch::model {
namespace {

using nlohmann::json;

constexpr std::string_view kWords = R"('s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+)";

const json* Find(const json* object, const char* key) { return object == nullptr ? nullptr : FindMember(*object, key); }

const json* At(const json* array, size_t index) {
  return array != nullptr && array->is_array() && index < array->size() ? &(*array)[index] : nullptr;
}

bool Is(const json* value, const json& wanted) { return value != nullptr && *value == wanted; }

// Values are never copied: that recurses, and a hostile document may be nested a million levels deep. So do
// comparisons, but only as deep as both sides go.

absl::Status Unsupported(const std::string& field, const json& found, std::string_view wanted) {
  const json* type = Find(&found, "type");
  return base::WithField(
      base::InvalidArgument("TOKENIZER_UNSUPPORTED",
                            fmt::format("tokenizer.json: {} is or has {}, which is not CLIP's; CLIP's has {}", field,
                                        data::ShowJson(type != nullptr ? *type : found), wanted)),
      field);
}

// The steps of `pipeline`: those of its `list` if it is a Sequence, else itself.
std::vector<const json*> StepsOf(const json& pipeline, const char* list) {
  const json* steps = Is(Find(&pipeline, "type"), "Sequence") ? Find(&pipeline, list) : nullptr;
  if (steps == nullptr || !steps->is_array()) return {&pipeline};
  std::vector<const json*> result;
  for (const json& step : *steps) result.push_back(&step);
  return result;
}

absl::Status CheckNormalizer(const json& normalizer) {
  const json known[] = {{{"type", "NFC"}},
                        {{"type", "Replace"}, {"pattern", {{"Regex", "\\s+"}}}, {"content", " "}},
                        {{"type", "Lowercase"}}};
  bool lowers = false;
  for (const json* step : StepsOf(normalizer, "normalizers")) {
    if (std::find(std::begin(known), std::end(known), *step) == std::end(known)) {
      return Unsupported("normalizer", *step, "NFC, Replace of \\s+ by a space, and Lowercase");
    }
    lowers = lowers || *step == known[2];
  }
  return lowers ? absl::OkStatus() : Unsupported("normalizer", normalizer, "Lowercase");
}

bool IsClipSplit(const json& step) {
  constexpr std::string_view kSpecial = R"(<\|startoftext\|>|<\|endoftext\|>|)";
  const json* regex = Find(Find(&step, "pattern"), "Regex");
  if (regex == nullptr || !regex->is_string()) return false;
  std::string_view pattern = regex->get_ref<const std::string&>();
  if (pattern.starts_with(kSpecial)) pattern.remove_prefix(kSpecial.size());
  return pattern == kWords && Is(Find(&step, "behavior"), "Removed") && Is(Find(&step, "invert"), true);
}

absl::Status CheckPreTokenizer(const json& pre_tokenizer) {
  for (const json* step : StepsOf(pre_tokenizer, "pretokenizers")) {
    const json* type = Find(step, "type");
    const bool is_bytes = Is(type, "ByteLevel") && !Is(Find(step, "add_prefix_space"), true);
    if (!is_bytes && !(Is(type, "Split") && IsClipSplit(*step))) {
      return Unsupported("pre_tokenizer", *step,
                         fmt::format("Split, which keeps what matches {}, and ByteLevel without a prefix", kWords));
    }
  }
  return absl::OkStatus();
}

bool FramesTexts(const json& processor) {
  const json* type = Find(&processor, "type");
  if (Is(type, "RobertaProcessing")) {
    return Is(At(Find(&processor, "cls"), 0), kStartOfText) && Is(At(Find(&processor, "sep"), 0), kEndOfText);
  }
  const json* parts = Find(&processor, "single");
  return Is(type, "TemplateProcessing") && At(parts, 2) != nullptr && parts->size() == 3 &&
         Is(Find(Find(At(parts, 0), "SpecialToken"), "id"), kStartOfText) &&
         Is(Find(Find(At(parts, 1), "Sequence"), "id"), "A") &&
         Is(Find(Find(At(parts, 2), "SpecialToken"), "id"), kEndOfText);
}

}  // namespace

absl::Status CheckClipPipeline(const json& document) {
  if (const json* normalizer = Find(&document, "normalizer")) MP_RETURN_IF_ERROR(CheckNormalizer(*normalizer));
  if (const json* splitter = Find(&document, "pre_tokenizer")) MP_RETURN_IF_ERROR(CheckPreTokenizer(*splitter));
  const json* processor = Find(&document, "post_processor");
  if (processor == nullptr || Is(Find(processor, "type"), "ByteLevel") || FramesTexts(*processor)) {
    return absl::OkStatus();
  }
  return Unsupported("post_processor", *processor, fmt::format("a text between {} and {}", kStartOfText, kEndOfText));
}

}  // namespace modelpatch::model
