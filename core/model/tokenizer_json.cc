#include "core/model/tokenizer_json.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <utility>

#include "core/base/text.h"
#include "core/data/show_json.h"
#include "core/model/tokenizer_pipeline.h"

namespace modelpatch::model {
namespace {

using base::InvalidArgument;
using data::ShowJson;
using nlohmann::json;

absl::Status Invalid(std::string_view field, std::string_view message) {
  return base::WithField(InvalidArgument("TOKENIZER_INVALID", fmt::format("tokenizer.json: {} {}", field, message)),
                         field);
}

// Notes a token that `model.vocab` has twice: a parsed object has forgotten the first.
class DuplicateWatch {
 public:
  void OnKey(int depth, const std::string& key) {
    constexpr int kSectionDepth = 1;  // { here: …
    constexpr int kMemberDepth = 2;   // { "model": { here: …
    constexpr int kTokenDepth = 3;    // { "model": { "vocab": { here: …
    if (depth == kSectionDepth) in_model_ = key == "model";
    if (depth <= kMemberDepth) in_vocabulary_ = in_model_ && depth == kMemberDepth && key == "vocab";
    if (depth != kTokenDepth || !in_vocabulary_ || !duplicate_.empty()) return;
    if (!tokens_.insert(key).second) duplicate_ = key;
  }
  const std::string& duplicate() const { return duplicate_; }

 private:
  bool in_model_ = false;
  bool in_vocabulary_ = false;
  std::set<std::string> tokens_;
  std::string duplicate_;
};

absl::StatusOr<json> ParseDocument(std::string_view text) {
  DuplicateWatch watch;
  const json::parser_callback_t on_event = [&](int depth, json::parse_event_t event, json& parsed) {
    if (event == json::parse_event_t::key) watch.OnKey(depth, parsed.get_ref<const std::string&>());
    return true;
  };
  json document = json::parse(text.begin(), text.end(), on_event, false);
  if (!document.is_object() || text.find('\0') != std::string_view::npos) {
    return InvalidArgument("TOKENIZER_NOT_JSON", "tokenizer.json is not a JSON object");
  }
  if (watch.duplicate().empty()) return document;
  return InvalidArgument("VOCABULARY_DUPLICATE",
                         fmt::format("the vocabulary has the token '{}' twice", base::Printable(watch.duplicate())));
}

absl::Status CheckKind(const json& model) {
  const struct {
    const char* member;
    json wanted;
    bool required;
  } rules[] = {
      {"type", "BPE", true},           {"end_of_word_suffix", "</w>", true}, {"continuing_subword_prefix", "", false},
      {"byte_fallback", false, false}, {"ignore_merges", false, false},      {"dropout", nullptr, false}};
  for (const auto& rule : rules) {
    const auto found = model.find(rule.member);
    const bool absent = found == model.end() || found->is_null();
    if (absent ? !rule.required : *found == rule.wanted) continue;
    const std::string field = std::string("model.") + rule.member;
    return base::WithField(InvalidArgument("TOKENIZER_UNSUPPORTED",
                                           fmt::format("tokenizer.json: {} is {}; only {} is supported", field,
                                                       absent ? "missing" : ShowJson(*found), ShowJson(rule.wanted))),
                           field);
  }
  return absl::OkStatus();
}

// "a b", or ["a", "b"], as a line of merges.txt.
absl::StatusOr<std::string> MergeLine(const json& merge, size_t index) {
  const std::string field = fmt::format("model.merges[{}]", index);
  std::string line;
  if (merge.is_string()) {
    line = merge.get<std::string>();
  } else if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string()) {
    line = merge[0].get<std::string>() + " " + merge[1].get<std::string>();
  } else {
    return Invalid(field, fmt::format("is {}; it must be two tokens", ShowJson(merge)));
  }
  if (line.find_first_of("\r\n") != std::string::npos) return Invalid(field, "has a line end");
  return line;
}

// The tokens with their ids, the added ones included: start and end of text may stand beside the vocabulary. Any other
// added token would be cut out of a text before it is split into words, which CLIP does not do.
absl::StatusOr<json> CollectTokens(const json& document, const json& vocabulary) {
  json tokens = json::object();
  for (const auto& [token, id] : vocabulary.items()) {
    // Before it is copied: a value may be nested a million levels deep, and copying recurses.
    if (!id.is_number()) {
      return Invalid("model.vocab", fmt::format("has {} as the id of '{}'", ShowJson(id), base::Printable(token)));
    }
    tokens.emplace(token, id);
  }
  const auto added = document.find("added_tokens");
  if (added == document.end() || added->is_null()) return tokens;
  if (!added->is_array()) return Invalid("added_tokens", "is no array");
  for (size_t i = 0; i < added->size(); ++i) {
    const json& token = (*added)[i];
    const std::string field = fmt::format("added_tokens[{}]", i);
    const auto content = token.is_object() ? token.find("content") : token.end();
    const auto id = token.is_object() ? token.find("id") : token.end();
    if (!token.is_object() || content == token.end() || id == token.end() || !content->is_string() ||
        !id->is_number_unsigned()) {
      return Invalid(field, "has no `content` or no `id`");
    }
    if (*content != kStartOfText && *content != kEndOfText) {
      return base::WithField(
          InvalidArgument("TOKENIZER_UNSUPPORTED",
                          fmt::format("tokenizer.json: {} is {}; CLIP's are {} and {}. vocab.json and merges.txt are "
                                      "read instead where they are there",
                                      field, ShowJson(*content), kStartOfText, kEndOfText)),
          field);
    }
    const auto [entry, is_new] = tokens.emplace(content->get<std::string>(), *id);
    if (!is_new && *entry != *id) {
      return Invalid(field, fmt::format("gives {} the id {}; in model.vocab it has {}", ShowJson(*content),
                                        ShowJson(*id), ShowJson(*entry)));
    }
  }
  return tokens;
}

}  // namespace

absl::StatusOr<BpeVocabulary> ParseTokenizerJson(std::string_view tokenizer_json) {
  MP_ASSIGN_OR_RETURN(const json document, ParseDocument(tokenizer_json));
  const auto model = document.find("model");
  if (model == document.end() || !model->is_object()) return Invalid("model", "is missing or no object");
  MP_RETURN_IF_ERROR(CheckKind(*model));
  const auto vocabulary = model->find("vocab");
  const auto merges = model->find("merges");
  if (vocabulary == model->end() || !vocabulary->is_object()) return Invalid("model.vocab", "is missing or no object");
  if (merges == model->end() || !merges->is_array()) return Invalid("model.merges", "is missing or no array");
  MP_RETURN_IF_ERROR(CheckClipPipeline(document));
  MP_ASSIGN_OR_RETURN(const json tokens, CollectTokens(document, *vocabulary));
  BpeVocabulary files{tokens.dump(), "#version: 0.2\n"};
  for (size_t i = 0; i < merges->size(); ++i) {
    MP_ASSIGN_OR_RETURN(const std::string line, MergeLine((*merges)[i], i));
    files.merges_txt += line + "\n";
  }
  return files;
}

}  // namespace modelpatch::model
