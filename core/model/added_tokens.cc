#include "core/model/added_tokens.h"

#include <fmt/format.h>
#include <unicode/uchar.h>
#include <unicode/utf8.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "core/base/text.h"

namespace modelpatch::model {
namespace {

using base::InvalidArgument;
using nlohmann::json;

// T5 has 100 beside its three; each is looked for at each place of a text.
constexpr size_t kMaximumTokens = 1024;

absl::Status Failure(std::string_view reason, size_t index, std::string_view message) {
  const std::string field = fmt::format("added_tokens[{}]", index);
  return base::WithField(InvalidArgument(reason, fmt::format("tokenizer.json: {} {}", field, message)), field);
}

// A member that is true or false; absent means false.
std::optional<bool> ReadFlag(const json& token, const char* key) {
  const auto found = token.find(key);
  if (found == token.end()) return false;
  if (!found->is_boolean()) return std::nullopt;
  return found->get<bool>();
}

absl::StatusOr<AddedToken> ReadToken(const json& member, size_t index) {
  const auto bad = [&] {
    return Failure("TOKENIZER_INVALID", index, "is no object with a content, an id, and flags that are true or false");
  };
  if (!member.is_object()) return bad();
  const auto content = member.find("content");
  const auto id = member.find("id");
  if (content == member.end() || id == member.end() || !content->is_string() || !id->is_number_unsigned()) return bad();
  const auto single_word = ReadFlag(member, "single_word");
  const auto normalized = ReadFlag(member, "normalized");
  const auto left = ReadFlag(member, "lstrip");
  const auto right = ReadFlag(member, "rstrip");
  if (!single_word.has_value() || !normalized.has_value() || !left.has_value() || !right.has_value()) return bad();
  if (*single_word || *normalized) {
    return Failure("TOKENIZER_UNSUPPORTED", index,
                   fmt::format("('{}') is single_word or normalized; only tokens that are neither are supported",
                               base::Printable(content->get_ref<const std::string&>())));
  }
  AddedToken token{content->get<std::string>(), 0, *left, *right};
  const auto number = id->get<uint64_t>();
  if (token.text.empty() || number > (uint64_t{1} << 31)) return bad();
  token.id = static_cast<int64_t>(number);
  return token;
}

// The bytes of white space at the end of `text`.
size_t SpaceAtEnd(std::string_view text) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(text.data());
  auto end = static_cast<int32_t>(text.size());
  while (end > 0) {
    int32_t previous = end;
    UChar32 c;
    U8_PREV(bytes, 0, previous, c);
    if (!u_isUWhiteSpace(c)) break;
    end = previous;
  }
  return text.size() - static_cast<size_t>(end);
}

// The bytes of white space at the start of `text`.
size_t SpaceAtStart(std::string_view text) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(text.data());
  const auto size = static_cast<int32_t>(text.size());
  int32_t begin = 0;
  while (begin < size) {
    int32_t next = begin;
    UChar32 c;
    U8_NEXT(bytes, next, size, c);
    if (!u_isUWhiteSpace(c)) break;
    begin = next;
  }
  return static_cast<size_t>(begin);
}

}  // namespace

absl::StatusOr<AddedTokens> AddedTokens::Parse(const json* member) {
  AddedTokens added;
  if (member == nullptr) return added;
  if (!member->is_array() || member->size() > kMaximumTokens) {
    return base::WithField(
        InvalidArgument("TOKENIZER_INVALID",
                        fmt::format("tokenizer.json: added_tokens is no array of at most {} tokens", kMaximumTokens)),
        "added_tokens");
  }
  std::set<std::string> seen;
  for (size_t i = 0; i < member->size(); ++i) {
    MP_ASSIGN_OR_RETURN(AddedToken token, ReadToken((*member)[i], i));
    if (!seen.insert(token.text).second) {
      return Failure("VOCABULARY_DUPLICATE", i, fmt::format("('{}') is there twice", base::Printable(token.text)));
    }
    added.tokens_.push_back(std::move(token));
  }
  return added;
}

const AddedToken* AddedTokens::Match(std::string_view rest) const {
  const AddedToken* longest = nullptr;
  for (const AddedToken& token : tokens_) {
    if (rest.starts_with(token.text) && (longest == nullptr || token.text.size() > longest->text.size())) {
      longest = &token;
    }
  }
  return longest;
}

std::vector<AddedTokens::Part> AddedTokens::Split(std::string_view text) const {
  std::vector<Part> parts;
  size_t begin = 0;  // of what is in no part yet
  for (size_t at = 0; at < text.size();) {
    const AddedToken* token = Match(text.substr(at));
    if (token == nullptr) {
      ++at;
      continue;
    }
    const size_t end = at + token->text.size();
    const size_t start = std::max(begin, token->takes_left ? at - SpaceAtEnd(text.substr(0, at)) : at);
    const size_t stop = token->takes_right ? end + SpaceAtStart(text.substr(end)) : end;
    if (start > begin) parts.push_back({text.substr(begin, start - begin), std::nullopt});
    parts.push_back({text.substr(start, stop - start), token->id});
    begin = stop;
    at = stop;
  }
  if (begin < text.size()) parts.push_back({text.substr(begin), std::nullopt});
  return parts;
}

}  // namespace modelpatch::model
