#include "core/data/json_lines.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <unordered_set>
#include <utility>

#include "core/base/text.h"
#include "core/data/prompt_templates.h"
#include "core/data/show_json.h"
#include "core/data/white_space.h"

namespace modelpatch::data {
namespace {

using Json = nlohmann::json;

constexpr size_t kMaximumPathBytes = 4096;
constexpr std::string_view kForm = R"({"image": PATH, "candidates": [TEXT, ...], "answer": INDEX or TEXT})";

absl::Status BadLine(std::string_view what) {
  return base::InvalidArgument("BAD_JSON_LINE", fmt::format("{}; a line is {}", what, kForm));
}

// The object of a line, none of whose members is there twice.
absl::StatusOr<Json> ParseObject(std::string_view line) {
  size_t members = 0;
  const Json::parser_callback_t count = [&members](int depth, Json::parse_event_t event, Json&) {
    if (depth == 1 && event == Json::parse_event_t::key) ++members;
    return true;
  };
  Json json = Json::parse(line, count, /*allow_exceptions=*/false);
  if (!json.is_object()) return BadLine(fmt::format("'{}' is no JSON object", base::Printable(line)));
  if (members != json.size()) return BadLine("a member is there twice");
  for (const auto& item : json.items()) {
    if (item.key() == "image" || item.key() == "candidates" || item.key() == "answer") continue;
    return BadLine(fmt::format("there is an unknown member '{}'", base::Printable(item.key())));
  }
  return json;
}

absl::StatusOr<std::string> ReadImage(const Json& json) {
  const auto found = json.find("image");
  if (found == json.end() || !found->is_string()) {
    return BadLine(found == json.end() ? std::string("there is no `image`")
                                       : fmt::format("the image {} is no text", ShowJson(*found)));
  }
  const auto& path = found->get_ref<const std::string&>();
  const auto bad = [&path](std::string_view why) {
    return base::InvalidArgument("BAD_IMAGE_PATH", fmt::format("the image '{}' {}; name a file relative to the "
                                                               "directory of this one, and below it",
                                                               base::Printable(path), why));
  };
  if (path.empty() || path.size() > kMaximumPathBytes || path.find('\0') != std::string::npos) {
    return bad(fmt::format("is no path ({} bytes)", path.size()));
  }
  if (path.front() == '/') return bad("is an absolute path");
  std::string folded;
  for (size_t start = 0; start <= path.size();) {
    const size_t end = std::min(path.find('/', start), path.size());
    const std::string_view part = std::string_view(path).substr(start, end - start);
    start = end + 1;
    if (part == "..") return bad("has a `..` in it");
    if (end == path.size() && (part.empty() || part == ".")) return bad("names a directory");
    if (part.empty() || part == ".") continue;
    if (!folded.empty()) folded += '/';
    folded += part;
  }
  return folded;
}

absl::StatusOr<std::vector<std::string>> ReadCandidates(const Json& json) {
  const auto found = json.find("candidates");
  if (found == json.end() || (found->is_array() && found->empty())) {
    return base::InvalidArgument(
        "EXAMPLE_WITHOUT_CANDIDATES",
        fmt::format("the example has no candidates; a line is {}, with at least one candidate", kForm));
  }
  if (!found->is_array()) return BadLine(fmt::format("the candidates {} are no array", ShowJson(*found)));
  std::vector<std::string> candidates;
  std::unordered_set<std::string_view> seen;
  for (const Json& entry : *found) {
    if (!entry.is_string()) return BadLine(fmt::format("the candidate {} is no text", ShowJson(entry)));
    const auto& text = entry.get_ref<const std::string&>();
    if (IsBlank(text)) {
      return base::InvalidArgument("EMPTY_CANDIDATE",
                                   fmt::format("candidate {} is empty; give each a text", candidates.size()));
    }
    if (text.size() > kMaximumPromptBytes) {
      return base::InvalidArgument("PROMPT_TOO_LONG",
                                   fmt::format("the candidate '{}' has {} bytes; at most {} are allowed",
                                               base::Printable(text), text.size(), kMaximumPromptBytes));
    }
    if (!seen.insert(text).second) {
      return base::InvalidArgument(
          "DUPLICATE_CANDIDATE", fmt::format("the candidate '{}' is there twice; give it once", base::Printable(text)));
    }
    candidates.push_back(text);
  }
  return candidates;
}

absl::StatusOr<size_t> ReadAnswer(const Json& json, const std::vector<std::string>& candidates) {
  const auto found = json.find("answer");
  if (found == json.end()) return BadLine("there is no `answer`");
  if (found->is_string()) {
    const auto& text = found->get_ref<const std::string&>();
    const auto candidate = std::find(candidates.begin(), candidates.end(), text);
    if (candidate != candidates.end()) return static_cast<size_t>(candidate - candidates.begin());
    return base::InvalidArgument(
        "ANSWER_NOT_A_CANDIDATE",
        fmt::format("the answer '{}' is none of the {} candidates; name one of them, letter for letter, or its index",
                    base::Printable(text), candidates.size()));
  }
  if (!found->is_number_integer()) {
    return BadLine(fmt::format("the answer {} is neither an index nor a text", ShowJson(*found)));
  }
  if (found->is_number_unsigned() && found->get<uint64_t>() < candidates.size()) return found->get<size_t>();
  return base::InvalidArgument("ANSWER_NOT_A_CANDIDATE",
                               fmt::format("there is no candidate {}; {} candidates are numbered 0 to {}",
                                           ShowJson(*found), candidates.size(), candidates.size() - 1));
}

}  // namespace

absl::StatusOr<JsonLine> ParseJsonLine(std::string_view line) {
  if (line.size() > kMaximumJsonLineBytes) {
    return base::InvalidArgument("LINE_TOO_LONG", fmt::format("the line has {} bytes; at most {} are allowed",
                                                              line.size(), kMaximumJsonLineBytes));
  }
  if (!base::IsValidUtf8(line)) {
    return base::InvalidArgument("INVALID_UTF8",
                                 fmt::format("'{}' is not valid UTF-8; save the file as such", base::Printable(line)));
  }
  MP_ASSIGN_OR_RETURN(const Json json, ParseObject(line));
  JsonLine example;
  MP_ASSIGN_OR_RETURN(example.image, ReadImage(json));
  MP_ASSIGN_OR_RETURN(example.candidates, ReadCandidates(json));
  MP_ASSIGN_OR_RETURN(example.answer, ReadAnswer(json, example.candidates));
  return example;
}

absl::Status ForEachJsonLine(std::string_view content,
                             const std::function<absl::Status(int64_t line, JsonLine example)>& visit) {
  int64_t number = 0;
  for (size_t start = 0; start < content.size();) {
    const size_t end = std::min(content.find('\n', start), content.size());
    const std::string_view line = content.substr(start, end - start);
    start = end + 1;
    ++number;
    if (IsBlank(line)) continue;
    auto example = ParseJsonLine(line);
    const absl::Status status = example.ok() ? visit(number, *std::move(example)) : example.status();
    if (!status.ok()) return base::WithContext(status, fmt::format("line {}", number));
  }
  return absl::OkStatus();
}

}  // namespace modelpatch::data
