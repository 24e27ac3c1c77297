#include "core/model/class_prompts.h"

#include <string>
#include <vector>

#include "core/data/prompt_templates.h"
#include "tests/support/status_matchers.h"

namespace modelpatch::model {
namespace {

using ::testing::ElementsAre;

using Strings = std::vector<std::string>;

// "REASON at field" of an error, "" if there is none.
std::string Fault(const absl::Status& status) {
  if (status.ok()) return "";
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  return base::ReasonOf(status) + " at " + base::FieldOf(status);
}

std::string ExpandFault(const Strings& names, const Strings& templates, const PromptLimits& limits = {}) {
  return Fault(ExpandClassPrompts(names, templates, limits).status());
}

Strings Names(int64_t count) {
  Strings names;
  for (int64_t i = 0; i < count; ++i) names.push_back("class " + std::to_string(i));
  return names;
}

TEST(ExpandClassPromptsTest, PutsEveryNameIntoEveryTemplate) {
  const Strings names = {"cat", "{c}"};
  const Strings templates = {"a photo of a {c}.", "{c}", "{c} and {c}{c}"};
  ASSERT_OK_AND_ASSIGN(const auto classes, ExpandClassPrompts(names, templates));
  EXPECT_THAT(classes, ElementsAre(ClassPrompts{"cat", {"a photo of a cat.", "cat", "cat and catcat"}},
                                   ClassPrompts{"{c}", {"a photo of a {c}.", "{c}", "{c} and {c}{c}"}}))
      << "a name is put in as it is, not expanded again";
}

TEST(ExpandClassPromptsTest, NoTemplateIsTheNameItself) {
  const Strings names = {"cat", "dog"};
  ASSERT_OK_AND_ASSIGN(const auto classes, ExpandClassPrompts(names, {}));
  EXPECT_THAT(classes, ElementsAre(ClassPrompts{"cat", {"cat"}}, ClassPrompts{"dog", {"dog"}}));
}

TEST(ExpandClassPromptsTest, NamesTheFieldAtFault) {
  EXPECT_EQ(ExpandFault({}, {}), "NO_CLASSES at class_names");
  EXPECT_EQ(ExpandFault({"a", "b", "c", ""}, {}), "EMPTY_CLASS_NAME at class_names[3]");
  EXPECT_EQ(ExpandFault({"a", " \t"}, {}), "EMPTY_CLASS_NAME at class_names[1]");
  EXPECT_EQ(ExpandFault({"a", "\u3000"}, {}), "EMPTY_CLASS_NAME at class_names[1]");
  EXPECT_EQ(ExpandFault({"a", "b", "a"}, {}), "DUPLICATE_CLASS_NAME at class_names[2]");
  EXPECT_EQ(ExpandFault({"a", "\xff"}, {}), "TEXT_NOT_UTF8 at class_names[1]");
  EXPECT_EQ(ExpandFault({"a"}, {"a photo"}), "TEMPLATE_WITHOUT_CLASS at templates[0]");
  EXPECT_EQ(ExpandFault({"a"}, {"{c}", ""}), "TEMPLATE_WITHOUT_CLASS at templates[1]");
  EXPECT_EQ(ExpandFault({"a"}, {"{c} \xc3"}), "TEXT_NOT_UTF8 at templates[0]");
  EXPECT_EQ(ExpandFault({"a"}, Strings(1001, "{c}")), "TOO_MANY_PROMPTS at templates");
}

TEST(ExpandClassPromptsTest, TheClassesOfATaskMayShareAName) {
  const Strings names = {"missile", "missile"};
  ASSERT_OK_AND_ASSIGN(const auto classes, ExpandClassPrompts(names, {}, {.unique_names = false}));
  EXPECT_THAT(classes, ElementsAre(ClassPrompts{"missile", {"missile"}}, ClassPrompts{"missile", {"missile"}}));
}

TEST(ExpandClassPromptsTest, LimitsAreInclusive) {
  EXPECT_EQ(ExpandFault(Names(10'000), {"a {c}"}), "");
  EXPECT_EQ(ExpandFault(Names(10'001), {"a {c}"}), "TOO_MANY_CLASSES at class_names");
  EXPECT_EQ(ExpandFault({"ok", std::string(8192, 'x')}, {}), "");
  EXPECT_EQ(ExpandFault({"ok", std::string(8193, 'x')}, {}), "PROMPT_TOO_LONG at class_names[1]");
  EXPECT_EQ(ExpandFault({"ok", std::string(8190, 'x')}, {"a {c}"}), "");
  EXPECT_EQ(ExpandFault({"ok", std::string(8191, 'x')}, {"a {c}"}), "PROMPT_TOO_LONG at class_names[1]");
  EXPECT_EQ(ExpandFault({"ok"}, {"{c}" + std::string(8190, 'x')}), "PROMPT_TOO_LONG at templates[0]");
}

TEST(ExpandClassPromptsTest, TheSumIsLimitedBeforeAnythingIsBuilt) {
  // 10,000 classes times 1,000 templates of 8 KiB would be 80 GB.
  EXPECT_EQ(ExpandFault(Names(10'000), Strings(1000, "{c}" + std::string(8000, 'x'))),
            "PROMPTS_TOO_LARGE at class_names");
}

TEST(CheckClassPromptsTest, NamesTheFieldAtFault) {
  using Classes = std::vector<ClassPrompts>;
  EXPECT_EQ(Fault(CheckClassPrompts(Classes{{"a", {"a photo", ""}}, {"b", {"b"}}})), "") << "an empty prompt is valid";
  EXPECT_EQ(Fault(CheckClassPrompts({})), "NO_CLASSES at classes");
  EXPECT_EQ(Fault(CheckClassPrompts(Classes{{"a", {"a"}}, {"", {"b"}}})), "EMPTY_CLASS_NAME at classes[1].name");
  EXPECT_EQ(Fault(CheckClassPrompts(Classes{{"a", {"a"}}, {"a", {"b"}}})), "DUPLICATE_CLASS_NAME at classes[1].name");
  EXPECT_EQ(Fault(CheckClassPrompts(Classes{{"a", {}}})), "NO_PROMPTS at classes[0].prompts");
  EXPECT_EQ(Fault(CheckClassPrompts(Classes{{"a", {"x", "\x80"}}})), "TEXT_NOT_UTF8 at classes[0].prompts[1]");
  EXPECT_EQ(Fault(CheckClassPrompts(Classes{{"a", {"a"}}, {"b", {"b"}}, {"c", {"x", std::string(8193, 'y')}}})),
            "PROMPT_TOO_LONG at classes[2].prompts[1]");
  EXPECT_EQ(Fault(CheckClassPrompts(Classes{{"a", {std::string(8192, 'y')}}})), "");
  EXPECT_EQ(Fault(CheckClassPrompts(Classes{{"a", Strings(3, "x")}}, {.maximum_prompts_per_class = 2})),
            "TOO_MANY_PROMPTS at classes[0].prompts");
  EXPECT_EQ(Fault(CheckClassPrompts(Classes{{"a", {"xx"}}, {"b", {"yy"}}}, {.maximum_total_bytes = 3})),
            "PROMPTS_TOO_LARGE at classes");
  EXPECT_EQ(Fault(CheckClassPrompts(Classes(10'001, ClassPrompts{"a", {"a"}}))), "TOO_MANY_CLASSES at classes");
}

TEST(PromptLimitsTest, ATaskMayNotHoldMoreThanIsExpanded) {
  EXPECT_EQ(PromptLimits().maximum_classes, data::kMaximumClasses);
  EXPECT_EQ(PromptLimits().maximum_prompt_bytes, data::kMaximumPromptBytes);
  EXPECT_EQ(PromptLimits().maximum_prompts_per_class, data::kMaximumTemplates);
  EXPECT_EQ(PromptLimits().maximum_total_bytes, data::kMaximumTotalPromptBytes);
}

}  // namespace
}  // namespace modelpatch::model
