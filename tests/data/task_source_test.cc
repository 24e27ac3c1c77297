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

void ExpectRefused(const TaskSource& source, const std::string& field, const std::string& reason) {
  const absl::Status status = CheckTaskSource(source);
  EXPECT_THAT(status, FailsWith(kInvalid, reason));
  EXPECT_EQ(base::FieldOf(status), field);
}

TEST(TaskSourceJson, RoundTrips) {
  for (const TaskSource& source : {TaskSource(), Files(), Generated()}) {
    ASSERT_OK_AND_ASSIGN(const TaskSource back, TaskSourceFromJson(TaskSourceToJson(source)));
    EXPECT_EQ(back, source);
  }
}

TEST(TaskSourceJson, AbsentKeysHaveTheirDefaults) {
  ASSERT_OK_AND_ASSIGN(const TaskSource source, TaskSourceFromJson(R"({"format": "idx", "test": "x"})"));
  EXPECT_EQ(source.format, "idx");
  EXPECT_EQ(source.validation_fraction, 0.1);
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

}  // namespace
}  // namespace modelpatch::data
