#include "core/data/cifar_dataset.h"

#include "tests/data/dataset_samples.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_data.h"

namespace modelpatch::data {
namespace {

using ::modelpatch::testing::CifarRecords;
using ::modelpatch::testing::FailsWith;
using ::modelpatch::testing::Gzip;
using ::testing::HasSubstr;
constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

class CifarDatasetTest : public ::testing::Test {
 protected:
  std::string Write(const std::string& name, const std::string& bytes) {
    testing::WriteTestFile(directory_.Path(name), bytes);
    return directory_.Path(name);
  }
  testing::ScratchDirectory directory_;
};

TEST_F(CifarDatasetTest, ReadsOneLabelByte) {
  const std::string path = Write("x.bin", CifarRecords({3, 9}, 1));
  ASSERT_OK_AND_ASSIGN(const OpenedDataset opened, OpenCifarDataset(path, Split::kTrain, 10));
  EXPECT_EQ(LabelsOf(*opened.dataset), (std::vector<int32_t>{3, 9}));
  ASSERT_OK_AND_ASSIGN(const RgbImage image, opened.dataset->image(1));
  ASSERT_EQ(image.width, 32);
  ASSERT_EQ(image.height, 32);
  // Planes become interleaved: pixel 5's red, green and blue are bytes 5, 1029 and 2053.
  EXPECT_EQ(image.pixels[15], (13 + 5) % 251);
  EXPECT_EQ(image.pixels[16], (13 + 1029) % 251);
  EXPECT_EQ(image.pixels[17], (13 + 2053) % 251);
}

TEST_F(CifarDatasetTest, TakesTheFineOfTwoLabelBytes) {
  const std::string path = Write("x.bin.gz", Gzip(CifarRecords({3, 99, 42}, 2)));
  ASSERT_OK_AND_ASSIGN(const OpenedDataset opened, OpenCifarDataset(path, Split::kTrain, 100));
  EXPECT_EQ(LabelsOf(*opened.dataset), (std::vector<int32_t>{3, 99, 42}));
  ASSERT_OK_AND_ASSIGN(const RgbImage image, opened.dataset->image(2));
  EXPECT_EQ(image.pixels[0], 26);
}

TEST_F(CifarDatasetTest, ASizeThatFitsBothIsDecidedByTheLabels) {
  // 3074 records of 3073 bytes are as long as 3073 records of 3074.
  std::vector<uint8_t> labels(3074, 7);
  ASSERT_OK_AND_ASSIGN(const OpenedDataset one,
                       OpenCifarDataset(Write("one.bin", CifarRecords(labels, 1)), Split::kTrain, 10));
  EXPECT_EQ(one.dataset->size(), 3074);
  labels.pop_back();
  ASSERT_OK_AND_ASSIGN(const OpenedDataset two,
                       OpenCifarDataset(Write("two.bin", CifarRecords(labels, 2)), Split::kTrain, 100));
  EXPECT_EQ(two.dataset->size(), 3073);
  EXPECT_THAT(OpenCifarDataset(Write("zero.bin", std::string(3073 * 3074, '\0')), Split::kTrain, 10),
              FailsWith(kInvalid, "DATASET_AMBIGUOUS"));
}

TEST_F(CifarDatasetTest, ReadsADirectorysBatchesInTheOrderOfTheirNumbers) {
  Write("data_batch_10.bin", CifarRecords({4}, 1));
  Write("data_batch_2.bin.gz", Gzip(CifarRecords({2, 3}, 1)));
  Write("data_batch_1.bin", CifarRecords({1}, 1));
  Write("data_batch_1.bin.gz", Gzip(CifarRecords({9}, 1)));  // the raw one goes first
  Write("test_batch.bin", CifarRecords({5}, 1));
  ASSERT_OK_AND_ASSIGN(const OpenedDataset train, OpenCifarDataset(directory_.path(), Split::kTrain, 10));
  EXPECT_EQ(LabelsOf(*train.dataset), (std::vector<int32_t>{1, 2, 3, 4}));
  ASSERT_OK_AND_ASSIGN(const OpenedDataset test, OpenCifarDataset(directory_.path(), Split::kTest, 10));
  EXPECT_EQ(LabelsOf(*test.dataset), (std::vector<int32_t>{5}));
  EXPECT_NE(train.digest, test.digest);
  EXPECT_THAT(OpenCifarDataset(directory_.path(), Split::kValidation, 10), FailsWith(kInvalid, "DATASET_AMBIGUOUS"));
}

TEST_F(CifarDatasetTest, SaysWhichLabelIsOutOfRange) {
  const auto fine = OpenCifarDataset(Write("x.bin", CifarRecords({1, 10}, 1)), Split::kTrain, 10);
  EXPECT_THAT(fine, FailsWith(kInvalid, "DATASET_LABEL_OUT_OF_RANGE"));
  EXPECT_THAT(std::string(fine.status().message()), HasSubstr("label 10 at byte 3073"));
  EXPECT_THAT(OpenCifarDataset(Write("y.bin", CifarRecords({1, 200}, 2)), Split::kTrain, 256),
              FailsWith(kInvalid, "DATASET_LABEL_OUT_OF_RANGE"));  // coarse label 40
}

TEST_F(CifarDatasetTest, RefusesCutAndEmptyFiles) {
  const std::string bytes = CifarRecords({1, 2}, 1);
  for (const size_t size : {size_t{1}, size_t{3072}, size_t{3075}, bytes.size() - 1}) {
    EXPECT_THAT(OpenCifarDataset(Write("x.bin", bytes.substr(0, size)), Split::kTrain, 10),
                FailsWith(kInvalid, "DATASET_TRUNCATED"))
        << size;
  }
  EXPECT_THAT(OpenCifarDataset(Write("x.bin", ""), Split::kTrain, 10), FailsWith(kInvalid, "DATASET_EMPTY"));
  testing::ScratchDirectory empty;
  EXPECT_THAT(OpenCifarDataset(empty.path(), Split::kTest, 10),
              FailsWith(absl::StatusCode::kNotFound, "DATASET_FILES_MISSING"));
}

TEST_F(CifarDatasetTest, ReadsNoFurtherThanAFileMayBe) {
  // Half a megabyte that claims 544: whole records, valid labels.
  const std::string member = Gzip(std::string(32 << 20, '\0'));
  std::string bomb;
  for (int i = 0; i < 17; ++i) bomb += member;
  const auto opened = OpenCifarDataset(Write("x.bin.gz", bomb + "damage behind the limit"), Split::kTrain, 10);
  EXPECT_THAT(opened, FailsWith(kInvalid, "DATASET_TOO_LARGE"));
  EXPECT_THAT(std::string(opened.status().message()), HasSubstr("174705 images fit"));
}

}  // namespace
}  // namespace modelpatch::data
