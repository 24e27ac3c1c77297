#include "server/task_conversion.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "tests/support/status_matchers.h"
#include "tests/support/test_data.h"

namespace modelpatch::server {
namespace {

using absl::StatusCode;
using testing::FailsWith;
using testing::WriteTestFile;

class TaskConversionTest : public ::testing::Test {
 protected:
  void SetUp() override {
    WriteTestFile(scratch_.Path("root/mnist/train-images-idx3-ubyte"), "i");
    WriteTestFile(scratch_.Path("root/mnist/train-labels-idx1-ubyte.gz"), "l");
    WriteTestFile(scratch_.Path("root/mnist/README"), "r");
    WriteTestFile(scratch_.Path("root/classes.txt"), "cat\r\ndog\n\n");
    ASSERT_OK_AND_ASSIGN(RootPaths roots, RootPaths::Make({scratch_.Path("root")}));
    roots_ = std::make_unique<RootPaths>(std::move(roots));
  }

  v1::Task Files() {
    v1::Task task;
    task.mutable_files()->set_format(v1::TASK_FORMAT_IDX);
    task.mutable_files()->set_train_path("mnist");
    return task;
  }

  testing::ScratchDirectory scratch_;
  std::unique_ptr<RootPaths> roots_;
};

TEST_F(TaskConversionTest, ReadsClassNamesFromAFile) {
  v1::Task task = Files();
  task.mutable_files()->set_class_names_path("classes.txt");
  ASSERT_OK_AND_ASSIGN(const data::TaskSource source, ToTaskSource(task, *roots_));
  EXPECT_EQ(source.class_names, (std::vector<std::string>{"cat", "dog"}));
  EXPECT_EQ(source.format, "idx");
  task.add_class_names("x");
  EXPECT_THAT(ToTaskSource(task, *roots_), FailsWith(StatusCode::kInvalidArgument, "CLASS_NAMES_TWICE"));
}

TEST_F(TaskConversionTest, RefusesWhatIsNoSource) {
  EXPECT_THAT(ToTaskSource({}, *roots_), FailsWith(StatusCode::kInvalidArgument, "TASK_WITHOUT_SOURCE"));
  v1::Task task = Files();
  task.mutable_files()->clear_format();
  EXPECT_THAT(ToTaskSource(task, *roots_), FailsWith(StatusCode::kInvalidArgument, "UNKNOWN_TASK_FORMAT"));
  task = Files();
  task.mutable_files()->set_split_seed(-1);
  EXPECT_THAT(ToTaskSource(task, *roots_), FailsWith(StatusCode::kInvalidArgument, "BAD_SEED"));
  task = Files();
  task.mutable_files()->set_class_names_path("../outside");
  EXPECT_THAT(ToTaskSource(task, *roots_), FailsWith(StatusCode::kPermissionDenied, "PATH_OUTSIDE_ROOTS"));
}

TEST_F(TaskConversionTest, StagesTheFilesOfADirectory) {
  ASSERT_OK_AND_ASSIGN(const data::TaskSource source, ToTaskSource(Files(), *roots_));
  ASSERT_OK_AND_ASSIGN(const data::TaskSource staged, StageTaskFiles(source, *roots_, scratch_.Path("staged"), {}));
  EXPECT_EQ(staged.train, "train");
  EXPECT_TRUE(std::ifstream(scratch_.Path("staged/train/train-images-idx3-ubyte")).good());
  EXPECT_TRUE(std::ifstream(scratch_.Path("staged/train/train-labels-idx1-ubyte.gz")).good());
  EXPECT_FALSE(std::ifstream(scratch_.Path("staged/train/README")).good());
}

TEST_F(TaskConversionTest, StagesTheLabelsBesideAnImagesFile) {
  data::TaskSource source;
  source.format = "idx";
  source.test = "mnist/train-images-idx3-ubyte";
  ASSERT_OK_AND_ASSIGN(const data::TaskSource staged, StageTaskFiles(source, *roots_, scratch_.Path("staged"), {}));
  EXPECT_EQ(staged.test, "test/train-images-idx3-ubyte");
  EXPECT_TRUE(std::ifstream(scratch_.Path("staged/test/train-labels-idx1-ubyte.gz")).good());
}

TEST_F(TaskConversionTest, StagesTheImagesThatJsonLinesName) {
  const auto line = [](const std::string& image) {
    return fmt::format("{{\"image\": \"{}\", \"candidates\": [\"a\"], \"answer\": 0}}\n", image);
  };
  WriteTestFile(scratch_.Path("root/vqa/photos/1.png"), "1");
  WriteTestFile(scratch_.Path("root/vqa/2.png"), "2");
  WriteTestFile(scratch_.Path("root/vqa/other.png"), "o");
  WriteTestFile(scratch_.Path("root/vqa/x.jsonl"), line("photos/1.png") + line("./photos//1.png") + line("2.png"));
  v1::Task task;
  task.mutable_files()->set_format(v1::TASK_FORMAT_JSON_LINES);
  task.mutable_files()->set_train_path("vqa/x.jsonl");
  task.mutable_files()->set_test_path(scratch_.Path("root/vqa/x.jsonl"));
  ASSERT_OK_AND_ASSIGN(data::TaskSource source, ToTaskSource(task, *roots_));
  EXPECT_EQ(source.format, "json-lines");
  ASSERT_OK_AND_ASSIGN(const data::TaskSource staged, StageTaskFiles(source, *roots_, scratch_.Path("staged"), {}));
  EXPECT_EQ(staged.train, "train/x.jsonl");
  EXPECT_EQ(staged.test, "test/x.jsonl");
  for (const char* name : {"train/x.jsonl", "train/photos/1.png", "train/2.png", "test/photos/1.png", "test/2.png"}) {
    EXPECT_TRUE(std::ifstream(scratch_.Path("staged/") + name).good()) << name;
  }
  EXPECT_FALSE(std::ifstream(scratch_.Path("staged/train/other.png")).good());

  WriteTestFile(scratch_.Path("root/vqa/y.jsonl"), line("2.png") + line("3.png"));
  source.train = "vqa/y.jsonl";
  const auto missing = StageTaskFiles(source, *roots_, scratch_.Path("staged2"), {});
  EXPECT_THAT(missing, FailsWith(StatusCode::kNotFound, "FILE_NOT_FOUND"));
  EXPECT_EQ(base::FieldOf(missing.status()), "train");
  EXPECT_EQ(missing.status().message(),
            "vqa/y.jsonl: line 2: there is no image '3.png' below the directory of this file");
  WriteTestFile(scratch_.Path("secret.png"), "s");
  std::filesystem::create_symlink(scratch_.Path("secret.png"), scratch_.Path("root/vqa/3.png"));
  EXPECT_THAT(StageTaskFiles(source, *roots_, scratch_.Path("staged3"), {}),
              FailsWith(StatusCode::kPermissionDenied, "PATH_OUTSIDE_ROOTS"));
}

TEST_F(TaskConversionTest, JsonLinesTakeNoFileOfClassNames) {
  v1::Task task = Files();
  task.mutable_files()->set_format(v1::TASK_FORMAT_JSON_LINES);
  task.mutable_files()->set_class_names_path("classes.txt");
  const auto refused = ToTaskSource(task, *roots_);
  EXPECT_THAT(refused, FailsWith(StatusCode::kInvalidArgument, "UNEXPECTED_FIELD"));
  EXPECT_EQ(base::FieldOf(refused.status()), "files.class_names_path");
}

TEST_F(TaskConversionTest, PartitionsBecomePartOfTheSource) {
  v1::Task task = Files();
  v1::ClassPartition& partition = *task.mutable_class_partition();
  const auto refused = ToTaskSource(task, *roots_);
  EXPECT_THAT(refused, FailsWith(StatusCode::kInvalidArgument, "BAD_CLASS_PARTITION"));
  EXPECT_EQ(base::FieldOf(refused.status()), "class_partition.parts");
  partition.set_parts(10);
  partition.set_part(9);
  partition.set_seed(5);
  ASSERT_OK_AND_ASSIGN(const data::TaskSource source, ToTaskSource(task, *roots_));
  EXPECT_EQ(source.partition_parts, 10);
  EXPECT_EQ(source.partition_part, 9);
  EXPECT_EQ(source.partition_seed, 5u);
  // The copies of the files are the same for all parts.
  ASSERT_OK_AND_ASSIGN(const data::TaskSource whole, ToTaskSource(Files(), *roots_));
  EXPECT_EQ(ContentJson(source), ContentJson(whole));
  partition.set_seed(-1);
  EXPECT_THAT(ToTaskSource(task, *roots_), FailsWith(StatusCode::kInvalidArgument, "BAD_SEED"));
  EXPECT_EQ(base::FieldOf(WithTaskField(base::WithField(base::InvalidArgument("X", "x"), "partition_part"), task)),
            "class_partition.part");
}

TEST_F(TaskConversionTest, StoredPathsAreRelativeAndReadBackAbsolute) {
  data::TaskSource source;
  source.format = "idx";
  source.train = "train";
  store::TaskRecord record;
  record.source_json = data::TaskSourceToJson(WithDirectory(source, "key"));
  ASSERT_OK_AND_ASSIGN(const data::TaskSource absolute, TaskSourceOf(record, "/data/tasks"));
  EXPECT_EQ(absolute.train, "/data/tasks/key/train");
  EXPECT_EQ(absolute.test, "");
  EXPECT_EQ(ContentKeyOf(WithDirectory(source, "key")), "key");
  EXPECT_EQ(ContentKeyOf({}), "");
}

TEST_F(TaskConversionTest, CoreFieldsBecomeTheMessages) {
  const absl::Status core = base::WithField(base::InvalidArgument("X", "x"), "train");
  EXPECT_EQ(base::FieldOf(WithTaskField(core, Files())), "files.train_path");
  v1::Task generated;
  generated.mutable_generator();
  EXPECT_EQ(base::FieldOf(WithTaskField(core, generated)), "generator.train_examples");
  EXPECT_EQ(base::FieldOf(WithTaskField(base::WithField(base::InvalidArgument("X", "x"), "class_names[2]"), generated)),
            "class_names[2]");
}

}  // namespace
}  // namespace modelpatch::server
