#include "server/patch_names.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/support/status_matchers.h"

namespace modelpatch::server {
namespace {

using absl::StatusCode;
using testing::FailsWith;

TEST(PatchNamesTest, ANameMaySayWhichVersion) {
  ASSERT_OK_AND_ASSIGN(const PatchReference plain, ParsePatchName("patches/digits"));
  EXPECT_EQ(plain.id, "digits");
  EXPECT_FALSE(plain.has_selector());
  ASSERT_OK_AND_ASSIGN(const PatchReference version, ParsePatchName("patches/a.b_c-1@123456789"));
  EXPECT_EQ(version.id, "a.b_c-1");
  EXPECT_EQ(version.selector.version, 123'456'789);
  EXPECT_TRUE(version.has_selector());
  ASSERT_OK_AND_ASSIGN(const PatchReference alias, ParsePatchName("patches/digits@canary-2"));
  EXPECT_EQ(alias.selector.alias, "canary-2");
  EXPECT_TRUE(alias.has_selector());
  EXPECT_EQ(PatchVersionName("digits", 3), "patches/digits@3");
}

TEST(PatchNamesTest, RefusesOtherNames) {
  for (const char* bad : {"", "patches", "digits", "models/digits", "@3"}) {
    EXPECT_THAT(ParsePatchName(bad), FailsWith(StatusCode::kInvalidArgument, "BAD_RESOURCE_NAME")) << bad;
  }
  for (const char* bad : {"patches/", "patches/@3", "patches/..", "patches/a/b", "patches/A@3"}) {
    EXPECT_FALSE(ParsePatchName(bad).ok()) << bad;
  }
  for (const char* bad : {"patches/p@0", "patches/p@03", "patches/p@3x", "patches/p@1234567890", "patches/p@1.0"}) {
    EXPECT_THAT(ParsePatchName(bad), FailsWith(StatusCode::kInvalidArgument, "BAD_PATCH_VERSION")) << bad;
  }
  for (const std::string& bad : {std::string("patches/p@"), std::string("patches/p@-1"), std::string("patches/p@A"),
                                 std::string("patches/p@a@3"), std::string("patches/p@ä"),
                                 std::string("patches/p@a\0", 12), "patches/p@" + std::string(64, 'a')}) {
    EXPECT_THAT(ParsePatchName(bad), FailsWith(StatusCode::kInvalidArgument, "BAD_ALIAS")) << bad;
  }
}

}  // namespace
}  // namespace modelpatch::server
