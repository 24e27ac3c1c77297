#include "core/model/bpe_tables.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "core/base/text.h"
#include "core/model/byte_symbols.h"

namespace modelpatch::model {
namespace {

using base::InvalidArgument;
using base::Printable;
using TokenIds = absl::flat_hash_map<std::string, int32_t>;

// Reads one flat object of token to id as it streams by, so that duplicates are seen and nothing else can be built.
class VocabularyReader {
 public:
  using number_integer_t = nlohmann::json::number_integer_t;
  using number_unsigned_t = nlohmann::json::number_unsigned_t;
  using number_float_t = nlohmann::json::number_float_t;
  using string_t = nlohmann::json::string_t;
  using binary_t = nlohmann::json::binary_t;

  TokenIds ids;
  absl::Status status;

  bool null() { return Unexpected(); }
  bool boolean(bool) { return Unexpected(); }
  bool number_integer(number_integer_t value) { return BadId(fmt::format("{}", value)); }
  bool number_float(number_float_t, const string_t& text) { return BadId(text); }
  bool string(string_t&) { return Unexpected(); }
  bool binary(binary_t&) { return Unexpected(); }
  bool start_array(std::size_t) { return Unexpected(); }
  bool end_array() { return Unexpected(); }
  bool start_object(std::size_t) { return !std::exchange(in_object_, true) || Unexpected(); }
  bool end_object() { return true; }
  bool key(string_t& name) {
    if (name.empty()) return Fail(InvalidArgument("VOCABULARY_EMPTY_TOKEN", "the vocabulary has an empty token"));
    token_ = std::move(name);
    return true;
  }
  bool number_unsigned(number_unsigned_t value) {
    if (!in_object_) return Unexpected();
    if (value > static_cast<uint64_t>(std::numeric_limits<int32_t>::max())) return BadId(fmt::format("{}", value));
    if (!ids.try_emplace(token_, static_cast<int32_t>(value)).second) {
      return Fail(InvalidArgument("VOCABULARY_DUPLICATE",
                                  fmt::format("the vocabulary has the token '{}' twice", Printable(token_))));
    }
    return true;
  }
  bool parse_error(std::size_t position, const std::string&, const nlohmann::json::exception&) {
    return Fail(InvalidArgument("VOCABULARY_NOT_JSON",
                                fmt::format("the vocabulary is not valid JSON in UTF-8, near its byte {}", position)));
  }

 private:
  bool Fail(absl::Status error) {
    status = std::move(error);
    return false;
  }
  bool Unexpected() {
    return Fail(InvalidArgument(
        "VOCABULARY_NOT_JSON",
        fmt::format("the vocabulary must be one JSON object of token to id; something else follows '{}'",
                    Printable(token_))));
  }
  bool BadId(const std::string& id) {
    if (!in_object_) return Unexpected();
    return Fail(InvalidArgument("VOCABULARY_BAD_ID", fmt::format("the id of the token '{}' is {}; ids are 0 to n-1",
                                                                 Printable(token_), Printable(id))));
  }

  bool in_object_ = false;
  std::string token_;
};

absl::StatusOr<std::vector<std::string>> TokensById(const TokenIds& ids) {
  std::vector<std::string> tokens(ids.size());
  for (const auto& [token, id] : ids) {
    if (static_cast<size_t>(id) >= ids.size()) {
      return InvalidArgument("VOCABULARY_BAD_ID",
                             fmt::format("the id of the token '{}' is {}, but the vocabulary has {} tokens; "
                                         "ids are 0 to n-1 without gaps",
                                         Printable(token), id, ids.size()));
    }
    if (!tokens[id].empty()) {
      return InvalidArgument("VOCABULARY_DUPLICATE", fmt::format("the tokens '{}' and '{}' have the same id {}",
                                                                 Printable(token), Printable(tokens[id]), id));
    }
    tokens[id] = token;
  }
  return tokens;
}

absl::StatusOr<int32_t> RequiredToken(const TokenIds& ids, const std::string& token, std::string_view what) {
  const auto found = ids.find(token);
  if (found != ids.end()) return found->second;
  return InvalidArgument("VOCABULARY_MISSING_TOKEN",
                         fmt::format("the vocabulary has no '{}' ({}); it is not a byte-level vocabulary of CLIP",
                                     Printable(token), what));
}

std::optional<int32_t> Find(const TokenIds& ids, const std::string& token) {
  const auto found = ids.find(token);
  return found == ids.end() ? std::nullopt : std::optional<int32_t>(found->second);
}

struct MergeLine {
  std::string_view first;
  std::string_view second;
};

// Nothing if the line is not two tokens with one space between.
std::optional<MergeLine> SplitMerge(std::string_view line) {
  const size_t space = line.find(' ');
  if (space == std::string_view::npos || space == 0 || space + 1 == line.size() ||
      line.find(' ', space + 1) != std::string_view::npos) {
    return std::nullopt;
  }
  return MergeLine{line.substr(0, space), line.substr(space + 1)};
}

absl::Status AddMerge(std::string_view line, int64_t line_number, const TokenIds& ids, BpeTables& tables) {
  const std::optional<MergeLine> merge = SplitMerge(line);
  if (!merge.has_value()) {
    return InvalidArgument("MERGES_BAD_LINE",
                           fmt::format("line {} of the merges is '{}'; it must be two tokens with one space between",
                                       line_number, Printable(line)));
  }
  const std::string first(merge->first);
  const std::string second(merge->second);
  const std::optional<int32_t> first_id = Find(ids, first);
  const std::optional<int32_t> second_id = Find(ids, second);
  const std::optional<int32_t> merged_id = Find(ids, first + second);
  if (!first_id || !second_id || !merged_id) {
    const std::string& unknown = !first_id ? first : (!second_id ? second : first + second);
    return InvalidArgument(
        "MERGES_UNKNOWN_TOKEN",
        fmt::format("line {} of the merges is '{}', but the vocabulary has no '{}'; do vocabulary and merges belong "
                    "together?",
                    line_number, Printable(line), Printable(unknown)));
  }
  const auto rank = static_cast<int32_t>(tables.merges.size());
  if (!tables.merges.try_emplace(BpeTables::PairKey(*first_id, *second_id), BpeMerge{rank, *merged_id}).second) {
    return InvalidArgument("MERGES_DUPLICATE",
                           fmt::format("line {} of the merges, '{}', is there before", line_number, Printable(line)));
  }
  return absl::OkStatus();
}

absl::Status ParseMerges(std::string_view text, const TokenIds& ids, BpeTables& tables) {
  if (!base::IsValidUtf8(text)) return InvalidArgument("MERGES_NOT_UTF8", "the merges are not valid UTF-8");
  while (text.ends_with('\n') || text.ends_with('\r')) text.remove_suffix(1);
  for (int64_t line_number = 1; !text.empty(); ++line_number) {
    const size_t newline = text.find('\n');
    std::string_view line = text.substr(0, newline);
    text.remove_prefix(newline == std::string_view::npos ? text.size() : newline + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    const absl::Status added = AddMerge(line, line_number, ids, tables);
    // Nothing is on record before the first line: what failed there is its form or its tokens, so it is a header.
    if (line_number > 1) MP_RETURN_IF_ERROR(added);
  }
  return absl::OkStatus();
}

// A token that no merge makes is never produced, and the words that were trained with it are cut up differently.
absl::Status CheckEveryTokenIsMade(const BpeTables& tables) {
  std::vector<bool> is_made(tables.tokens.size(), false);
  is_made[tables.start_of_text_id] = is_made[tables.end_of_text_id] = true;
  for (const int32_t id : tables.byte_ids) is_made[id] = true;
  for (const int32_t id : tables.last_byte_ids) is_made[id] = true;
  for (const auto& [pair, merge] : tables.merges) is_made[merge.id] = true;
  const auto missing = std::count(is_made.begin(), is_made.end(), false);
  if (missing == 0) return absl::OkStatus();
  const auto example = std::find(is_made.begin(), is_made.end(), false) - is_made.begin();
  return InvalidArgument(
      "MERGES_INCOMPLETE",
      fmt::format("no merge makes {} of the {} tokens of the vocabulary, such as '{}' (id {}); the merges ({} of them) "
                  "are cut short or belong to another vocabulary",
                  missing, tables.tokens.size(), Printable(tables.tokens[example]), example, tables.merges.size()));
}

// The header and the first `count` merges of `text`, as they stand there.
absl::StatusOr<std::string_view> LeadingMerges(std::string_view text, int64_t count) {
  size_t end = 0;
  for (int64_t line = 0; line <= count; ++line) {
    const size_t newline = text.find('\n', end);
    if (newline == std::string_view::npos && (line < count || end == text.size())) {
      return InvalidArgument("MERGES_INCOMPLETE", fmt::format("the vocabulary takes {} merges; the file has {}", count,
                                                              std::max<int64_t>(line - 1, 0)));
    }
    end = newline == std::string_view::npos ? text.size() : newline + 1;
  }
  return text.substr(0, end);
}

}  // namespace

absl::StatusOr<BpeTables> ParseBpeTables(std::string_view vocab_json, std::string_view merges_txt) {
  // The JSON parser takes a NUL for the end of the text; whatever follows would go unseen.
  if (vocab_json.find('\0') != std::string_view::npos) {
    return InvalidArgument("VOCABULARY_NOT_JSON", "the vocabulary has a NUL character; it must be JSON");
  }
  VocabularyReader reader;
  if (!nlohmann::json::sax_parse(vocab_json.begin(), vocab_json.end(), &reader)) return reader.status;
  BpeTables tables;
  MP_ASSIGN_OR_RETURN(tables.tokens, TokensById(reader.ids));
  MP_ASSIGN_OR_RETURN(tables.start_of_text_id, RequiredToken(reader.ids, std::string(kStartOfText), "start of text"));
  MP_ASSIGN_OR_RETURN(tables.end_of_text_id, RequiredToken(reader.ids, std::string(kEndOfText), "end of text"));
  const ByteSymbols symbols;
  for (int byte = 0; byte < 256; ++byte) {
    const std::string& symbol = symbols.SymbolOf(static_cast<uint8_t>(byte));
    MP_ASSIGN_OR_RETURN(tables.byte_ids[byte],
                        RequiredToken(reader.ids, symbol, fmt::format("the symbol of byte {}", byte)));
    MP_ASSIGN_OR_RETURN(tables.last_byte_ids[byte], RequiredToken(reader.ids, symbol + std::string(kEndOfWord),
                                                                  fmt::format("byte {} at the end of a word", byte)));
  }
  MP_RETURN_IF_ERROR(ParseMerges(merges_txt, reader.ids, tables));
  MP_RETURN_IF_ERROR(CheckEveryTokenIsMade(tables));
  return tables;
}

absl::StatusOr<BpeVocabulary> VocabularyOfMerges(std::string_view merges_txt, int64_t vocabulary_size) {
  constexpr int64_t kFixedTokens = 2 * 256 + 2;
  if (vocabulary_size < kFixedTokens || vocabulary_size > std::numeric_limits<int32_t>::max()) {
    return InvalidArgument("MERGES_INCOMPLETE",
                           fmt::format("a vocabulary of {} tokens has no room for the bytes", vocabulary_size));
  }
  MP_ASSIGN_OR_RETURN(const std::string_view merges, LeadingMerges(merges_txt, vocabulary_size - kFixedTokens));
  if (!base::IsValidUtf8(merges)) return InvalidArgument("MERGES_NOT_UTF8", "the merges are not valid UTF-8");
  nlohmann::json ids = nlohmann::json::object();
  const auto add = [&](const std::string& token) { return ids.emplace(token, ids.size()).second; };
  const ByteSymbols symbols;
  for (const uint8_t byte : symbols.VocabularyOrder()) add(symbols.SymbolOf(byte));
  for (const uint8_t byte : symbols.VocabularyOrder()) add(symbols.SymbolOf(byte) + std::string(kEndOfWord));
  std::string_view rest = merges.substr(std::min(merges.size(), merges.find('\n') + 1));
  while (!rest.empty()) {
    const size_t newline = rest.find('\n');
    std::string_view line = rest.substr(0, newline);
    rest.remove_prefix(newline == std::string_view::npos ? rest.size() : newline + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    const std::optional<MergeLine> merge = SplitMerge(line);
    if (!merge.has_value()) {
      return InvalidArgument("MERGES_BAD_LINE",
                             fmt::format("'{}' is not two tokens with one space between", Printable(line)));
    }
    if (!add(std::string(merge->first) + std::string(merge->second))) {
      return InvalidArgument("MERGES_DUPLICATE", fmt::format("two merges make the token of '{}'", Printable(line)));
    }
  }
  add(std::string(kStartOfText));
  add(std::string(kEndOfText));
  return BpeVocabulary{ids.dump(), std::string(merges)};
}

}  // namespace modelpatch::model
