// JSON lines of examples with candidates of their own: a text file with one JSON object a line,
//   {"image": "cats/1.png", "candidates": ["a photo of a cat", "a photo of a dog"], "answer": 0}
// The image is named relative to the file's directory; the candidates are full prompts; the answer is an index into
// them, or one of them. Lines of white space alone are left out.
//
// Nothing here touches the file system. Thread safety: plain values and pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/status.h"

namespace modelpatch::data {

inline constexpr size_t kMaximumJsonLineBytes = size_t{1} << 20;
// Of a whole file, which is read at once.
inline constexpr uint64_t kMaximumJsonLinesFileBytes = uint64_t{256} << 20;

// Invariants: `image` is relative, without `.`, `..` and empty parts; there is a candidate, none is blank or there
// twice; `answer` is below candidates.size().
struct JsonLine {
  std::string image;
  std::vector<std::string> candidates;
  size_t answer = 0;
};

// INVALID_ARGUMENT: BAD_JSON_LINE (no JSON object, a member that is unknown, missing, there twice or of a wrong type),
// INVALID_UTF8, LINE_TOO_LONG, BAD_IMAGE_PATH (absolute, with `..`, or no path of a file), EXAMPLE_WITHOUT_CANDIDATES,
// EMPTY_CANDIDATE, DUPLICATE_CANDIDATE, PROMPT_TOO_LONG (more than 8 KiB), ANSWER_NOT_A_CANDIDATE.
absl::StatusOr<JsonLine> ParseJsonLine(std::string_view line);

// Calls `visit` for each example of a file with this content, in order, with the number of its line, from 1. Errors:
// those of ParseJsonLine and of `visit`, with "line N: " before them.
absl::Status ForEachJsonLine(std::string_view content,
                             const std::function<absl::Status(int64_t line, JsonLine example)>& visit);

}  // namespace modelpatch::data
