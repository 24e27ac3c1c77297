#include "core/model/unigram_tokenizer.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "core/base/text.h"
#include "core/data/show_json.h"
#include "core/model/added_tokens.h"
#include "core/model/json_member.h"
#include "core/model/metaspace.h"
#include "core/model/text_normalizer.h"
#include "core/model/unigram_model.h"
#include "core/model/unigram_normalizer.h"

namespace modelpatch::model {
namespace {

using base::InvalidArgument;
using data::ShowJson;
using nlohmann::json;

constexpr int64_t kMinimumContextLength = 2;
constexpr int64_t kMaximumContextLength = 1 << 20;
constexpr int32_t kNoStartOfText = -1;
constexpr uint64_t kMaximumId = uint64_t{1} << 31;
constexpr std::string_view kWordMark = "\xe2\x96\x81";     // U+2581
constexpr std::string_view kReplacement = "\xef\xbf\xbd";  // U+FFFD

absl::Status Failure(std::string_view reason, std::string_view field, std::string_view message) {
  return base::WithField(InvalidArgument(reason, fmt::format("tokenizer.json: {} {}", field, message)), field);
}

std::string Show(const json* member) { return member == nullptr ? "missing" : ShowJson(*member); }

absl::StatusOr<std::vector<UnigramPiece>> ReadPieces(const json& model) {
  const json* vocabulary = FindMember(model, "vocab");
  if (vocabulary == nullptr || !vocabulary->is_array()) {
    return Failure("TOKENIZER_INVALID", "model.vocab", fmt::format("is {}; it must be an array", Show(vocabulary)));
  }
  std::vector<UnigramPiece> pieces;
  pieces.reserve(vocabulary->size());
  for (const json& entry : *vocabulary) {
    if (!entry.is_array() || entry.size() != 2 || !entry[0].is_string() || !entry[1].is_number()) {
      return Failure("TOKENIZER_INVALID", fmt::format("model.vocab[{}]", pieces.size()),
                     fmt::format("is {}; it must be a piece and its score", ShowJson(entry)));
    }
    pieces.push_back({entry[0].get<std::string>(), entry[1].get<double>()});
  }
  return pieces;
}

absl::StatusOr<UnigramModel> ReadModel(const json* model) {
  if (model == nullptr || !model->is_object()) return Failure("TOKENIZER_INVALID", "model", "is missing or no object");
  if (const json* type = FindMember(*model, "type"); !IsText(type, "Unigram")) {
    return Failure("TOKENIZER_UNSUPPORTED", "model.type",
                   fmt::format("is {}; only \"Unigram\" is supported here", Show(type)));
  }
  MP_ASSIGN_OR_RETURN(std::vector<UnigramPiece> pieces, ReadPieces(*model));
  const json* unknown = FindMember(*model, "unk_id");
  if (unknown == nullptr || !unknown->is_number_unsigned() || unknown->get<uint64_t>() >= pieces.size()) {
    return Failure("TOKENIZER_INVALID", "model.unk_id",
                   fmt::format("is {}; it must be the id of one of the {} pieces", Show(unknown), pieces.size()));
  }
  const json* fallback = FindMember(*model, "byte_fallback");
  if (fallback != nullptr && !fallback->is_boolean()) {
    return Failure("TOKENIZER_INVALID", "model.byte_fallback",
                   fmt::format("is {}; it must be true or false", Show(fallback)));
  }
  return UnigramModel::Make(std::move(pieces), unknown->get<int64_t>(), fallback != nullptr && fallback->get<bool>());
}

// The id that the post-processor puts after a text.
absl::StatusOr<int64_t> ReadEndOfText(const json* member) {
  const auto unsupported = [] {
    return Failure("TOKENIZER_UNSUPPORTED", "post_processor",
                   "is not supported; it must be a TemplateProcessing whose `single` is the text and one special token "
                   "of one id after it");
  };
  if (member == nullptr || !IsText(FindMember(*member, "type"), "TemplateProcessing")) return unsupported();
  const json* single = FindMember(*member, "single");
  if (single == nullptr || !single->is_array() || single->size() != 2) return unsupported();
  const json* special = FindMember((*single)[1], "SpecialToken");
  const json* tokens = FindMember(*member, "special_tokens");
  if (FindMember((*single)[0], "Sequence") == nullptr || special == nullptr || tokens == nullptr) return unsupported();
  const json* name = FindMember(*special, "id");
  if (name == nullptr || !name->is_string()) return unsupported();
  const json* token = FindMember(*tokens, name->get_ref<const std::string&>().c_str());
  const json* ids = token == nullptr ? nullptr : FindMember(*token, "ids");
  if (ids == nullptr || !ids->is_array() || ids->size() != 1 || !(*ids)[0].is_number_unsigned()) return unsupported();
  if ((*ids)[0].get<uint64_t>() > kMaximumId) return unsupported();
  return (*ids)[0].get<int64_t>();
}

struct UnigramParts {
  AddedTokens added;
  UnigramNormalizer normalizer;
  Metaspace metaspace;
  UnigramModel model;
  int32_t end_of_text_id;
};

class UnigramTokenizer final : public Tokenizer {
 public:
  UnigramTokenizer(UnigramParts parts, int64_t context_length)
      : parts_(std::move(parts)), context_length_(context_length) {}

  absl::StatusOr<TokenizedText> Tokenize(std::string_view text) const override {
    if (text.size() > kMaximumTextBytes) {
      return InvalidArgument("TEXT_TOO_LONG", fmt::format("the text has {} bytes; at most {} are allowed", text.size(),
                                                          kMaximumTextBytes));
    }
    if (!base::IsValidUtf8(text)) {
      return InvalidArgument("TEXT_NOT_UTF8", fmt::format("the text '{}' is not valid UTF-8", base::Printable(text)));
    }
    TokenizedText result;
    for (const AddedTokens::Part& part : parts_.added.Split(text)) {
      if (part.id.has_value()) {
        result.ids.push_back(static_cast<int32_t>(*part.id));
        continue;
      }
      MP_ASSIGN_OR_RETURN(const std::string normalized, parts_.normalizer.Apply(std::string(part.text)));
      parts_.metaspace.Split(normalized, [&](std::string_view word) { parts_.model.Encode(word, result.ids); });
    }
    result.ids.push_back(parts_.end_of_text_id);
    result.untruncated_length = static_cast<int32_t>(result.ids.size());
    result.truncated = result.untruncated_length > context_length_;
    if (result.truncated) {
      result.ids.resize(static_cast<size_t>(context_length_));
      result.ids.shrink_to_fit();
      result.ids.back() = parts_.end_of_text_id;
    }
    return result;
  }

  std::string Decode(std::span<const int32_t> ids) const override {
    const std::vector<UnigramPiece>& pieces = parts_.model.pieces();
    std::string result;
    for (const int32_t id : ids) {
      if (id < 0 || static_cast<size_t>(id) >= pieces.size()) {
        result += kReplacement;
        continue;
      }
      std::string_view piece = pieces[static_cast<size_t>(id)].text;
      for (size_t found; (found = piece.find(kWordMark)) != std::string_view::npos;
           piece.remove_prefix(found + kWordMark.size())) {
        result += piece.substr(0, found);
        if (!result.empty()) result += ' ';
      }
      result += piece;
    }
    return result;
  }

  int64_t vocabulary_size() const override { return static_cast<int64_t>(parts_.model.pieces().size()); }
  int64_t context_length() const override { return context_length_; }
  int32_t start_of_text_id() const override { return kNoStartOfText; }
  int32_t end_of_text_id() const override { return parts_.end_of_text_id; }

 private:
  const UnigramParts parts_;
  const int64_t context_length_;
};

// Every id that the file names stands for the piece that it names.
absl::Status CheckIds(const UnigramParts& parts) {
  const std::vector<UnigramPiece>& pieces = parts.model.pieces();
  const auto count = static_cast<int64_t>(pieces.size());
  for (const AddedToken& token : parts.added.tokens()) {
    if (token.id < count && pieces[static_cast<size_t>(token.id)].text == token.text) continue;
    return Failure("TOKENIZER_INVALID", "added_tokens",
                   fmt::format("has '{}' with the id {}, which is no such piece of the vocabulary",
                               base::Printable(token.text), token.id));
  }
  return absl::OkStatus();
}

absl::StatusOr<UnigramParts> ReadParts(const json& document) {
  MP_ASSIGN_OR_RETURN(UnigramModel model, ReadModel(FindMember(document, "model")));
  MP_ASSIGN_OR_RETURN(AddedTokens added, AddedTokens::Parse(FindMember(document, "added_tokens")));
  MP_ASSIGN_OR_RETURN(UnigramNormalizer normalizer, UnigramNormalizer::Parse(FindMember(document, "normalizer")));
  MP_ASSIGN_OR_RETURN(Metaspace metaspace, Metaspace::Parse(FindMember(document, "pre_tokenizer")));
  MP_ASSIGN_OR_RETURN(const int64_t end_of_text, ReadEndOfText(FindMember(document, "post_processor")));
  if (end_of_text >= static_cast<int64_t>(model.pieces().size())) {
    return Failure("TOKENIZER_INVALID", "post_processor",
                   fmt::format("adds the id {}; the vocabulary has {} pieces", end_of_text, model.pieces().size()));
  }
  UnigramParts parts{std::move(added), std::move(normalizer), std::move(metaspace), std::move(model),
                     static_cast<int32_t>(end_of_text)};
  MP_RETURN_IF_ERROR(CheckIds(parts));
  return parts;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Tokenizer>> MakeUnigramTokenizer(std::string_view tokenizer_json,
                                                                int64_t context_length) {
  if (context_length < kMinimumContextLength || context_length > kMaximumContextLength) {
    return InvalidArgument("BAD_CONTEXT_LENGTH",
                           fmt::format("the context length is {}; it must be from {} to {}", context_length,
                                       kMinimumContextLength, kMaximumContextLength));
  }
  const json document = json::parse(tokenizer_json.begin(), tokenizer_json.end(), nullptr, false);
  // The JSON parser takes a NUL for the end of the text; whatever follows would go unseen.
  if (!document.is_object() || tokenizer_json.find('\0') != std::string_view::npos) {
    return InvalidArgument("TOKENIZER_NOT_JSON", "tokenizer.json is not a JSON object");
  }
  MP_ASSIGN_OR_RETURN(UnigramParts parts, ReadParts(document));
  return std::make_unique<UnigramTokenizer>(std::move(parts), context_length);
}

}  // namespace modelpatch::model
