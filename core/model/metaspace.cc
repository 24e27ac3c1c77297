#include "core/model/metaspace.h"

#include <fmt/format.h>
#include <unicode/uchar.h>
#include <unicode/utf8.h>

#include <algorithm>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>

#include "core/data/show_json.h"
#include "core/model/json_member.h"
#include "core/model/utf8.h"

namespace modelpatch::model {
namespace {

using base::InvalidArgument;
using data::ShowJson;
using nlohmann::json;

constexpr std::string_view kField = "pre_tokenizer";

absl::Status Failure(std::string_view reason, std::string_view message) {
  return base::WithField(InvalidArgument(reason, fmt::format("tokenizer.json: the pre_tokenizer {}", message)), kField);
}

std::string Show(const json* member) { return member == nullptr ? "missing" : ShowJson(*member); }

// A member that is true or false; `fallback` where there is none.
std::optional<bool> ReadFlag(const json& member, const char* key, bool fallback) {
  const json* flag = FindMember(member, key);
  if (flag == nullptr) return fallback;
  if (!flag->is_boolean()) return std::nullopt;
  return flag->get<bool>();
}

}  // namespace

absl::StatusOr<Metaspace> Metaspace::Parse(const json* member) {
  if (member == nullptr) return Failure("TOKENIZER_UNSUPPORTED", "is missing; only Metaspace is supported");
  Metaspace metaspace;
  if (!IsText(FindMember(*member, "type"), "Sequence")) {
    MP_RETURN_IF_ERROR(metaspace.Read(*member));
    return metaspace;
  }
  const json* parts = FindMember(*member, "pretokenizers");
  if (parts == nullptr || !parts->is_array() || parts->size() != 2 ||
      !IsText(FindMember((*parts)[0], "type"), "WhitespaceSplit")) {
    return Failure("TOKENIZER_UNSUPPORTED", "is a Sequence; only one of WhitespaceSplit and Metaspace is supported");
  }
  MP_RETURN_IF_ERROR(metaspace.Read((*parts)[1]));
  metaspace.splits_white_space_first_ = true;
  return metaspace;
}

absl::Status Metaspace::Read(const json& member) {
  if (const json* type = FindMember(member, "type"); !IsText(type, "Metaspace")) {
    return Failure("TOKENIZER_UNSUPPORTED", fmt::format("has the type {}; only Metaspace is supported", Show(type)));
  }
  const json* mark = FindMember(member, "replacement");
  if (mark == nullptr || !mark->is_string()) return Failure("TOKENIZER_INVALID", "has no replacement");
  mark_ = mark->get<std::string>();
  if (mark_.empty() || CharacterBytes(mark_[0]) != mark_.size()) {
    return Failure("TOKENIZER_INVALID", "has a replacement that is not one character");
  }
  const auto adds_prefix = ReadFlag(member, "add_prefix_space", true);
  const auto splits = ReadFlag(member, "split", true);
  if (!adds_prefix.has_value() || !splits.has_value()) {
    return Failure("TOKENIZER_INVALID", "has an add_prefix_space or split that is not true or false");
  }
  splits_ = *splits;
  // The older of the two members.
  prepends_mark_ = *adds_prefix;
  const json* scheme = FindMember(member, "prepend_scheme");
  if (scheme == nullptr) return absl::OkStatus();
  prepends_mark_ = IsText(scheme, "always");
  if (prepends_mark_ || IsText(scheme, "never")) return absl::OkStatus();
  // "first" depends on which characters of the original text the normalizer kept.
  return Failure("TOKENIZER_UNSUPPORTED",
                 fmt::format("has the prepend_scheme {}; only \"always\" and \"never\" are supported", Show(scheme)));
}

void Metaspace::Split(std::string_view text, const std::function<void(std::string_view)>& on_word) const {
  if (!splits_white_space_first_) return SplitWord(text, on_word);
  const auto* bytes = reinterpret_cast<const uint8_t*>(text.data());
  const auto size = static_cast<int32_t>(text.size());
  int32_t begin = 0;
  for (int32_t i = 0; i < size;) {
    const int32_t at = i;
    UChar32 c;
    U8_NEXT(bytes, i, size, c);
    if (!u_isUWhiteSpace(c)) continue;
    SplitWord(text.substr(begin, at - begin), on_word);
    begin = i;
  }
  SplitWord(text.substr(begin), on_word);
}

void Metaspace::SplitWord(std::string_view text, const std::function<void(std::string_view)>& on_word) const {
  if (text.empty()) return;
  std::string marked;
  for (const char c : text) {
    if (c == ' ') {
      marked += mark_;
    } else {
      marked += c;
    }
  }
  if (prepends_mark_ && !marked.starts_with(mark_)) marked.insert(0, mark_);
  std::string_view rest = marked;
  while (splits_ && !rest.empty()) {
    const size_t next = std::min(rest.find(mark_, 1), rest.size());
    on_word(rest.substr(0, next));
    rest.remove_prefix(next);
  }
  if (!rest.empty()) on_word(rest);
}

}  // namespace modelpatch::model
