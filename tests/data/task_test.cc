#include "core/data/task.h"

#include <set>

#include "core/data/prompt_templates.h"
#include "tests/data/dataset_samples.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_data.h"

namespace modelpatch::data {
namespace {

using ::modelpatch::testing::CifarRecords;
using ::modelpatch::testing::FailsWith;
using ::testing::ElementsAre;
constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

const char kPixel[] = "P6 1 1 255\nabc";

class TaskTest : public ::testing::Test {
 protected:
  std::string Write(const std::string& name, const std::string& bytes) {
    testing::WriteTestFile(directory_.Path(name), bytes);
    return directory_.Path(name);
  }
  // Ten training and four test examples of two classes.
  TaskSource Cifar() {
    TaskSource source;
    source.format = "cifar";
    source.train = Write("train.bin", CifarRecords({0, 1, 0, 1, 0, 1, 0, 1, 0, 1}, 1));
    source.test = Write("test.bin", CifarRecords({0, 1, 1, 0}, 1));
    source.class_names = {"cat", "dog"};
    source.validation_fraction = 0.2;
    return source;
  }
  testing::ScratchDirectory directory_;
};

TEST_F(TaskTest, CarvesValidationOutOfTraining) {
  ASSERT_OK_AND_ASSIGN(const Task task, OpenTask("pets", Cifar()));
  EXPECT_EQ(task.name, "pets");
  EXPECT_THAT(task.templates, ElementsAre("{c}"));
  EXPECT_EQ(task.split(Split::kTrain)->size(), 8);
  ASSERT_EQ(task.split(Split::kValidation)->size(), 2);
  EXPECT_EQ(task.split(Split::kTest)->size(), 4);
  EXPECT_EQ(task.validation->label(0) + task.validation->label(1), 1);  // one of each class
  // Record r starts with the byte 13 r: no image is in both, and labels alternate.
  std::set<uint8_t> seen;
  for (const auto* split : {&task.train, &task.validation}) {
    for (int64_t i = 0; i < (*split)->size(); ++i) {
      ASSERT_OK_AND_ASSIGN(const RgbImage image, (*split)->image(i));
      EXPECT_TRUE(seen.insert(image.pixels[0]).second);
      EXPECT_EQ((*split)->label(i), image.pixels[0] / 13 % 2);
    }
  }
  EXPECT_EQ(seen.size(), 10u);
}

TEST_F(TaskTest, TakesAGivenValidationSplitWhole) {
  TaskSource source = Cifar();
  source.validation = Write("v.bin", CifarRecords({1, 0, 1}, 1));
  ASSERT_OK_AND_ASSIGN(const Task task, OpenTask("pets", source));
  EXPECT_EQ(task.train->size(), 10);
  EXPECT_EQ(task.validation->size(), 3);
}

TEST_F(TaskTest, NeverTakesValidationFromTest) {
  TaskSource source = Cifar();
  source.train.clear();
  ASSERT_OK_AND_ASSIGN(const Task task, OpenTask("pets", source));
  EXPECT_EQ(task.train, nullptr);
  EXPECT_EQ(task.validation, nullptr);
  EXPECT_EQ(task.test->size(), 4);
}

TEST_F(TaskTest, TheDigestCoversContentsClassesTemplatesAndSplits) {
  const TaskSource source = Cifar();
  std::set<std::string> digests;
  const auto digest_of = [](const TaskSource& changed) {
    auto task = OpenTask("any", changed);
    EXPECT_OK(task);
    return task.ok() ? task->digest : "";
  };
  const std::string digest = digest_of(source);
  EXPECT_EQ(digest.size(), 64u);
  EXPECT_EQ(digest, OpenTask("another name", source)->digest);
  digests.insert(digest);
  TaskSource changed = source;
  changed.class_names = {"dog", "cat"};
  digests.insert(digest_of(changed));
  (changed = source).templates = {"a {c}"};
  digests.insert(digest_of(changed));
  (changed = source).split_seed = 1;
  digests.insert(digest_of(changed));
  (changed = source).validation_fraction = 0.3;
  digests.insert(digest_of(changed));
  (changed = source).test.clear();
  digests.insert(digest_of(changed));
  changed = source;
  changed.test = Write("test2.bin", CifarRecords({0, 1, 1, 1}, 1));
  digests.insert(digest_of(changed));
  EXPECT_EQ(digests.size(), 7u);
  // Where a file lies does not matter.
  (changed = source).test = Write("copy.bin", CifarRecords({0, 1, 1, 0}, 1));
  EXPECT_EQ(digest_of(changed), digest);
}

TEST_F(TaskTest, FolderNamesAreTheDefaultClassNames) {
  for (const char* name : {"train/cat/1.ppm", "train/cat/2.ppm", "train/dog/1.ppm", "train/dog/2.ppm", "test/cat/1.ppm",
                           "test/dog/1.ppm"}) {
    Write(name, kPixel);
  }
  TaskSource source;
  source.format = "image-folder";
  source.train = directory_.Path("train");
  source.test = directory_.Path("test");
  source.validation_fraction = 0.5;
  ASSERT_OK_AND_ASSIGN(const Task task, OpenTask("pets", source));
  EXPECT_THAT(task.class_names, ElementsAre("cat", "dog"));
  source.class_names = {"a cat", "a dog"};
  ASSERT_OK_AND_ASSIGN(const Task renamed, OpenTask("pets", source));
  EXPECT_THAT(renamed.class_names, ElementsAre("a cat", "a dog"));
  source.class_names.push_back("a cow");
  const auto too_many = OpenTask("pets", source);
  EXPECT_THAT(too_many, FailsWith(kInvalid, "CLASS_COUNT_MISMATCH"));
  EXPECT_EQ(base::FieldOf(too_many.status()), "class_names");
  // A folder that one split lacks would shift the labels of those after it.
  Write("test/ant/1.ppm", kPixel);
  source.class_names.clear();
  const auto shifted = OpenTask("pets", source);
  EXPECT_THAT(shifted, FailsWith(kInvalid, "DATASET_CLASS_MISMATCH"));
  EXPECT_EQ(base::FieldOf(shifted.status()), "test");
}

TEST_F(TaskTest, FolderNamesStandForThemselves) {
  for (const char* name : {"test/builtin:cifar10/1.ppm", "test/builtin:nothing/1.ppm"}) Write(name, kPixel);
  TaskSource source;
  source.format = "image-folder";
  source.test = directory_.Path("test");
  ASSERT_OK_AND_ASSIGN(const Task task, OpenTask("odd", source));
  EXPECT_THAT(task.class_names, ElementsAre("builtin:cifar10", "builtin:nothing"));
  Write("test/\u3000/1.ppm", kPixel);
  const auto blank = OpenTask("odd", source);
  EXPECT_THAT(blank, FailsWith(kInvalid, "EMPTY_CLASS_NAME"));
  EXPECT_EQ(base::FieldOf(blank.status()), "class_names[2]");
}

TEST_F(TaskTest, PromptsThatCouldNotBeEvaluatedAreRefused) {
  Write("test/a long name/1.ppm", kPixel);
  Write("test/name/1.ppm", kPixel);
  TaskSource source;
  source.format = "image-folder";
  source.test = directory_.Path("test");
  source.templates = {"{c}", "{c}" + std::string(kMaximumPromptBytes - 5, 'x')};
  const auto too_long = OpenTask("long", source);
  EXPECT_THAT(too_long, FailsWith(kInvalid, "PROMPT_TOO_LONG"));
  EXPECT_EQ(base::FieldOf(too_long.status()), "class_names[0]");
  source.class_names = {"a", "bc"};
  EXPECT_OK(OpenTask("short", source));
}

TEST_F(TaskTest, OpensGenerators) {
  TaskSource source;
  source.format = "generator";
  source.generator = "digits";
  source.generated_train = 100;
  source.generated_test = 30;
  source.templates = {"builtin:mnist"};
  ASSERT_OK_AND_ASSIGN(const Task task, OpenTask("digits", source));
  EXPECT_EQ(task.class_names.size(), 10u);
  EXPECT_THAT(task.templates, ElementsAre("a photo of the number: \"{c}\"."));
  EXPECT_EQ(task.train->size(), 90);
  EXPECT_EQ(task.validation->size(), 10);
  EXPECT_EQ(task.test->size(), 30);
  source.generated_validation = 20;
  ASSERT_OK_AND_ASSIGN(const Task given, OpenTask("digits", source));
  EXPECT_EQ(given.train->size(), 100);
  EXPECT_EQ(given.validation->size(), 20);
}

TEST_F(TaskTest, ErrorsNameTheSplit) {
  TaskSource source = Cifar();
  source.test = Write("bad.bin", CifarRecords({0, 2}, 1));
  const auto bad = OpenTask("pets", source);
  EXPECT_THAT(bad, FailsWith(kInvalid, "DATASET_LABEL_OUT_OF_RANGE"));
  EXPECT_EQ(base::FieldOf(bad.status()), "test");
  source = Cifar();
  source.train = directory_.Path("absent");
  EXPECT_EQ(base::FieldOf(OpenTask("pets", source).status()), "train");
}

}  // namespace
}  // namespace modelpatch::data
