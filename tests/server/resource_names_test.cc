#include "server/resource_names.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/support/status_matchers.h"

namespace modelpatch::server {
namespace {

using absl::StatusCode;
using testing::FailsWith;

TEST(ResourceNamesTest, ParsesWhatItFormats) {
  for (const std::string_view collection : {kModels, kTasks, kCheckpoints, kPatchJobs}) {
    const std::string name = ResourceName(collection, "vit-b-32.v1_x");
    ASSERT_OK_AND_ASSIGN(const std::string id, ParseResourceName(collection, name));
    EXPECT_EQ(id, "vit-b-32.v1_x");
  }
  EXPECT_EQ(ResourceName(kPatchJobs, "j"), "patchJobs/j");
  EXPECT_EQ(ResourceName(kPatchJobs, ""), "");
}

TEST(ResourceNamesTest, RefusesOtherCollectionsAndNoCollection) {
  for (const std::string name : {"", "x", "models", "tasks/x", "modelsx/y", "MODELS/x", "/models/x"}) {
    EXPECT_THAT(ParseResourceName(kModels, name), FailsWith(StatusCode::kInvalidArgument, "BAD_RESOURCE_NAME")) << name;
  }
}

TEST(ResourceNamesTest, RefusesIdsThatCouldBePathsOrAreTooLong) {
  for (const std::string& id :
       {std::string(""), std::string("a/b"), std::string(".."), std::string("../x"), std::string("a\0b", 3),
        std::string("Upper"), std::string("a b"), std::string(10'000, 'a'), std::string("é")}) {
    EXPECT_THAT(ParseResourceName(kModels, "models/" + id), FailsWith(StatusCode::kInvalidArgument, "BAD_RESOURCE_ID"));
  }
}

TEST(ResourceNamesTest, RequestIdsAreShortUtf8) {
  EXPECT_OK(CheckRequestId(""));
  EXPECT_OK(CheckRequestId(std::string(128, 'r')));
  EXPECT_THAT(CheckRequestId(std::string(129, 'r')), FailsWith(StatusCode::kInvalidArgument, "BAD_REQUEST_ID"));
  EXPECT_THAT(CheckRequestId("\xff"), FailsWith(StatusCode::kInvalidArgument, "BAD_REQUEST_ID"));
}

}  // namespace
}  // namespace modelpatch::server
