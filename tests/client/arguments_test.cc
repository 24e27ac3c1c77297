#include "client/cli/arguments.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/test_data.h"

namespace modelpatch::client {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(ParseAlphasTest, RangesHoldBothEndsAndRoundNumbers) {
  const auto alphas = ParseAlphas("0:1:0.05");
  ASSERT_TRUE(alphas.ok());
  ASSERT_EQ(alphas->size(), 21u);
  EXPECT_EQ(alphas->front(), 0.0);
  EXPECT_EQ((*alphas)[3], 0.15);
  EXPECT_EQ((*alphas)[7], 0.35);
  EXPECT_EQ(alphas->back(), 1.0);
}

TEST(ParseAlphasTest, RangesStopBeforeTheEndIfTheStepMissesIt) {
  EXPECT_THAT(*ParseAlphas("0:1:0.4"), ElementsAre(0, 0.4, 0.8));
  EXPECT_THAT(*ParseAlphas("0.5:0.5:1"), ElementsAre(0.5));
}

TEST(ParseAlphasTest, ListsKeepTheirOrder) {
  EXPECT_THAT(*ParseAlphas("1,0,0.25"), ElementsAre(1, 0, 0.25));
  EXPECT_THAT(*ParseAlphas("0.7"), ElementsAre(0.7));
}

TEST(ParseAlphasTest, RefusesWhatIsNoList) {
  for (const char* text :
       {"", "a", "0,,1", "0:1", "0:1:0", "0:1:-0.1", "1:0:0.1", "0:1:0.1:2", "nan", "0:inf:1", "0:1:1e-9"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(ParseAlphas(text).status())) << text;
  }
  EXPECT_THAT(std::string(ParseAlphas("0,x,1").status().message()), HasSubstr("'x'"));
}

TEST(ParseTermTest, TakesACheckpointAndACoefficient) {
  const auto term = ParseTerm("my-digits=0.25");
  ASSERT_TRUE(term.ok());
  EXPECT_EQ(term->checkpoint(), "checkpoints/my-digits");
  EXPECT_EQ(term->coefficient(), 0.25);
  EXPECT_EQ(ParseTerm("checkpoints/c=-1")->checkpoint(), "checkpoints/c");
  for (const char* text : {"c", "=0.5", "c=", "c=x", "c=nan"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(ParseTerm(text).status())) << text;
  }
}

TEST(ParseBudgetTest, TakesATaskAndPoints) {
  const auto budget = ParseBudget("imagenet=0.5");
  ASSERT_TRUE(budget.ok());
  EXPECT_EQ(budget->task(), "tasks/imagenet");
  EXPECT_EQ(budget->epsilon_points(), 0.5);
  for (const char* text : {"t", "=0.5", "t=", "t=x"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(ParseBudget(text).status())) << text;
  }
}

TEST(ParseClassPartTest, TakesAPartAndHowManyThereAre) {
  const auto partition = ParseClassPart("1/10");
  ASSERT_TRUE(partition.ok());
  EXPECT_EQ(partition->part(), 1);
  EXPECT_EQ(partition->parts(), 10);
  for (const char* text : {"", "1", "/", "1/", "/2", "a/2", "0/2/3", "0/99999999999", "0.5/2"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(ParseClassPart(text).status())) << text;
  }
}

TEST(ResourceNameTest, AddsTheCollectionToAnIdOnly) {
  EXPECT_EQ(ResourceName("models", "m"), "models/m");
  EXPECT_EQ(ResourceName("models", "models/m"), "models/m");
  EXPECT_EQ(ShortName("models/m"), "m");
  EXPECT_EQ(ShortName("m"), "m");
}

TEST(ReadFileTest, ReadsBytesAndNamesWhatIsMissing) {
  const modelpatch::testing::ScratchDirectory scratch;
  const std::string content("a\0b\n", 4);
  modelpatch::testing::WriteTestFile(scratch.Path("f"), content);
  EXPECT_EQ(*ReadFile(scratch.Path("f")), content);
  EXPECT_THAT(std::string(ReadFile(scratch.Path("none")).status().message()), HasSubstr("none"));
  EXPECT_FALSE(ReadFile(scratch.path()).ok());
}

}  // namespace
}  // namespace modelpatch::client
