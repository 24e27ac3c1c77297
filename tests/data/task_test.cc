#include "core/data/task.h"

#include <fmt/format.h>

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

TaskSource Generated(int64_t train, int64_t validation, int64_t test) {
  TaskSource source;
  source.format = "generator";
  source.generator = "digits";
  source.generated_train = train;
  source.generated_validation = validation;
  source.generated_test = test;
  return source;
}

TEST_F(TaskTest, ThePartsOfAPartitionAreDisjointAndTogetherTheWhole) {
  const TaskSource whole_source = Generated(100, 0, 30);
  ASSERT_OK_AND_ASSIGN(const Task whole, OpenTask("digits", whole_source));
  std::multiset<std::string> names;
  std::set<std::string> digests = {whole.digest};
  int64_t train = 0, validation = 0, test = 0;
  for (int part = 0; part < 3; ++part) {
    TaskSource source = whole_source;
    source.partition_parts = 3;
    source.partition_part = part;
    source.partition_seed = 7;
    ASSERT_OK_AND_ASSIGN(const Task task, OpenTask("digits", source));
    names.insert(task.class_names.begin(), task.class_names.end());
    digests.insert(task.digest);
    EXPECT_EQ(task.whole_digest, whole.digest);
    EXPECT_EQ(OpenTask("another", source)->digest, task.digest);
    train += task.train->size();
    validation += task.validation->size();
    test += task.test->size();
    for (const Split split : {Split::kTrain, Split::kValidation, Split::kTest}) {
      const Dataset& dataset = *task.split(split);
      for (int64_t i = 0; i < dataset.size(); ++i) {
        ASSERT_LT(dataset.label(i), static_cast<int32_t>(task.class_names.size()));
      }
    }
  }
  EXPECT_EQ(names, std::multiset<std::string>(whole.class_names.begin(), whole.class_names.end()));
  EXPECT_EQ(digests.size(), 4u);
  EXPECT_EQ(train, 90);
  EXPECT_EQ(validation, 10);
  EXPECT_EQ(test, 30);
}

TEST_F(TaskTest, EachExampleOfAPartKeepsItsClassName) {
  TaskSource source = Cifar();
  source.partition_parts = 2;
  source.partition_part = 1;
  ASSERT_OK_AND_ASSIGN(const Task task, OpenTask("pets", source));
  ASSERT_EQ(task.class_names.size(), 1u);
  // Labels of the whole alternate, and record r starts with the byte 13 r.
  const int parity = task.class_names[0] == "cat" ? 0 : 1;
  EXPECT_EQ(task.train->size() + task.validation->size(), 5);
  for (int64_t i = 0; i < task.train->size(); ++i) {
    EXPECT_EQ(task.train->label(i), 0);
    EXPECT_EQ(task.train->image(i)->pixels[0] / 13 % 2, parity);
  }
}

TEST_F(TaskTest, RefusesPartitionsWithoutClassesOrExamples) {
  TaskSource source = Generated(10, 10, 10);
  source.partition_parts = 11;
  const auto too_many = OpenTask("digits", source);
  EXPECT_THAT(too_many, FailsWith(kInvalid, "BAD_CLASS_PARTITION"));
  EXPECT_EQ(base::FieldOf(too_many.status()), "partition_parts");
  // Folders' names are known when they are read.
  for (const char* name : {"test/cat/1.ppm", "test/dog/1.ppm"}) Write(name, kPixel);
  source = {};
  source.format = "image-folder";
  source.test = directory_.Path("test");
  source.partition_parts = 3;
  EXPECT_THAT(OpenTask("pets", source), FailsWith(kInvalid, "BAD_CLASS_PARTITION"));
  // Three of ten digits are tested, one class of which is in each of ten parts.
  int without_examples = 0;
  for (int part = 0; part < 10; ++part) {
    source = Generated(10, 10, 3);
    source.partition_parts = 10;
    source.partition_part = part;
    const auto opened = OpenTask("digits", source);
    if (opened.ok()) continue;
    ++without_examples;
    EXPECT_THAT(opened, FailsWith(kInvalid, "BAD_CLASS_PARTITION"));
    EXPECT_EQ(base::FieldOf(opened.status()), "partition_part");
  }
  EXPECT_EQ(without_examples, 7);
}

TEST_F(TaskTest, CandidatesOfAllSplitsAreTheClasses) {
  for (const char* name : {"1.ppm", "2.ppm"}) Write(name, kPixel);
  TaskSource source;
  source.format = "json-lines";
  source.train = Write("train.jsonl", R"({"image": "1.ppm", "candidates": ["a cat", "a dog"], "answer": 1})"
                                      "\n"
                                      R"({"image": "2.ppm", "candidates": ["a dog", "a cow"], "answer": 0})");
  source.validation = Write("validation.jsonl", R"({"image": "1.ppm", "candidates": ["a cow"], "answer": 0})");
  source.test = Write("test.jsonl", R"({"image": "1.ppm", "candidates": ["an ox", "a cat"], "answer": "a cat"})");
  ASSERT_OK_AND_ASSIGN(const Task task, OpenTask("animals", source));
  EXPECT_THAT(task.class_names, ElementsAre("a cat", "a dog", "a cow", "an ox"));
  EXPECT_THAT(task.templates, ElementsAre("{c}"));
  EXPECT_THAT(LabelsOf(*task.train), ElementsAre(1, 1));
  EXPECT_THAT(task.train->candidates(1), ElementsAre(1, 2));
  EXPECT_THAT(task.validation->candidates(0), ElementsAre(2));
  EXPECT_EQ(task.test->label(0), 0);
  EXPECT_THAT(task.test->candidates(0), ElementsAre(0, 3));
  // A text that a list of class names would take for another list stands for itself.
  source.test = Write("builtin.jsonl", R"({"image": "1.ppm", "candidates": ["builtin:cifar10"], "answer": 0})");
  EXPECT_EQ(OpenTask("animals", source)->class_names.back(), "builtin:cifar10");
}

TEST_F(TaskTest, ExamplesWithCandidatesAreCarvedWhateverTheirAnswers) {
  Write("1.ppm", kPixel);
  std::string lines;
  for (int i = 0; i < 20; ++i) {
    lines += fmt::format("{{\"image\": \"1.ppm\", \"candidates\": [\"no\", \"yes {}\"], \"answer\": 1}}\n", i);
  }
  TaskSource source;
  source.format = "json-lines";
  source.train = Write("train.jsonl", lines);
  source.validation_fraction = 0.25;
  ASSERT_OK_AND_ASSIGN(const Task task, OpenTask("answers", source));
  EXPECT_EQ(task.train->size(), 15);
  ASSERT_EQ(task.validation->size(), 5);
  EXPECT_EQ(task.validation->candidates(0).size(), 2u);
  source.split_seed = 1;
  ASSERT_OK_AND_ASSIGN(const Task other, OpenTask("answers", source));
  EXPECT_NE(LabelsOf(*task.validation), LabelsOf(*other.validation));
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
