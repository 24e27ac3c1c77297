#include "core/data/batch_loader.h"

#include <algorithm>
#include <set>

#include "core/base/random.h"
#include "core/data/resize.h"
#include "tests/data/dataset_samples.h"
#include "tests/support/status_matchers.h"

namespace modelpatch::data {
namespace {

using ::modelpatch::testing::CountingDataset;
using ::modelpatch::testing::FailsWith;
using ::testing::ElementsAre;
constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

PreprocessConfig Config(int size = 8) {
  PreprocessConfig config;
  config.image_size = size;
  return config;
}

// Label = index, so that the labels of a batch tell which examples it holds.
std::shared_ptr<const Dataset> Numbered(int64_t size, int64_t broken = -1) {
  return std::make_shared<const CountingDataset>(size, static_cast<int32_t>(size), 12, 10, broken);
}

BatchLoaderOptions Options(int64_t batch_size) {
  BatchLoaderOptions options;
  options.batch_size = batch_size;
  options.seed = 5;
  return options;
}

std::vector<Batch> Take(BatchLoader& loader, int count) {
  std::vector<Batch> batches;
  for (int i = 0; i < count; ++i) {
    auto batch = loader.Next();
    EXPECT_OK(batch);
    if (!batch.ok()) break;
    batches.push_back(*std::move(batch));
  }
  return batches;
}

TEST(BatchLoader, EveryEpochHoldsEveryExampleOnceAndEveryBatchIsFull) {
  BatchLoader loader(Numbered(10), Config(), Options(4));
  const std::vector<Batch> batches = Take(loader, 5);  // two epochs
  std::vector<int32_t> order;
  for (size_t i = 0; i < batches.size(); ++i) {
    EXPECT_EQ(batches[i].step, static_cast<int64_t>(i));
    EXPECT_EQ(batches[i].count, 4);
    EXPECT_EQ(batches[i].pixels.size(), 4u * 3 * 8 * 8);
    order.insert(order.end(), batches[i].labels.begin(), batches[i].labels.end());
  }
  ASSERT_EQ(order.size(), 20u);
  const std::vector<int32_t> first(order.begin(), order.begin() + 10), second(order.begin() + 10, order.end());
  EXPECT_EQ(std::set<int32_t>(first.begin(), first.end()).size(), 10u);
  EXPECT_EQ(std::set<int32_t>(second.begin(), second.end()).size(), 10u);
  EXPECT_NE(first, second);
  const std::vector<int64_t> expected = base::RandomStream(5, "shuffle", 1).Permutation(10);
  EXPECT_TRUE(std::equal(second.begin(), second.end(), expected.begin()));
}

TEST(BatchLoader, ABatchMayBeLongerThanTheDataset) {
  BatchLoader loader(Numbered(3), Config(), Options(7));
  const std::vector<Batch> batches = Take(loader, 1);
  std::vector<int32_t> labels = batches[0].labels;
  std::sort(labels.begin(), labels.begin() + 6);
  EXPECT_EQ(std::vector<int32_t>(labels.begin(), labels.begin() + 6), (std::vector<int32_t>{0, 0, 1, 1, 2, 2}));
}

TEST(BatchLoader, NeitherThreadsNorPrefetchNorTheFirstStepChangeABit) {
  BatchLoader reference(Numbered(30), Config(), Options(8));
  const std::vector<Batch> expected = Take(reference, 12);
  for (const int threads : {1, 2, 5}) {
    for (const int prefetch : {0, 1, 9}) {
      for (const int64_t first_step : {0, 7}) {
        BatchLoaderOptions options = Options(8);
        options.threads = threads;
        options.prefetch = prefetch;
        options.first_step = first_step;
        BatchLoader loader(Numbered(30), Config(), options);
        for (const Batch& batch : Take(loader, static_cast<int>(12 - first_step))) {
          const Batch& same = expected[static_cast<size_t>(batch.step)];
          EXPECT_EQ(batch.labels, same.labels);
          EXPECT_TRUE(batch.pixels == same.pixels) << "step " << batch.step;
        }
      }
    }
  }
}

TEST(BatchLoader, TheSeedChangesOrderAndCrops) {
  BatchLoaderOptions options = Options(30);
  BatchLoader one(Numbered(30), Config(), options);
  options.seed = 6;
  BatchLoader other(Numbered(30), Config(), options);
  EXPECT_NE(Take(one, 1)[0].labels, Take(other, 1)[0].labels);
  options.shuffle = false;
  BatchLoader ordered(Numbered(30), Config(), options);
  options.seed = 7;
  BatchLoader reseeded(Numbered(30), Config(), options);
  const Batch a = Take(ordered, 1)[0], b = Take(reseeded, 1)[0];
  EXPECT_EQ(a.labels, b.labels);
  EXPECT_FALSE(a.pixels == b.pixels);
}

TEST(BatchLoader, WithoutShufflingGoesInOrder) {
  BatchLoaderOptions options = Options(4);
  options.shuffle = false;
  BatchLoader loader(Numbered(6), Config(), options);
  const std::vector<Batch> batches = Take(loader, 2);
  EXPECT_THAT(batches[0].labels, ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(batches[1].labels, ElementsAre(4, 5, 0, 1));
}

TEST(BatchLoader, WithoutAugmentationIsTheEvaluationTransform) {
  BatchLoaderOptions options = Options(3);
  options.shuffle = options.augment = false;
  const auto dataset = Numbered(3);
  BatchLoader loader(dataset, Config(), options);
  const Batch batch = Take(loader, 1)[0];
  for (int64_t i = 0; i < 3; ++i) {
    std::vector<float> expected(3 * 8 * 8);
    NormalizeToPlanar(ResizeForModel(*dataset->image(i), Config()).pixels.data(), Config(), expected.data());
    EXPECT_TRUE(std::equal(expected.begin(), expected.end(), batch.pixels.begin() + i * 3 * 8 * 8)) << i;
  }
}

TEST(BatchLoader, EveryExampleBringsItsCandidates) {
  const auto dataset = std::make_shared<const testing::PairedDataset>(10, 10);
  BatchLoader loader(dataset, Config(), Options(7));
  for (const Batch& batch : Take(loader, 3)) {
    ASSERT_EQ(batch.candidates.size(), 7u);
    for (size_t i = 0; i < 7; ++i) EXPECT_EQ(batch.candidates[i], dataset->candidates(batch.labels[i])) << i;
  }
  BatchLoader all_classes(Numbered(10), Config(), Options(7));
  EXPECT_TRUE(Take(all_classes, 1)[0].candidates.empty());
}

TEST(BatchLoader, AnErrorComesAtItsStepAndStays) {
  for (const int threads : {1, 3}) {
    BatchLoaderOptions options = Options(4);
    options.shuffle = false;
    options.threads = threads;
    BatchLoader loader(Numbered(20, /*broken=*/9), Config(), options);
    EXPECT_EQ(Take(loader, 2).size(), 2u);
    for (int i = 0; i < 3; ++i) {
      const auto failed = loader.Next();
      EXPECT_THAT(failed, FailsWith(kInvalid, "IMAGE_CORRUPT"));
      EXPECT_THAT(std::string(failed.status().message()), ::testing::HasSubstr("example 9"));
    }
  }
}

TEST(BatchLoader, CanBeDroppedAtAnyTime) {
  for (int taken = 0; taken < 3; ++taken) {
    BatchLoaderOptions options = Options(4);
    options.threads = 3;
    const auto dataset = Numbered(20);
    {
      BatchLoader loader(dataset, Config(), options);
      Take(loader, taken);
    }
    EXPECT_EQ(dataset.use_count(), 1) << "no thread reads on";
  }
}

TEST(BatchLoader, NextSaysWhatIsWrongWithTheArguments) {
  const auto next = [](std::shared_ptr<const Dataset> dataset, int size, const BatchLoaderOptions& options) {
    return BatchLoader(std::move(dataset), Config(size), options).Next();
  };
  EXPECT_THAT(next(Numbered(3), 8, Options(0)), FailsWith(kInvalid, "BAD_BATCH_OPTIONS"));
  EXPECT_THAT(next(Numbered(3), 8, Options(INT64_MAX)), FailsWith(kInvalid, "BAD_BATCH_OPTIONS"));
  BatchLoaderOptions negative = Options(1);
  negative.first_step = -1;
  EXPECT_THAT(next(Numbered(3), 8, negative), FailsWith(kInvalid, "BAD_BATCH_OPTIONS"));
  EXPECT_THAT(next(Numbered(3), 0, Options(1)), FailsWith(kInvalid, "BAD_IMAGE_SIZE"));
  EXPECT_THAT(next(nullptr, 8, Options(1)), FailsWith(kInvalid, "DATASET_EMPTY"));
  EXPECT_THAT(next(Numbered(0), 8, Options(1)), FailsWith(kInvalid, "DATASET_EMPTY"));
}

}  // namespace
}  // namespace modelpatch::data
