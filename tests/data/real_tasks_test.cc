// Tasks made of published data sets; each test skips where the files are not there.
#include <map>

#include "core/data/batch_loader.h"
#include "core/data/pixel_set.h"
#include "core/data/task.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_data.h"

namespace modelpatch::data {
namespace {

TaskSource Source(const std::string& format, const std::string& train, const std::string& test,
                  const std::string& builtin) {
  TaskSource source;
  source.format = format;
  source.train = train;
  source.test = test;
  source.class_names = {"builtin:" + builtin};
  source.templates = {"builtin:" + builtin};
  return source;
}

TEST(RealTasks, Mnist) {
  MODELPATCH_TEST_DATA_OR_SKIP(path, "data/mnist");
  ASSERT_OK_AND_ASSIGN(const Task task, OpenTask("mnist", Source("idx", path, path, "mnist")));
  EXPECT_EQ(task.train->size(), 54'000);
  EXPECT_EQ(task.validation->size(), 6'000);
  ASSERT_EQ(task.test->size(), 10'000);
  // As published: the first test digit is a 7, and there are 980 zeros and 1135 ones.
  EXPECT_EQ(task.test->label(0), 7);
  std::map<int32_t, int> counts;
  for (const int32_t label : LabelsOf(*task.test)) ++counts[label];
  EXPECT_EQ(counts[0], 980);
  EXPECT_EQ(counts[1], 1135);
  ASSERT_OK_AND_ASSIGN(const RgbImage image, task.test->image(0));
  EXPECT_EQ(image.width, 28);
  EXPECT_EQ(image.height, 28);
  int64_t sum = 0;
  for (const uint8_t value : image.pixels) sum += value;
  EXPECT_GT(sum, 0);

  PreprocessConfig config;
  config.image_size = 32;
  ASSERT_OK_AND_ASSIGN(const PixelSet set, PreprocessDataset(*task.test, config, 2, {}, 500));
  EXPECT_EQ(set.count, 500);
  BatchLoader loader(task.train, config, {});
  ASSERT_OK_AND_ASSIGN(const Batch batch, loader.Next());
  EXPECT_EQ(batch.count, 128);
}

TEST(RealTasks, Cifar10) {
  MODELPATCH_TEST_DATA_OR_SKIP(path, "data/cifar10");
  ASSERT_OK_AND_ASSIGN(const Task task, OpenTask("cifar10", Source("cifar", path, path, "cifar10")));
  EXPECT_EQ(task.train->size(), 9'000);
  EXPECT_EQ(task.validation->size(), 1'000);
  EXPECT_EQ(task.test->size(), 10'000);
  std::map<int32_t, int> counts;
  for (const int32_t label : LabelsOf(*task.test)) ++counts[label];
  ASSERT_EQ(counts.size(), 10u);
  for (const auto& [label, count] : counts) EXPECT_EQ(count, 1'000) << label;
}

TEST(RealTasks, Cifar100) {
  MODELPATCH_TEST_DATA_OR_SKIP(path, "data/cifar100");
  ASSERT_OK_AND_ASSIGN(const Task task, OpenTask("cifar100", Source("cifar", path, path, "cifar100")));
  EXPECT_EQ(task.class_names.size(), 100u);
  std::map<int32_t, int> counts;
  for (const int32_t label : LabelsOf(*task.test)) ++counts[label];
  ASSERT_EQ(counts.size(), 100u);
  for (const auto& [label, count] : counts) EXPECT_EQ(count, 100) << label;
  TaskSource wrong = Source("cifar", path, path, "cifar10");
  EXPECT_THAT(OpenTask("cifar100", wrong),
              testing::FailsWith(absl::StatusCode::kInvalidArgument, "DATASET_LABEL_OUT_OF_RANGE"));
}

TEST(RealTasks, Gtsrb) {
  MODELPATCH_TEST_DATA_OR_SKIP(path, "data/gtsrb");
  ASSERT_OK_AND_ASSIGN(const Task task,
                       OpenTask("gtsrb", Source("image-folder", path + "/train", path + "/test", "gtsrb")));
  EXPECT_EQ(task.class_names[14], "stop");
  EXPECT_EQ(task.train->size() + task.validation->size(), 43 * 20);
  EXPECT_EQ(task.test->size(), 43 * 10);
  PreprocessConfig config;
  config.image_size = 32;
  ASSERT_OK_AND_ASSIGN(const PixelSet set, PreprocessDataset(*task.test, config, 2, {}));
  EXPECT_EQ(set.count, 430);
}

}  // namespace
}  // namespace modelpatch::data
