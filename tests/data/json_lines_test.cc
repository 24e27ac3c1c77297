#include "core/data/json_lines.h"

#include <fmt/format.h>

#include "core/data/prompt_templates.h"
#include "tests/support/status_matchers.h"

namespace modelpatch::data {
namespace {

using ::modelpatch::testing::FailsWith;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

std::string Line(const std::string& image, const std::string& candidates, const std::string& answer) {
  return fmt::format("{{\"image\": {}, \"candidates\": {}, \"answer\": {}}}", image, candidates, answer);
}

// As JSON, for a text that needs no escapes.
std::string Quoted(const std::string& text) { return fmt::format("\"{}\"", text); }

TEST(JsonLine, TakesTheAnswerByIndexOrText) {
  ASSERT_OK_AND_ASSIGN(const JsonLine by_index, ParseJsonLine(Line(R"("a/1.png")", R"(["cat", "dog"])", "1")));
  EXPECT_EQ(by_index.image, "a/1.png");
  EXPECT_THAT(by_index.candidates, ElementsAre("cat", "dog"));
  EXPECT_EQ(by_index.answer, 1u);
  ASSERT_OK_AND_ASSIGN(const JsonLine by_text, ParseJsonLine(Line(R"("1.png")", R"(["1", "0"])", R"("0")")));
  EXPECT_EQ(by_text.answer, 1u);
  ASSERT_OK_AND_ASSIGN(const JsonLine alone,
                       ParseJsonLine(Line(R"("1.png")", R"(["\u00e9t\u00e9"])", "\"\u00e9t\u00e9\"")));
  EXPECT_EQ(alone.answer, 0u);
}

TEST(JsonLine, FoldsPathsThatStayBelow) {
  for (const char* path : {"a/b.png", "./a/b.png", "a//b.png", "a/./b.png"}) {
    ASSERT_OK_AND_ASSIGN(const JsonLine line, ParseJsonLine(Line(Quoted(path), R"(["x"])", "0")));
    EXPECT_EQ(line.image, "a/b.png");
  }
  EXPECT_OK(ParseJsonLine(Line(R"("..png")", R"(["x"])", "0")));
}

TEST(JsonLine, RefusesPathsThatLeaveTheDirectory) {
  for (const char* path :
       {"/etc/passwd", "../a.png", "a/../../b.png", "a/..", "..", "", ".", "./", "a/", "a\\u0000.png", "//a.png"}) {
    EXPECT_THAT(ParseJsonLine(Line(Quoted(path), R"(["x"])", "0")), FailsWith(kInvalid, "BAD_IMAGE_PATH")) << path;
  }
  EXPECT_THAT(ParseJsonLine(Line(Quoted(std::string(5000, 'a')), R"(["x"])", "0")),
              FailsWith(kInvalid, "BAD_IMAGE_PATH"));
}

TEST(JsonLine, RefusesCandidatesThatAreNone) {
  const auto refused = [](const std::string& candidates, const std::string& reason) {
    EXPECT_THAT(ParseJsonLine(Line(R"("1.png")", candidates, "0")), FailsWith(kInvalid, reason)) << candidates;
  };
  refused("[]", "EXAMPLE_WITHOUT_CANDIDATES");
  EXPECT_THAT(ParseJsonLine(R"({"image": "1.png", "answer": 0})"), FailsWith(kInvalid, "EXAMPLE_WITHOUT_CANDIDATES"));
  refused(R"("cat")", "BAD_JSON_LINE");
  refused("null", "BAD_JSON_LINE");
  refused(R"(["cat", 1])", "BAD_JSON_LINE");
  refused(R"(["cat", ""])", "EMPTY_CANDIDATE");
  refused(R"(["cat", " \u3000"])", "EMPTY_CANDIDATE");
  refused(R"(["cat", "dog", "cat"])", "DUPLICATE_CANDIDATE");
  refused(R"(["cat", "c\u0061t"])", "DUPLICATE_CANDIDATE");
  refused(fmt::format("[{}]", Quoted(std::string(kMaximumPromptBytes + 1, 'x'))), "PROMPT_TOO_LONG");
}

TEST(JsonLine, RefusesAnswersThatAreNoCandidate) {
  for (const char* answer : {"2", "-1", "18446744073709551615", R"("cow")", R"("CAT")", R"("")"}) {
    EXPECT_THAT(ParseJsonLine(Line(R"("1.png")", R"(["cat", "dog"])", answer)),
                FailsWith(kInvalid, "ANSWER_NOT_A_CANDIDATE"))
        << answer;
  }
  for (const char* answer : {"null", "true", "0.0", "[0]", "1e300", "18446744073709551616"}) {
    EXPECT_THAT(ParseJsonLine(Line(R"("1.png")", R"(["cat", "dog"])", answer)), FailsWith(kInvalid, "BAD_JSON_LINE"))
        << answer;
  }
}

TEST(JsonLine, RefusesWhatIsNoExample) {
  const std::string good = Line(R"("1.png")", R"(["cat"])", "0");
  for (const std::string& line :
       {std::string("nonsense"), std::string("[]"), std::string("1"), good + good, good.substr(0, good.size() - 1),
        std::string(R"({"candidates": ["cat"], "answer": 0})"),
        std::string(R"({"image": "1.png", "candidates": ["cat"]})"),
        std::string(R"({"image": 1, "candidates": ["cat"], "answer": 0})"),
        std::string(R"({"image": "1.png", "candidates": ["cat"], "answer": 0, "question": "?"})"),
        std::string(R"({"image": "1.png", "candidates": ["cat"], "answer": 0, "answer": 0})"),
        std::string(500'000, '[')}) {
    EXPECT_THAT(ParseJsonLine(line), FailsWith(kInvalid, "BAD_JSON_LINE")) << line.substr(0, 100);
  }
  EXPECT_THAT(ParseJsonLine(Line(R"("1.png")", "[\"\xff\"]", "0")), FailsWith(kInvalid, "INVALID_UTF8"));
  EXPECT_THAT(ParseJsonLine(good + std::string(kMaximumJsonLineBytes, ' ')), FailsWith(kInvalid, "LINE_TOO_LONG"));
}

TEST(JsonLines, ErrorsNameTheLine) {
  const std::string good = Line(R"("1.png")", R"(["cat"])", "0");
  std::vector<int64_t> lines;
  const auto visit = [&lines](int64_t line, const JsonLine&) {
    lines.push_back(line);
    return line < 9 ? absl::OkStatus() : base::InvalidArgument("ENOUGH", "enough");
  };
  EXPECT_OK(ForEachJsonLine(std::string("\ufeff") + good + "\r\n\n  \t\n" + good + "\n\n", visit));
  EXPECT_THAT(lines, ElementsAre(1, 4));
  const absl::Status bad = ForEachJsonLine(good + "\n\n" + "bad\n" + good, visit);
  EXPECT_THAT(bad, FailsWith(kInvalid, "BAD_JSON_LINE"));
  EXPECT_THAT(std::string(bad.message()), HasSubstr("line 3: 'bad'"));
  const absl::Status stopped = ForEachJsonLine(std::string(8, '\n') + good, visit);
  EXPECT_THAT(stopped, FailsWith(kInvalid, "ENOUGH"));
  EXPECT_THAT(std::string(stopped.message()), HasSubstr("line 9: enough"));
  EXPECT_OK(ForEachJsonLine("", visit));
}

}  // namespace
}  // namespace modelpatch::data
