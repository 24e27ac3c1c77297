#include "server/class_lists.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "modelpatch/v1/resources.pb.h"
#include "tests/support/status_matchers.h"

namespace modelpatch::server {
namespace {

using absl::StatusCode;
using testing::FailsWith;

constexpr int64_t kPlenty = int64_t{1} << 20;

std::string Named(const std::vector<std::string>& names, const std::vector<std::string>& templates = {}) {
  v1::ClassPrompts message;
  for (const std::string& name : names) message.mutable_names()->add_class_names(name);
  for (const std::string& text : templates) message.mutable_names()->add_templates(text);
  return message.SerializeAsString();
}

std::string Prompted(const std::string& name, const std::string& prompt) {
  v1::ClassPrompts message;
  auto* one = message.mutable_prompted()->add_classes();
  one->set_name(name);
  one->add_prompts(prompt);
  return message.SerializeAsString();
}

TEST(ClassListsTest, WhatComesAgainIsTheListThatIsThere) {
  ClassLists lists({}, kPlenty);
  ASSERT_OK_AND_ASSIGN(const auto first, lists.Get(Named({"cat", "dog"}, {"a {c}.", "the {c}."})));
  EXPECT_EQ(first->names(), (std::vector<std::string>{"cat", "dog"}));
  EXPECT_EQ(first->classes()[1].prompts, (std::vector<std::string>{"a dog.", "the dog."}));
  ASSERT_OK_AND_ASSIGN(const auto second, lists.Get(Named({"cat", "dog"}, {"a {c}.", "the {c}."})));
  EXPECT_EQ(first, second);
  EXPECT_EQ(lists.statistics().hits, 1);
  EXPECT_EQ(lists.statistics().misses, 1);
}

TEST(ClassListsTest, AnotherOrderIsAnotherList) {
  ClassLists lists({}, kPlenty);
  ASSERT_OK(lists.Get(Named({"cat", "dog"})));
  ASSERT_OK_AND_ASSIGN(const auto reversed, lists.Get(Named({"dog", "cat"})));
  EXPECT_EQ(reversed->names(), (std::vector<std::string>{"dog", "cat"}));
}

TEST(ClassListsTest, NoFormIsTakenForAnother) {
  ClassLists lists({}, kPlenty);
  ASSERT_OK_AND_ASSIGN(const auto bare, lists.Get(Named({"cat"})));
  ASSERT_OK_AND_ASSIGN(const auto in_template, lists.Get(Named({"cat"}, {"a {c}"})));
  // A template for a name, and a name for a template.
  ASSERT_OK_AND_ASSIGN(const auto two_names, lists.Get(Named({"cat", "a {c}"})));
  ASSERT_OK_AND_ASSIGN(const auto prompted, lists.Get(Prompted("cat", "a cat")));
  ASSERT_OK_AND_ASSIGN(const auto other_prompt, lists.Get(Prompted("cat", "my cat")));
  EXPECT_EQ(lists.statistics().misses, 5);
  EXPECT_EQ(bare->classes()[0].prompts[0], "cat");
  EXPECT_EQ(two_names->names().size(), 2u);
  EXPECT_EQ(other_prompt->classes()[0].prompts[0], "my cat");
  // What is the same in the end shares a zero-shot head.
  EXPECT_EQ(in_template->digest(), prompted->digest());
  EXPECT_NE(in_template->digest(), bare->digest());
  EXPECT_NE(prompted->digest(), other_prompt->digest());
}

TEST(ClassListsTest, RefusesWithReasonAndFieldEachTime) {
  ClassLists lists({}, kPlenty);
  for (int round = 0; round < 2; ++round) {
    const absl::Status duplicate = lists.Get(Named({"cat", "cat"})).status();
    EXPECT_THAT(duplicate, FailsWith(StatusCode::kInvalidArgument, "DUPLICATE_CLASS_NAME"));
    EXPECT_EQ(base::FieldOf(duplicate), "names.class_names[1]");
    EXPECT_THAT(lists.Get(""), FailsWith(StatusCode::kInvalidArgument, "NO_CLASSES"));
    EXPECT_THAT(lists.Get("\xff\xff"), FailsWith(StatusCode::kInvalidArgument, "MALFORMED_REQUEST"));
  }
  EXPECT_EQ(lists.statistics().bytes, 0);
  EXPECT_THAT(ClassLists({.maximum_classes = 1}, kPlenty).Get(Named({"cat", "dog"})),
              FailsWith(StatusCode::kInvalidArgument, "TOO_MANY_CLASSES"));
}

TEST(ClassListsTest, HoldsNoMoreThanItMay) {
  constexpr int64_t kBytes = 20'000;
  ClassLists lists({}, kBytes);
  const std::string kept = Named({"cat", "dog"});
  for (int i = 0; i < 200; ++i) {
    ASSERT_OK(lists.Get(kept));
    ASSERT_OK(lists.Get(Named({fmt::format("a thing with a long name, number {}", i), "another thing"})));
    EXPECT_LE(lists.statistics().bytes, kBytes);
  }
  // What is used is kept.
  EXPECT_EQ(lists.statistics().hits, 199);
  std::vector<std::string> many;
  for (int i = 0; i < 1000; ++i) many.push_back(fmt::format("thing {}", i));
  ASSERT_OK_AND_ASSIGN(const auto large, lists.Get(Named(many)));
  EXPECT_EQ(large->names(), many);
  EXPECT_LE(lists.statistics().bytes, kBytes);
}

}  // namespace
}  // namespace modelpatch::server
