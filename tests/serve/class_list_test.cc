#include "core/serve/class_list.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

namespace modelpatch::serve {
namespace {

using Classes = std::vector<model::ClassPrompts>;

std::string DigestOf(Classes classes) { return ClassList(std::move(classes)).digest(); }

TEST(ClassListTest, EqualListsHaveOneDigestWhateverTheyWereMadeOf) {
  const Classes classes = {{"cat", {"a cat", "the cat"}}, {"dog", {"a dog"}}};
  EXPECT_EQ(DigestOf(classes), DigestOf(Classes(classes)));
  EXPECT_EQ(ClassList(classes).names(), (std::vector<std::string>{"cat", "dog"}));
}

TEST(ClassListTest, ListsThatDifferInAnythingHaveDifferentDigests) {
  const std::vector<Classes> lists = {
      {{"cat", {"a cat"}}, {"dog", {"a dog"}}},
      {{"dog", {"a dog"}}, {"cat", {"a cat"}}},    // the order
      {{"cat", {"a dog"}}, {"dog", {"a cat"}}},    // whose prompt is whose
      {{"cat", {"a cat", "a dog"}}, {"dog", {}}},  // where a prompt belongs
      {{"cat", {"a cata dog"}}, {"dog", {""}}},    // where a text ends
      {{"cata", {" cat"}}, {"dog", {"a dog"}}},
      {{"cat", {"a cat"}}, {"dog", {"a dog", ""}}},
      {{"cat", {"a cat"}}},
      {},
  };
  std::set<std::string> digests;
  for (const Classes& list : lists) digests.insert(DigestOf(list));
  EXPECT_EQ(digests.size(), lists.size());
}

TEST(ClassListTest, ALongListHasTheDigestOfItsContent) {
  Classes classes;
  for (int i = 0; i < 20'000; ++i) classes.push_back({fmt::format("thing {}", i), {std::string(20, 'x')}});
  const std::string digest = DigestOf(classes);
  EXPECT_EQ(DigestOf(classes), digest);
  classes.back().prompts[0].back() = 'y';
  EXPECT_NE(DigestOf(classes), digest);
}

TEST(ClassListTest, CountsTheBytesOfItsTexts) {
  const ClassList small(Classes{{"cat", {"a cat"}}});
  const ClassList large(Classes{{"cat", {"a cat"}}, {std::string(1000, 'n'), {std::string(5000, 'p')}}});
  EXPECT_GE(small.bytes(), static_cast<int64_t>(sizeof(ClassList)));
  // A name is there twice.
  EXPECT_GE(large.bytes(), small.bytes() + 2 * 1000 + 5000);
}

}  // namespace
}  // namespace modelpatch::serve
