#include "client/cli/merge_options.h"

#include <gtest/gtest.h>

#include <CLI/CLI.hpp>
#include <vector>

namespace modelpatch::client {
namespace {

// What the options make of a command line.
absl::StatusOr<std::optional<v1::Merge>> Parse(const std::vector<std::string>& arguments) {
  CLI::App app;
  MergeArguments options;
  AddMergeOptions(app, options);
  // CLI11 takes them from the end.
  app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
  return MergeOf(options);
}

v1::Merge Parsed(const std::vector<std::string>& arguments) {
  const auto merge = Parse(arguments);
  EXPECT_TRUE(merge.ok()) << merge.status();
  return merge->value_or(v1::Merge());
}

TEST(MergeOptionsTest, WithoutAMethodThereIsNoMerge) {
  const auto merge = Parse({});
  ASSERT_TRUE(merge.ok());
  EXPECT_FALSE(merge->has_value());
}

TEST(MergeOptionsTest, EachMethodTakesItsOwnOptions) {
  EXPECT_EQ(Parsed({"--merge", "ties", "--density", "0.5"}).ties().density(), 0.5);
  EXPECT_FALSE(Parsed({"--merge", "ties"}).ties().has_density()) << "the server has the default";
  const v1::Merge dare = Parsed({"--merge", "dare", "--drop-rate", "0.75", "--merge-seed", "9"});
  EXPECT_EQ(dare.dare().drop_rate(), 0.75);
  EXPECT_EQ(dare.dare().seed(), 9);
  EXPECT_EQ(Parsed({"--merge", "fisher", "--fisher-examples", "50"}).fisher().examples(), 50);
  EXPECT_TRUE(Parsed({"--merge", "slerp"}).has_slerp());
  EXPECT_TRUE(Parsed({"--merge", "task-arithmetic"}).has_task_arithmetic());
}

TEST(MergeOptionsTest, OptionsOfAnotherMethodAreRefused) {
  for (const std::vector<std::string>& arguments : {std::vector<std::string>{"--density", "0.5"},
                                                    {"--merge", "dare", "--density", "0.5"},
                                                    {"--merge", "ties", "--drop-rate", "0.5"},
                                                    {"--merge", "ties", "--merge-seed", "1"},
                                                    {"--merge", "slerp", "--fisher-examples", "5"}}) {
    EXPECT_EQ(Parse(arguments).status().code(), absl::StatusCode::kInvalidArgument) << arguments[0];
  }
  EXPECT_THROW((void)Parse({"--merge", "average"}), CLI::ParseError);
}

TEST(MergeOptionsTest, ATextForEachMethod) {
  EXPECT_EQ(MergeText(Parsed({"--merge", "ties", "--density", "0.5"})), "ties (density 0.5)");
  EXPECT_EQ(MergeText(Parsed({"--merge", "dare", "--drop-rate", "0.75", "--merge-seed", "9"})),
            "dare (drop rate 0.75, seed 9)");
  EXPECT_EQ(MergeText(Parsed({"--merge", "slerp"})), "slerp");
  EXPECT_EQ(MergeText(v1::Merge()), "");
}

}  // namespace
}  // namespace modelpatch::client
