#include "core/model/unigram_normalizer.h"

#include <fmt/format.h>
#include <unicode/bytestream.h>
#include <unicode/normalizer2.h>
#include <unicode/stringpiece.h>
#include <unicode/uchar.h>
#include <unicode/utf8.h>

#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "absl/strings/escaping.h"
#include "core/data/show_json.h"
#include "core/model/charsmap.h"
#include "core/model/replace_pattern.h"
#include "core/model/text_normalizer.h"

namespace modelpatch::model {
namespace {

using base::InvalidArgument;
using data::ShowJson;
using nlohmann::json;

constexpr size_t kMaximumSteps = 1000;
constexpr size_t kMaximumContentBytes = 1024;
constexpr UChar32 kDottedCapitalI = 0x130;
constexpr std::string_view kDottedSmallI = "i\xcc\x87";

absl::Status Unsupported(std::string_view what) { return InvalidArgument("TOKENIZER_UNSUPPORTED", what); }
absl::Status Invalid(std::string_view what) { return InvalidArgument("TOKENIZER_INVALID", what); }

// Character by character, without the context that makes a final sigma: that is what the reference does.
std::string LowerCase(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  const auto* bytes = reinterpret_cast<const uint8_t*>(text.data());
  const auto size = static_cast<int32_t>(text.size());
  for (int32_t i = 0; i < size;) {
    UChar32 c;
    U8_NEXT(bytes, i, size, c);
    if (c == kDottedCapitalI) {  // the only character whose lower case is two
      result += kDottedSmallI;
      continue;
    }
    uint8_t lower[U8_MAX_LENGTH];
    int32_t length = 0;
    U8_APPEND_UNSAFE(lower, length, u_tolower(c));
    result.append(reinterpret_cast<const char*>(lower), static_cast<size_t>(length));
  }
  return result;
}

std::string StripWhiteSpace(std::string_view text, bool left, bool right) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(text.data());
  int32_t begin = 0;
  auto end = static_cast<int32_t>(text.size());
  while (left && begin < end) {
    int32_t next = begin;
    UChar32 c;
    U8_NEXT(bytes, next, end, c);
    if (!u_isUWhiteSpace(c)) break;
    begin = next;
  }
  while (right && begin < end) {
    int32_t previous = end;
    UChar32 c;
    U8_PREV(bytes, begin, previous, c);
    if (!u_isUWhiteSpace(c)) break;
    end = previous;
  }
  return std::string(text.substr(begin, end - begin));
}

absl::StatusOr<std::string> NormalizeForm(const icu::Normalizer2& form, std::string_view text) {
  UErrorCode error = U_ZERO_ERROR;
  std::string result;
  icu::StringByteSink<std::string> sink(&result, static_cast<int32_t>(text.size()));
  form.normalizeUTF8(0, icu::StringPiece(text.data(), static_cast<int32_t>(text.size())), sink, nullptr, error);
  if (U_SUCCESS(error)) return result;
  return base::Internal("UNICODE_LIBRARY", fmt::format("ICU answered {}", u_errorName(error)));
}

// The form of Unicode that a step is named after, or null.
const icu::Normalizer2* FormNamed(std::string_view type) {
  UErrorCode error = U_ZERO_ERROR;
  if (type == "NFC") return icu::Normalizer2::getNFCInstance(error);
  if (type == "NFD") return icu::Normalizer2::getNFDInstance(error);
  if (type == "NFKC") return icu::Normalizer2::getNFKCInstance(error);
  if (type == "NFKD") return icu::Normalizer2::getNFKDInstance(error);
  return nullptr;
}

absl::StatusOr<bool> ReadBoolean(const json& member, const char* key) {
  const auto found = member.find(key);
  if (found != member.end() && found->is_boolean()) return found->get<bool>();
  return Invalid(fmt::format("'{}' of a Strip step is not true or false", key));
}

}  // namespace

absl::StatusOr<UnigramNormalizer> UnigramNormalizer::Parse(const json* member) {
  UnigramNormalizer normalizer;
  if (member == nullptr) return normalizer;
  MP_RETURN_IF_ERROR(normalizer.Append(*member, "normalizer"));
  return normalizer;
}

absl::Status UnigramNormalizer::Append(const json& member, const std::string& field) {
  const auto type_member = member.is_object() ? member.find("type") : member.end();
  if (!member.is_object() || type_member == member.end() || !type_member->is_string()) {
    return base::WithField(Invalid("tokenizer.json: a step of the normalizer has no type"), field);
  }
  const auto type = type_member->get<std::string>();
  if (steps_.size() >= kMaximumSteps) {
    return base::WithField(Invalid(fmt::format("tokenizer.json: the normalizer has more than {} steps", kMaximumSteps)),
                           field);
  }
  if (type == "Sequence" && field == "normalizer") {
    const auto steps = member.find("normalizers");
    if (steps == member.end() || !steps->is_array()) {
      return base::WithField(Invalid("tokenizer.json: normalizer.normalizers is no array"), field);
    }
    for (size_t i = 0; i < steps->size(); ++i) {
      MP_RETURN_IF_ERROR(Append((*steps)[i], fmt::format("normalizer.normalizers[{}]", i)));
    }
    return absl::OkStatus();
  }
  absl::Status status;
  if (type == "Lowercase") {
    steps_.emplace_back([](const std::string& text) { return LowerCase(text); });
  } else if (const icu::Normalizer2* form = FormNamed(type); form != nullptr) {
    steps_.emplace_back([form](const std::string& text) { return NormalizeForm(*form, text); });
  } else if (type == "Strip") {
    const auto left = ReadBoolean(member, "strip_left");
    const auto right = ReadBoolean(member, "strip_right");
    status = left.ok() ? right.status() : left.status();
    if (status.ok()) {
      steps_.emplace_back(
          [left = *left, right = *right](const std::string& text) { return StripWhiteSpace(text, left, right); });
    }
  } else if (type == "Replace") {
    status = AppendReplace(member);
  } else if (type == "Precompiled") {
    status = AppendPrecompiled(member);
  } else {
    status =
        Unsupported(fmt::format("the step {} is not known; Lowercase, NFC, NFD, NFKC, NFKD, Strip, Replace and "
                                "Precompiled are, in one Sequence",
                                ShowJson(*type_member)));
  }
  return status.ok() ? status : base::WithField(base::WithContext(status, "tokenizer.json: normalizer"), field);
}

absl::Status UnigramNormalizer::AppendReplace(const json& member) {
  const auto content = member.find("content");
  const auto pattern = member.find("pattern");
  if (content == member.end() || !content->is_string() || pattern == member.end() || !pattern->is_object() ||
      pattern->size() != 1) {
    return Invalid("a Replace step has no pattern or no content");
  }
  auto text = content->get<std::string>();
  const auto literal = pattern->find("String");
  const auto regex = pattern->find("Regex");
  const auto kind = literal != pattern->end() ? literal : regex;
  if (kind == pattern->end() || !kind->is_string())
    return Invalid("a Replace step's pattern is no String and no Regex");
  // A dollar sign stands for a group of the expression, of which the known ones have none.
  if (text.size() > kMaximumContentBytes || (kind == regex && text.find('$') != std::string::npos)) {
    return Unsupported("a Replace step's content is too long, or refers to a group");
  }
  const auto written = kind->get<std::string>();
  MP_ASSIGN_OR_RETURN(ReplacePattern parsed,
                      kind == regex ? ReplacePattern::OfRegex(written) : ReplacePattern::OfText(written));
  steps_.emplace_back([parsed = std::move(parsed), content = std::move(text)](const std::string& input) {
    return parsed.Replace(input, content);
  });
  return absl::OkStatus();
}

absl::Status UnigramNormalizer::AppendPrecompiled(const json& member) {
  const auto encoded = member.find("precompiled_charsmap");
  std::string bytes;
  if (encoded == member.end() || !encoded->is_string() ||
      !absl::Base64Unescape(encoded->get_ref<const std::string&>(), &bytes)) {
    return Invalid("a Precompiled step has no precompiled_charsmap in base64");
  }
  MP_ASSIGN_OR_RETURN(Charsmap parsed, Charsmap::Parse(bytes));
  // A function is copied, and the map is large.
  steps_.emplace_back([charsmap = std::make_shared<const Charsmap>(std::move(parsed))](const std::string& text) {
    return charsmap->Apply(text);
  });
  return absl::OkStatus();
}

absl::StatusOr<std::string> UnigramNormalizer::Apply(std::string text) const {
  for (const Step& step : steps_) {
    MP_ASSIGN_OR_RETURN(text, step(std::move(text)));
    if (text.size() > kMaximumTextBytes) {
      return InvalidArgument("TEXT_TOO_LONG",
                             fmt::format("the text has more than {} bytes once it is normalised", kMaximumTextBytes));
    }
  }
  return text;
}

}  // namespace modelpatch::model
