#include "core/data/task_source.h"

#include <limits>

#include "tests/support/status_matchers.h"

namespace modelpatch::data {
namespace {

using ::modelpatch::testing::FailsWith;
constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

TaskSource Files() {
  TaskSource source;
  source.format = "cifar";
  source.train = "/data/train \xc3\xa9";
  source.test = "/data/test";
  source.class_names = {"cat", "dog"};
  source.templates = {"a \"{c}\".", "builtin:mnist"};
  source.validation_fraction = 0.1234567890123456789;
  source.split_seed = std::numeric_limits<uint64_t>::max();
  return source;
}

TaskSource Generated() {
  TaskSource source;
  source.format = "generator";
  source.generator = "shapes";
  source.generated_train = 1000;
  source.generated_test = 10'000'000;
  source.generator_seed = 1ULL << 63;
  return source;
}

TaskSource Half() {
  TaskSource source = Files();
  source.partition_parts = 2;
  source.partition_part = 1;
  source.partition_seed = 1ULL << 63;
  return source;
}

TaskSource JsonLines() {
  TaskSource source;
  source.format = "json-lines";
  source.train = "/data/train.jsonl";
  return source;
}

void ExpectRefused(const TaskSource& source, const std::string& field, const std::string& reason) {
  const absl::Status status = CheckTaskSource(source);
  EXPECT_THAT(status, FailsWith(kInvalid, reason));
  EXPECT_EQ(base::FieldOf(status), field);
}

TEST(TaskSourceJson, RoundTrips) {
  for (const TaskSource& source : {TaskSource(), Files(), Generated(), Half(), JsonLines()}) {
    ASSERT_OK_AND_ASSIGN(const TaskSource back, TaskSourceFromJson(TaskSourceToJson(source)));
    EXPECT_EQ(back, source);
  }
}

TEST(TaskSourceJson, AbsentKeysHaveTheirDefaults) {
  ASSERT_OK_AND_ASSIGN(const TaskSource source, TaskSourceFromJson(R"({"format": "idx", "test": "x"})"));
  EXPECT_EQ(source.format, "idx");
  EXPECT_EQ(source.validation_fraction, 0.1);
  // As it was written before there were partitions.
  ASSERT_OK_AND_ASSIGN(
      const TaskSource old,
      TaskSourceFromJson(
          R"({"class_names":["builtin:cifar10"],"format":"cifar","generated_test":0,"generated_train":0,)"
          R"("generated_validation":0,"generator":"","generator_seed":0,"split_seed":3,"templates":[],)"
          R"("test":"k/test","train":"k/train","validation":"","validation_fraction":0.2})"));
  EXPECT_EQ(old.split_seed, 3u);
  EXPECT_EQ(old.partition_parts, 0);
  EXPECT_OK(CheckTaskSource(old));
}

TEST(TaskSourceJson, RefusesWhatIsNoTaskSource) {
  for (const char* text : {"", "[]", "{", "nonsense", R"({"format": 1})", R"({"class_names": "cat"})",
                           R"({"class_names": [1]})", R"({"generated_train": 1.5})", R"({"generator_seed": -1})",
                           R"({"generated_train": 18446744073709551615})", R"({"fromat": "idx"})"}) {
    EXPECT_THAT(TaskSourceFromJson(text), FailsWith(kInvalid, "BAD_TASK_SOURCE")) << text;
  }
}

TEST(CheckTaskSource, AcceptsGoodOnes) {
  EXPECT_OK(CheckTaskSource(Files()));
  EXPECT_OK(CheckTaskSource(Generated()));
  EXPECT_OK(CheckTaskSource(Half()));
  EXPECT_OK(CheckTaskSource(JsonLines()));
  TaskSource plain_template = JsonLines();
  plain_template.templates = {"{c}"};
  EXPECT_OK(CheckTaskSource(plain_template));
  TaskSource generated_part = Generated();
  generated_part.partition_parts = 10;
  EXPECT_OK(CheckTaskSource(generated_part));
  TaskSource only_test = Files();
  only_test.train.clear();
  only_test.validation_fraction = 7;  // not used
  EXPECT_OK(CheckTaskSource(only_test));
}

TEST(CheckTaskSource, NamesTheFieldAtFault) {
  TaskSource source;
  ExpectRefused(source, "format", "UNKNOWN_TASK_FORMAT");
  source = Files();
  source.train = source.test = "";
  ExpectRefused(source, "test", "MISSING_SPLITS");
  (source = Files()).class_names = {};
  ExpectRefused(source, "class_names", "CLASS_NAMES_REQUIRED");
  source.format = "image-folder";
  EXPECT_OK(CheckTaskSource(source));
  (source = Files()).train = std::string("a\0b", 3);
  ExpectRefused(source, "train", "BAD_PATH");
  (source = Files()).generator = "shapes";
  ExpectRefused(source, "generator", "UNEXPECTED_FIELD");
  (source = Files()).generated_test = 5;
  ExpectRefused(source, "generated_test", "UNEXPECTED_FIELD");
  (source = Files()).validation_fraction = 1.0;
  ExpectRefused(source, "validation_fraction", "BAD_VALIDATION_FRACTION");
  (source = Files()).templates = {"none"};
  ExpectRefused(source, "templates[0]", "TEMPLATE_WITHOUT_CLASS");
  (source = Files()).class_names = {"cat", std::string(8000, 'x')};
  source.templates = {"{c}", "{c}" + std::string(500, 'y')};
  ExpectRefused(source, "class_names[1]", "PROMPT_TOO_LONG");
  (source = Generated()).test = "/x";
  ExpectRefused(source, "test", "UNEXPECTED_FIELD");
  (source = Generated()).generator = "faces";
  ExpectRefused(source, "generator", "UNKNOWN_GENERATOR");
  (source = Generated()).generated_train = -1;
  ExpectRefused(source, "generated_train", "BAD_COUNT");
  source = Generated();
  source.generated_train = source.generated_test = 0;
  ExpectRefused(source, "generated_test", "MISSING_SPLITS");
  (source = Generated()).class_names = {"circle"};
  ExpectRefused(source, "class_names", "CLASS_COUNT_MISMATCH");
}

TEST(CheckTaskSource, CandidatesAreClassesAndPromptsAlready) {
  TaskSource source;
  (source = JsonLines()).class_names = {"cat"};
  ExpectRefused(source, "class_names", "UNEXPECTED_FIELD");
  (source = JsonLines()).templates = {"a {c}"};
  ExpectRefused(source, "templates", "TEMPLATES_NOT_ALLOWED");
  (source = JsonLines()).partition_parts = 2;
  ExpectRefused(source, "partition_parts", "BAD_CLASS_PARTITION");
  (source = JsonLines()).train = "";
  ExpectRefused(source, "test", "MISSING_SPLITS");
}

TEST(CheckTaskSource, RefusesPartitionsThatCannotBe) {
  TaskSource source;
  for (const int64_t parts : {int64_t{-1}, int64_t{1}, int64_t{3}, INT64_MAX}) {
    (source = Half()).partition_parts = parts;
    ExpectRefused(source, "partition_parts", "BAD_CLASS_PARTITION");
  }
  for (const int64_t part : {int64_t{-1}, int64_t{2}}) {
    (source = Half()).partition_part = part;
    ExpectRefused(source, "partition_part", "BAD_CLASS_PARTITION");
  }
  (source = Half()).partition_parts = 0;
  ExpectRefused(source, "partition_parts", "BAD_CLASS_PARTITION");
}

}  // namespace
}  // namespace modelpatch::data
