// Any bytes as examples with candidates of their own: refused with the line, or examples that keep what they promise.
#include <cstddef>
#include <cstdint>
#include <set>
#include <string>

#include "core/base/text.h"
#include "core/data/json_lines.h"
#include "tests/fuzz/require.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace modelpatch;
  using fuzz::Require;
  int64_t last = 0;
  const auto check = [&last](int64_t line, const data::JsonLine& example) {
    Require(line > last, "lines are counted up");
    last = line;
    Require(!example.image.empty() && example.image[0] != '/', "an image is named relative to the file");
    std::string parts(1, '/');
    parts.append(example.image).push_back('/');
    Require(parts.find("/../") == std::string::npos && parts.find("/./") == std::string::npos &&
                parts.find("//") == std::string::npos,
            "an image lies below the file's directory");
    Require(parts.find('\0') == std::string::npos, "a path can be opened");
    Require(example.answer < example.candidates.size(), "the answer is a candidate");
    const std::set<std::string> distinct(example.candidates.begin(), example.candidates.end());
    Require(distinct.size() == example.candidates.size(), "no candidate is there twice");
    for (const std::string& text : distinct) Require(!text.empty() && base::IsValidUtf8(text), "a candidate is a text");
    return absl::OkStatus();
  };
  const absl::Status status = data::ForEachJsonLine({reinterpret_cast<const char*>(data), size}, check);
  if (status.ok()) return 0;
  Require(status.code() == absl::StatusCode::kInvalidArgument, "it is the client's error");
  Require(!base::ReasonOf(status).empty(), "an error has a reason");
  Require(std::string(status.message()).starts_with("line "), "an error names its line");
  return 0;
}
