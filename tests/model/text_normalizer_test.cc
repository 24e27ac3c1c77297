#include "core/model/text_normalizer.h"

#include <cstdint>
#include <string>

#include "core/data/white_space.h"
#include "core/model/html_entities.h"
#include "core/model/pre_tokenizer.h"
#include "tests/support/status_matchers.h"

namespace modelpatch::model {
namespace {

using ::modelpatch::testing::FailsWith;
using ::testing::ElementsAre;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

std::string Normalized(std::string_view text) {
  const absl::StatusOr<std::string> result = NormalizeText(text);
  EXPECT_OK(result);
  return result.value_or("");
}

// In UTF-8; `c` is below U+10000.
std::string Encoded(uint32_t c) {
  const auto tail = [c](int shift) { return static_cast<char>(0x80 | (c >> shift & 0x3f)); };
  if (c < 0x80) return std::string(1, static_cast<char>(c));
  if (c < 0x800) return std::string{static_cast<char>(0xc0 | c >> 6), tail(0)};
  return std::string{static_cast<char>(0xe0 | c >> 12), tail(6), tail(0)};
}

std::vector<std::string> Words(std::string_view text) {
  PreTokenizer splitter(text);
  std::vector<std::string> words;
  while (const auto word = splitter.Next()) words.emplace_back(*word);
  return words;
}

// The expected values of the next two tests are those of Python's html.unescape.
TEST(UnescapeHtmlTest, Named) {
  EXPECT_EQ(UnescapeHtml("a &amp; b &lt;&gt; &quot;"), "a & b <> \"");
  EXPECT_EQ(UnescapeHtml("&eacute;&Eacute;&EACUTE;"), "éÉ&EACUTE;");
  EXPECT_EQ(UnescapeHtml("&eacute &ampx &notit; &notin; &notinva;"), "é &x ¬it; ∉ ∉");
  EXPECT_EQ(UnescapeHtml("&hellip &hellip;"), "&hellip …") << "needs its semicolon";
  EXPECT_EQ(UnescapeHtml("&NotEqualTilde;&fjlig;"), "≂̸fj");
  EXPECT_EQ(UnescapeHtml("&CounterClockwiseContourIntegral;"), "∳");
  EXPECT_EQ(UnescapeHtml("& && &; &x; &nothing"), "& && &; &x; ¬hing");
  EXPECT_EQ(UnescapeHtml("&amp;amp;"), "&amp;") << "once";
  EXPECT_EQ(UnescapeHtml("&zwnj;&AElig&aelig;&zwj;"), "\u200cÆæ\u200d") << "the ends of the table";
  EXPECT_EQ(UnescapeHtml("&"), "&");
  EXPECT_EQ(UnescapeHtml(""), "");
}

TEST(UnescapeHtmlTest, Numeric) {
  EXPECT_EQ(UnescapeHtml("&#65;&#65&#x41;&#X41 &#128512;"), "AAAA 😀");
  EXPECT_EQ(UnescapeHtml("&#150;&#x80;&#x9F;"), "–€Ÿ") << "C1 controls are Windows-1252";
  EXPECT_EQ(UnescapeHtml("&#x81;"), "\u0081") << "a byte that Windows-1252 leaves open";
  EXPECT_EQ(UnescapeHtml("&#0;&#xD800;&#x110000;&#99999999999999999999999;"), "\ufffd\ufffd\ufffd\ufffd");
  EXPECT_EQ(UnescapeHtml("a&#1;&#127;&#xfdd0;&#x1fffe;&#xb;b"), "ab") << "controls and non-characters are dropped";
  EXPECT_EQ(UnescapeHtml("&#9;&#10;&#12;&#13;"), "\t\n\f\r");
  EXPECT_EQ(UnescapeHtml("&#; &#x; &#xg; &#"), "&#; &#x; &#xg; &#");
}

TEST(NormalizeTextTest, WhiteSpace) {
  EXPECT_EQ(Normalized("  a\t\r\n b\u2003\u2029c\u00a0 "), "a b c");
  EXPECT_EQ(Normalized(" \t\r\n\u3000"), "");
  EXPECT_EQ(Normalized(""), "");
  EXPECT_EQ(Normalized("a\u200bb"), "a\u200bb") << "a zero-width space is no white space";
}

TEST(NormalizeTextTest, WhatIsBlankIsStrippedAndNothingElse) {
  for (uint32_t c = 0; c < 0x10000; ++c) {
    if (c >= 0xd800 && c < 0xe000) continue;
    const std::string text = Encoded(c) + Encoded(c);
    EXPECT_EQ(data::IsBlank(text), Normalized(text).empty()) << "code point " << c;
  }
  EXPECT_TRUE(data::IsBlank(""));
  EXPECT_FALSE(data::IsBlank("\u3000x\u3000"));
}

TEST(NormalizeTextTest, LowerCaseIsUnicodes) {
  EXPECT_EQ(Normalized("HELLO World"), "hello world");
  EXPECT_EQ(Normalized("ПРИВЕТ ÀÉ"), "привет àé");
  EXPECT_EQ(Normalized("ΟΔΟΣ ΣΑΣ Σ"), "οδος σας σ") << "final sigma";
  EXPECT_EQ(Normalized("İstanbul"), "i\u0307stanbul");
  EXPECT_EQ(Normalized("STRASSE Straße ẞ"), "strasse straße ß");
  EXPECT_EQ(Normalized("Ⅳ"), "ⅳ");
}

TEST(NormalizeTextTest, ComposesAndUnescapesInTheReferencesOrder) {
  EXPECT_EQ(Normalized("cafe\u0301"), "café");
  EXPECT_EQ(Normalized("e&#x301;"), "é") << "resolved, then composed";
  EXPECT_EQ(Normalized("<e&#x301;"), "<e\u0301") << "a '<' makes the reference compose before";
  EXPECT_EQ(Normalized("&amp;lt;B&amp;gt;"), "<b>") << "twice";
  EXPECT_EQ(Normalized("&EACUTE; &Eacute &EACUTE"), "é é &eacute") << "lower case comes last";
}

TEST(NormalizeTextTest, RefusesWhatIsNotUtf8OrEndless) {
  EXPECT_THAT(NormalizeText("\xff"), FailsWith(kInvalid, "TEXT_NOT_UTF8"));
  EXPECT_THAT(NormalizeText("a\xed\xa0\x80"), FailsWith(kInvalid, "TEXT_NOT_UTF8"));
  EXPECT_THAT(NormalizeText(std::string(kMaximumTextBytes + 1, 'a')), FailsWith(kInvalid, "TEXT_TOO_LONG"));
}

TEST(PreTokenizerTest, SplitsAsTheReference) {
  EXPECT_THAT(Words("a photo of 2012, it's"), ElementsAre("a", "photo", "of", "2", "0", "1", "2", ",", "it", "'s"));
  EXPECT_THAT(Words("they're we've i'm we'll i'd don't"),
              ElementsAre("they", "'re", "we", "'ve", "i", "'m", "we", "'ll", "i", "'d", "don", "'t"));
  EXPECT_THAT(Words("'tree ''s 'x"), ElementsAre("'t", "ree", "''", "s", "'", "x"));
  EXPECT_THAT(Words("x² ½ १२"), ElementsAre("x", "²", "½", "१", "२"));
  EXPECT_THAT(Words("a\u0301b"), ElementsAre("a", "\u0301", "b")) << "a combining mark is no letter";
  EXPECT_THAT(Words("<|startoftext|>a<|endoftext|>"), ElementsAre("<|startoftext|>", "a", "<|endoftext|>"));
  EXPECT_THAT(Words("!<|endoftext|>"), ElementsAre("!<|", "endoftext", "|>"));
  EXPECT_THAT(Words("<|endoftext|"), ElementsAre("<|", "endoftext", "|"));
  EXPECT_THAT(Words("  "), ElementsAre());
}

}  // namespace
}  // namespace modelpatch::model
