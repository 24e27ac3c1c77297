#include "core/base/text.h"

#include "tests/support/status_matchers.h"

namespace modelpatch::base {
namespace {

TEST(TextTest, KnowsUtf8) {
  for (const char* good : {"", "plain", "naïve", "你好", "\xf0\x9f\x90\xb6", "\xf4\x8f\xbf\xbf"}) {
    EXPECT_TRUE(IsValidUtf8(good)) << good;
  }
  for (const char* bad : {"\x80", "\xc0\xaf", "\xc3", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xff"}) {
    EXPECT_FALSE(IsValidUtf8(bad)) << Printable(bad);
  }
}

TEST(TextTest, ResourceIds) {
  for (const char* good : {"a", "clip-vit-b-32", "mnist.v2", "0_1"}) EXPECT_OK(CheckResourceId(good));
  const std::string long_id(10'000, 'a');
  for (const std::string& bad : {std::string(), std::string(".."), std::string("a/b"), std::string("a\0b", 3),
                                 std::string("Upper"), std::string(".hidden"), long_id, std::string("ä")}) {
    EXPECT_THAT(CheckResourceId(bad), testing::FailsWith(absl::StatusCode::kInvalidArgument, "BAD_RESOURCE_ID"));
  }
}

TEST(TextTest, PrintableEscapesAndCuts) {
  EXPECT_EQ(Printable(std::string("a\0\n", 3)), "a\\x00\\x0a");
  EXPECT_LT(Printable(std::string(10'000, 'x')).size(), 100u);
}

}  // namespace
}  // namespace modelpatch::base
