#include "server/classes_conversion.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "tests/support/status_matchers.h"

namespace modelpatch::server {
namespace {

using absl::StatusCode;
using testing::FailsWith;

v1::ClassPrompts Named(const std::vector<std::string>& names, const std::vector<std::string>& templates = {}) {
  v1::ClassPrompts message;
  for (const std::string& name : names) message.mutable_names()->add_class_names(name);
  for (const std::string& text : templates) message.mutable_names()->add_templates(text);
  return message;
}

absl::Status FailureOf(const v1::ClassPrompts& message) { return ToClassPrompts(message, {}).status(); }

TEST(ClassPromptsConversionTest, ExpandsNamesAndTemplates) {
  ASSERT_OK_AND_ASSIGN(const auto classes, ToClassPrompts(Named({"cat", "dog"}, {"a {c}.", "the {c}."}), {}));
  ASSERT_EQ(classes.size(), 2u);
  EXPECT_EQ(classes[1].name, "dog");
  EXPECT_EQ(classes[1].prompts, (std::vector<std::string>{"a dog.", "the dog."}));
}

TEST(ClassPromptsConversionTest, ExpandsBuiltinTemplates) {
  ASSERT_OK_AND_ASSIGN(const auto classes, ToClassPrompts(Named({"cat", "dog"}, {"builtin:mnist"}), {}));
  EXPECT_NE(classes[0].prompts[0], "builtin:mnist");
  EXPECT_NE(classes[0].prompts[0].find("cat"), std::string::npos);
}

TEST(ClassPromptsConversionTest, KeepsWrittenOutPrompts) {
  v1::ClassPrompts message;
  auto* one = message.mutable_prompted()->add_classes();
  one->set_name("cat");
  one->add_prompts("a photo of my cat");
  ASSERT_OK_AND_ASSIGN(const auto classes, ToClassPrompts(message, {}));
  EXPECT_EQ(classes, (std::vector<model::ClassPrompts>{{"cat", {"a photo of my cat"}}}));
}

TEST(ClassPromptsConversionTest, RefusesWithReasonAndField) {
  EXPECT_THAT(FailureOf({}), FailsWith(StatusCode::kInvalidArgument, "NO_CLASSES"));
  v1::ClassPrompts none;
  none.mutable_names();
  EXPECT_THAT(FailureOf(none), FailsWith(StatusCode::kInvalidArgument, "NO_CLASSES"));
  EXPECT_EQ(base::FieldOf(FailureOf(none)), "names.class_names");
  EXPECT_THAT(FailureOf(Named({"cat", ""})), FailsWith(StatusCode::kInvalidArgument, "EMPTY_CLASS_NAME"));
  EXPECT_EQ(base::FieldOf(FailureOf(Named({"cat", ""}))), "names.class_names[1]");
  EXPECT_THAT(FailureOf(Named({"cat", "cat"})), FailsWith(StatusCode::kInvalidArgument, "DUPLICATE_CLASS_NAME"));
  EXPECT_THAT(FailureOf(Named({"cat"}, {"no place"})),
              FailsWith(StatusCode::kInvalidArgument, "TEMPLATE_WITHOUT_CLASS"));
  EXPECT_THAT(FailureOf(Named({"cat"}, {"builtin:nothing"})),
              FailsWith(StatusCode::kInvalidArgument, "UNKNOWN_BUILTIN"));
  EXPECT_THAT(FailureOf(Named({std::string(8193, 'x')})), FailsWith(StatusCode::kInvalidArgument, "PROMPT_TOO_LONG"));
  EXPECT_OK(FailureOf(Named({std::string(8192, 'x')})));
}

TEST(ImageConversionTest, RefusesWhatIsNoImage) {
  google::protobuf::RepeatedPtrField<v1::Image> images;
  EXPECT_THAT(ToImages(images, 10), FailsWith(StatusCode::kInvalidArgument, "NO_IMAGES"));
  v1::Image* image = images.Add();
  EXPECT_THAT(ToImages(images, 10), FailsWith(StatusCode::kInvalidArgument, "IMAGE_EMPTY"));
  EXPECT_EQ(base::FieldOf(ToImages(images, 10).status()), "images[0]");
  image->set_encoded("");
  EXPECT_EQ(base::FieldOf(ToImages(images, 10).status()), "images[0].encoded");
  image->set_tensor("12345");
  EXPECT_THAT(ToImages(images, 10), FailsWith(StatusCode::kInvalidArgument, "BAD_IMAGE_TENSOR"));
  const float values[] = {0, std::nanf("")};
  image->set_tensor(std::string(reinterpret_cast<const char*>(values), sizeof values));
  EXPECT_THAT(ToImages(images, 10), FailsWith(StatusCode::kInvalidArgument, "BAD_IMAGE_TENSOR"));
  image->set_encoded("x");
  EXPECT_OK(ToImages(images, 1));
  images.Add()->set_encoded("x");
  EXPECT_THAT(ToImages(images, 1), FailsWith(StatusCode::kInvalidArgument, "TOO_MANY_IMAGES"));
}

TEST(ImageConversionTest, TakesTensorsAsTheyAre) {
  google::protobuf::RepeatedPtrField<v1::Image> images;
  const float values[] = {0.5f, -2, 1};
  images.Add()->set_tensor(std::string(reinterpret_cast<const char*>(values), sizeof values));
  ASSERT_OK_AND_ASSIGN(const auto inputs, ToImages(images, 1));
  EXPECT_EQ(inputs[0].pixels, (std::vector<float>{0.5f, -2, 1}));
}

TEST(TextConversionTest, AnEmptyTextIsFineAndNoTextIsNot) {
  google::protobuf::RepeatedPtrField<std::string> texts;
  EXPECT_THAT(ToTexts(texts, {}), FailsWith(StatusCode::kInvalidArgument, "NO_TEXTS"));
  *texts.Add() = "";
  EXPECT_OK(ToTexts(texts, {}));
  *texts.Add() = std::string(8193, 'x');
  EXPECT_THAT(ToTexts(texts, {}), FailsWith(StatusCode::kInvalidArgument, "TEXT_TOO_LONG"));
  EXPECT_EQ(base::FieldOf(ToTexts(texts, {}).status()), "texts[1]");
  texts[1] = "\xc3\x28";
  EXPECT_THAT(ToTexts(texts, {}), FailsWith(StatusCode::kInvalidArgument, "TEXT_NOT_UTF8"));
}

}  // namespace
}  // namespace modelpatch::server
