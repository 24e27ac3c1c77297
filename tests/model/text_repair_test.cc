#include "core/model/text_repair.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/random.h"
#include "core/base/text.h"
#include "core/model/html_entities.h"
#include "core/model/text_normalizer.h"
#include "tests/support/status_matchers.h"

namespace modelpatch::model {
namespace {

std::string Repaired(std::string_view text) {
  const absl::StatusOr<std::string> result = RepairText(std::string(text));
  EXPECT_OK(result);
  return result.value_or("");
}

// The expected values of this file are the examples of ftfy's own documentation, or follow from its tables.
TEST(UnescapeCompleteHtmlTest, OnlyWhatIsUnambiguous) {
  EXPECT_EQ(UnescapeCompleteHtml("&lt;tag&gt;"), "<tag>");
  EXPECT_EQ(UnescapeCompleteHtml("&Jscr;ohn &HilbertSpace;ancock"), "𝒥ohn ℋancock");
  EXPECT_EQ(UnescapeCompleteHtml("&checkmark;"), "✓");
  EXPECT_EQ(UnescapeCompleteHtml("P&eacute;rez P&EACUTE;REZ"), "Pérez PÉREZ");
  EXPECT_EQ(UnescapeCompleteHtml("BUNDESSTRA&SZLIG;E"), "BUNDESSTRASSE");
  EXPECT_EQ(UnescapeCompleteHtml("&ntilde; &Ntilde; &NTILDE; &nTILDE;"), "ñ Ñ Ñ &nTILDE;");
  EXPECT_EQ(UnescapeCompleteHtml("this&not that &amp &ampx; &"), "this&not that &amp &ampx; &");
  EXPECT_EQ(UnescapeCompleteHtml("&#65;&#x42;&#67 &#65x; &#;"), "AB&#67 &#65x; &#;");
  EXPECT_EQ(UnescapeCompleteHtml("a&#1;b"), "ab") << "a control character is dropped";
  EXPECT_EQ(UnescapeCompleteHtml("&#59;"), "&#59;") << "the semicolon itself";
  EXPECT_EQ(UnescapeCompleteHtml("&LTIMES;"), "&LTIMES;") << "&LT means < already";
  EXPECT_EQ(UnescapeCompleteHtml("&amp&amp;"), "&amp&");
  EXPECT_EQ(UnescapeCompleteHtml("&CounterClockwiseContourIntegral;"), "&CounterClockwiseContourIntegral;")
      << "more than 24 characters";
}

TEST(RepairTextTest, QuotesLigaturesWidths) {
  EXPECT_EQ(Repaired("\u201chere\u2019s a test\u201d"), "\"here's a test\"");
  EXPECT_EQ(Repaired("\u2018\u2019\u201a\u201b\u02bc \u201c\u201d\u201e\u201f \u2039\u203a\u00ab\u00bb"),
            "''''' \"\"\"\" \u2039\u203a\u00ab\u00bb");
  EXPECT_EQ(Repaired("ﬂuﬃeﬆ"), "fluffiest");
  EXPECT_EQ(Repaired("Ĳ ĳ ŉ Ǳ ǲ ǳ Ǆ ǅ ǆ Ǉ ǈ ǉ Ǌ ǋ ǌ ﬀ ﬁ ﬂ ﬃ ﬄ ﬅ ﬆ"),
            "IJ ij 'n DZ Dz dz DŽ Dž dž LJ Lj lj NJ Nj nj ff fi fl ffi ffl ſt st");
  EXPECT_EQ(Repaired("æ œ Æ"), "æ œ Æ");
  EXPECT_EQ(Repaired("ＬＯＵＤ　ＮＯＩＳＥＳ"), "LOUD NOISES");
  EXPECT_EQ(Repaired("Ｕﾀｰﾝ"), "Uターン");
  EXPECT_EQ(Repaired("ﾊﾟ"), "パ") << "composed afterwards";
  EXPECT_EQ(Repaired("￡￦"), "£₩");
}

TEST(RepairTextTest, ControlCharacters) {
  EXPECT_EQ(Repaired("\x1b[36;44mI'm blue, da ba dee da ba doo...\x1b[0m"), "I'm blue, da ba dee da ba doo...");
  EXPECT_EQ(Repaired("\x1b[ \x1b[1?m"), "[ [1?m") << "no escape: only ESC goes";
  EXPECT_EQ(Repaired("\x1b[\x1b[0mm"), "[m") << "what an escape leaves behind begins no escape: ESC goes with it";
  EXPECT_EQ(Repaired(std::string_view("a\0b\x08\x0b\x0e\x1f\x7fz", 9)), "abz");
  EXPECT_EQ(Repaired("\ufeffa\u206a\u206f\ufff9\ufffcz"), "az");
  EXPECT_EQ(Repaired("a\tb\nc\u200d\u200e\u202d\ufffd\U000e0067"), "a\tb\nc\u200d\u200e\u202d\ufffd\U000e0067");
  EXPECT_EQ(Repaired("\u0080\u0085\u0093\u0081"), "€…\"\u0081") << "a C1 control is its byte in Windows-1252";
}

TEST(RepairTextTest, RepeatsUntilNothingChanges) {
  EXPECT_EQ(Repaired("&amp;amp;amp;"), "&");
  EXPECT_EQ(Repaired("＆ａｍｐ；"), "&") << "a full-width reference";
  EXPECT_EQ(Repaired("&am\x01p;#8217;"), "'");
  EXPECT_EQ(Repaired("e&#x301;"), "é");
}

TEST(RepairTextTest, AnOpeningBracketEndsTheReferences) {
  EXPECT_EQ(Repaired("<b>&amp;\u2019"), "<b>&amp;'");
  EXPECT_EQ(Repaired("&amp;\n<\n&amp;"), "&\n<\n&amp;") << "from its line on";
  EXPECT_EQ(Repaired("&lt;b&gt; &amp;"), "<b> &");
}

TEST(RepairTextTest, DeepNestingEnds) {
  std::string text = "&";
  for (int i = 0; i < 100'000; ++i) text += "amp;";
  const std::string repaired = Repaired(text);
  EXPECT_LT(repaired.size(), text.size());
  EXPECT_EQ(repaired.substr(0, 5), "&amp;") << "not to the end: that would be quadratic";
}

// Random texts of everything that is repaired.
TEST(RepairTextTest, TheResultIsValidAndStable) {
  const std::vector<std::string> parts = {
      "&",  "amp;", "lt;", "#", "x41;", "&#146;", "&EACUTE;", "\x1b[", "0m", "\x01", "\u2019", "ﬁ", "ŉ",     "Ａ",
      "＆", "；",   "ﾊ",   "ﾟ", "e",    "\u0301", "\u0092",   "\n",    "a",  " ",    "\ufeff", "ǆ", "\u3000"};
  for (uint64_t round = 0; round < 3000; ++round) {
    base::RandomStream random(1, "text repair", 0, round);
    std::string text;
    for (uint64_t i = 0, count = 1 + random.Below(12); i < count; ++i) text += parts[random.Below(parts.size())];
    const std::string repaired = Repaired(text);
    EXPECT_TRUE(base::IsValidUtf8(repaired));
    EXPECT_EQ(Repaired(repaired), repaired) << text;
  }
}

}  // namespace
}  // namespace modelpatch::model
