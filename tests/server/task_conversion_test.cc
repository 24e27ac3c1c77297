#include "server/task_conversion.h"

#include <gtest/gtest.h>

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
