#include "core/data/prompt_templates.h"

#include <set>

#include "tests/support/status_matchers.h"

namespace modelpatch::data {
namespace {

using ::modelpatch::testing::FailsWith;
using ::testing::ElementsAre;
constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

TEST(BuiltinTemplates, AreTheReferences) {
  const std::pair<const char*, size_t> counts[] = {
      {"cars", 8},    {"cifar10", 18},  {"cifar100", 18}, {"dtd", 8},       {"eurosat", 3}, {"fashionmnist", 8},
      {"fer2013", 6}, {"food101", 1},   {"gtsrb", 3},     {"imagenet", 80}, {"kitti", 1},   {"mnist", 1},
      {"mtsd", 3},    {"resisc45", 18}, {"stl10", 2},     {"sun397", 2},    {"svhn", 1},
  };
  EXPECT_EQ(BuiltinNames().size(), std::size(counts));
  for (const auto& [name, count] : counts) {
    const auto templates = BuiltinTemplates(name);
    ASSERT_TRUE(templates.has_value()) << name;
    EXPECT_EQ(templates->size(), count) << name;
    for (const std::string_view text : *templates) EXPECT_NE(text.find("{c}"), text.npos) << text;
  }
  EXPECT_EQ(BuiltinTemplates("mnist")->front(), "a photo of the number: \"{c}\".");
  EXPECT_EQ(BuiltinTemplates("gtsrb")->front(), "a zoomed in photo of a \"{c}\" traffic sign.");
  EXPECT_EQ(BuiltinTemplates("kitti")->front(), "{c}");
}

TEST(BuiltinTemplates, NamesAreReadLeniently) {
  for (const char* name : {"CIFAR10", "Cifar-10", "cifar_10", "CIFAR 10"}) EXPECT_TRUE(BuiltinTemplates(name)) << name;
  EXPECT_FALSE(BuiltinTemplates("cifar"));
  EXPECT_FALSE(BuiltinTemplates(""));
}

TEST(BuiltinClassNames, AreTheReferences) {
  const std::pair<const char*, size_t> counts[] = {
      {"cars", 196},    {"cifar10", 10},  {"cifar100", 100}, {"dtd", 47},        {"eurosat", 10}, {"fashionmnist", 10},
      {"fer2013", 7},   {"food101", 101}, {"gtsrb", 43},     {"imagenet", 1000}, {"kitti", 4},    {"mnist", 10},
      {"resisc45", 45}, {"stl10", 10},    {"sun397", 397},   {"svhn", 10},
  };
  for (const auto& [name, count] : counts) {
    const auto names = BuiltinClassNames(name);
    ASSERT_TRUE(names.has_value()) << name;
    EXPECT_EQ(names->size(), count) << name;
    const size_t distinct = std::set<std::string_view>(names->begin(), names->end()).size();
    EXPECT_EQ(distinct, std::string_view(name) == "imagenet" ? 998 : count) << name;
  }
  EXPECT_FALSE(BuiltinClassNames("mtsd"));
  EXPECT_EQ((*BuiltinClassNames("cifar100"))[1], "aquarium fish");
  EXPECT_EQ((*BuiltinClassNames("gtsrb"))[14], "stop");
  EXPECT_EQ((*BuiltinClassNames("eurosat"))[9], "lake or sea");
}

TEST(ExpandTemplates, ReplacesBuiltinEntriesInPlace) {
  ASSERT_OK_AND_ASSIGN(const auto expanded, ExpandTemplates({"x {c}", "builtin:STL10", "{c} y"}));
  EXPECT_THAT(expanded, ElementsAre("x {c}", "a photo of a {c}.", "a photo of the {c}.", "{c} y"));
  ASSERT_OK_AND_ASSIGN(const auto none, ExpandTemplates({}));
  EXPECT_THAT(none, ElementsAre("{c}"));
}

TEST(ExpandTemplates, RefusesBadEntriesByTheirPath) {
  const auto without = ExpandTemplates({"{c}", "a photo"});
  EXPECT_THAT(without, FailsWith(kInvalid, "TEMPLATE_WITHOUT_CLASS"));
  EXPECT_EQ(base::FieldOf(without.status()), "templates[1]");
  EXPECT_THAT(ExpandTemplates({"builtin:nothing"}), FailsWith(kInvalid, "UNKNOWN_BUILTIN"));
  EXPECT_THAT(ExpandTemplates({"{c} \xff"}), FailsWith(kInvalid, "INVALID_UTF8"));
  EXPECT_OK(ExpandTemplates({"{c}" + std::string(kMaximumPromptBytes - 3, 'x')}));
  EXPECT_THAT(ExpandTemplates({"{c}" + std::string(kMaximumPromptBytes - 2, 'x')}),
              FailsWith(kInvalid, "PROMPT_TOO_LONG"));
}

TEST(ExpandClassNames, RefusesBadEntriesByTheirPath) {
  const auto duplicate = ExpandClassNames({"cat", "dog", "cat"});
  EXPECT_THAT(duplicate, FailsWith(kInvalid, "DUPLICATE_CLASS_NAME"));
  EXPECT_EQ(base::FieldOf(duplicate.status()), "class_names[2]");
  EXPECT_THAT(ExpandClassNames({"airplane", "builtin:cifar10"}), FailsWith(kInvalid, "DUPLICATE_CLASS_NAME"));
  EXPECT_THAT(ExpandClassNames({"cat", ""}), FailsWith(kInvalid, "EMPTY_CLASS_NAME"));
  EXPECT_THAT(ExpandClassNames({"cat", " "}), FailsWith(kInvalid, "EMPTY_CLASS_NAME"));
  EXPECT_THAT(ExpandClassNames({"cat", "\u3000\u00a0\t"}), FailsWith(kInvalid, "EMPTY_CLASS_NAME"));
  EXPECT_THAT(ExpandClassNames({"builtin:mtsd"}), FailsWith(kInvalid, "UNKNOWN_BUILTIN"));
  EXPECT_THAT(ExpandClassNames({"\xc3"}), FailsWith(kInvalid, "INVALID_UTF8"));
  std::vector<std::string> many;
  for (size_t i = 0; i < kMaximumClasses; ++i) many.push_back("class " + std::to_string(i));
  EXPECT_OK(ExpandClassNames(many));
  many.push_back("one more");
  EXPECT_THAT(ExpandClassNames(many), FailsWith(kInvalid, "TOO_MANY_CLASSES"));
}

TEST(ExpandClassNames, TakesABuiltinListAsItIs) {
  ASSERT_OK_AND_ASSIGN(const auto imagenet, ExpandClassNames({"builtin:ImageNet"}));
  EXPECT_EQ(imagenet.size(), 1000u);
}

TEST(CheckClassNames, TakesNamesAsTheyAre) {
  EXPECT_OK(CheckClassNames({"builtin:cifar10", "builtin:nothing", "cat"}));
  const auto duplicate = CheckClassNames({"cat", "dog", "cat"});
  EXPECT_THAT(duplicate, FailsWith(kInvalid, "DUPLICATE_CLASS_NAME"));
  EXPECT_EQ(base::FieldOf(duplicate), "class_names[2]");
  EXPECT_THAT(CheckClassNames({"cat", "\u2003"}), FailsWith(kInvalid, "EMPTY_CLASS_NAME"));
  EXPECT_THAT(CheckClassNames({"\xc3"}), FailsWith(kInvalid, "INVALID_UTF8"));
}

TEST(CheckPromptSizes, ComparesTheLongestNameInEveryTemplateWithTheLimit) {
  const std::vector<std::string> names = {"cat", std::string(1000, 'x'), "dog"};
  EXPECT_OK(CheckPromptSizes(names, {"{c}" + std::string(kMaximumPromptBytes - 1000, 'y')}));
  const auto literal = CheckPromptSizes(names, {"{c}", "{c}" + std::string(kMaximumPromptBytes - 999, 'y')});
  EXPECT_THAT(literal, FailsWith(kInvalid, "PROMPT_TOO_LONG"));
  EXPECT_EQ(base::FieldOf(literal), "class_names[1]");
  EXPECT_OK(CheckPromptSizes(names, {"{c}{c}{c}{c}{c}{c}{c}{c}"}));
  EXPECT_THAT(CheckPromptSizes(names, {"{c}{c}{c}{c}{c}{c}{c}{c}{c}"}), FailsWith(kInvalid, "PROMPT_TOO_LONG"));
  EXPECT_OK(CheckPromptSizes({}, {std::string(kMaximumPromptBytes, 'y') + "{c}"})) << "no names, no prompts";
}

TEST(CheckPromptSizes, BoundsAllPromptsTogether) {
  const std::vector<std::string> names(1 << 10, std::string(1 << 10, 'x'));
  EXPECT_OK(CheckPromptSizes(names, std::vector<std::string>(256, "{c}")));
  const auto too_large = CheckPromptSizes(names, std::vector<std::string>(257, "{c}"));
  EXPECT_THAT(too_large, FailsWith(kInvalid, "PROMPTS_TOO_LARGE"));
  EXPECT_EQ(base::FieldOf(too_large), "class_names");
}

}  // namespace
}  // namespace modelpatch::data
