#include "core/data/idx_dataset.h"

#include <filesystem>

#include "tests/data/dataset_samples.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_data.h"

namespace modelpatch::data {
namespace {

using ::modelpatch::testing::BigEndian;
using ::modelpatch::testing::FailsWith;
using ::modelpatch::testing::Gzip;
using ::modelpatch::testing::IdxImages;
using ::modelpatch::testing::IdxLabels;
using ::testing::HasSubstr;
constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

class IdxDatasetTest : public ::testing::Test {
 protected:
  void Write(const std::string& name, const std::string& bytes) {
    testing::WriteTestFile(directory_.Path(name), bytes);
  }
  void WriteTrain(const std::string& images, const std::string& labels) {
    Write("train-images-idx3-ubyte", images);
    Write("train-labels-idx1-ubyte", labels);
  }
  absl::StatusOr<OpenedDataset> Open(Split split = Split::kTrain, int64_t class_count = 10) {
    return OpenIdxDataset(directory_.path(), split, class_count);
  }
  testing::ScratchDirectory directory_;
};

TEST_F(IdxDatasetTest, ReadsImagesAndLabels) {
  WriteTrain(IdxImages(3, 2, 4), IdxLabels({7, 0, 9}));
  ASSERT_OK_AND_ASSIGN(const OpenedDataset opened, Open());
  ASSERT_EQ(opened.dataset->size(), 3);
  EXPECT_EQ(LabelsOf(*opened.dataset), (std::vector<int32_t>{7, 0, 9}));
  ASSERT_OK_AND_ASSIGN(const RgbImage image, opened.dataset->image(1));
  EXPECT_EQ(image.width, 4);
  EXPECT_EQ(image.height, 2);
  EXPECT_EQ(image.pixels, (std::vector<uint8_t>{8,  8,  8,  9,  9,  9,  10, 10, 10, 11, 11, 11,
                                                12, 12, 12, 13, 13, 13, 14, 14, 14, 15, 15, 15}));
}

TEST_F(IdxDatasetTest, GzipAndRawAreTheSame) {
  WriteTrain(IdxImages(3, 2, 4), IdxLabels({7, 0, 9}));
  Write("t10k-images-idx3-ubyte.gz", Gzip(IdxImages(3, 2, 4)));
  Write("t10k-labels-idx1-ubyte.gz", Gzip(IdxLabels({7, 0, 9})));
  ASSERT_OK_AND_ASSIGN(const OpenedDataset raw, Open(Split::kTrain));
  ASSERT_OK_AND_ASSIGN(const OpenedDataset packed, Open(Split::kTest));
  EXPECT_EQ(raw.digest, packed.digest);
  ASSERT_OK_AND_ASSIGN(const RgbImage a, raw.dataset->image(2));
  ASSERT_OK_AND_ASSIGN(const RgbImage b, packed.dataset->image(2));
  EXPECT_EQ(a.pixels, b.pixels);
  // Which of the two is the validation split, nobody can know.
  EXPECT_THAT(Open(Split::kValidation), FailsWith(kInvalid, "DATASET_AMBIGUOUS"));
}

TEST_F(IdxDatasetTest, ADotMayStandForTheLastHyphen) {
  Write("train-images.idx3-ubyte", IdxImages(3, 2, 4));
  Write("train-labels.idx1-ubyte", IdxLabels({7, 0, 9}));
  Write("t10k-images.idx3-ubyte.gz", Gzip(IdxImages(2, 2, 4)));
  Write("t10k-labels.idx1-ubyte.gz", Gzip(IdxLabels({1, 2})));
  // As some archives leave them beside the files.
  Write("train-images-idx3-ubyte/train-images-idx3-ubyte", IdxImages(1, 2, 4));
  ASSERT_OK_AND_ASSIGN(const OpenedDataset train, Open(Split::kTrain));
  EXPECT_EQ(LabelsOf(*train.dataset), (std::vector<int32_t>{7, 0, 9}));
  ASSERT_OK_AND_ASSIGN(const OpenedDataset test, Open(Split::kTest));
  EXPECT_EQ(LabelsOf(*test.dataset), (std::vector<int32_t>{1, 2}));
  // The original spelling goes first.
  Write("t10k-images-idx3-ubyte", IdxImages(1, 2, 4));
  Write("t10k-labels-idx1-ubyte", IdxLabels({5}));
  ASSERT_OK_AND_ASSIGN(const OpenedDataset original, Open(Split::kTest));
  EXPECT_EQ(LabelsOf(*original.dataset), (std::vector<int32_t>{5}));
}

TEST_F(IdxDatasetTest, FindsTheLabelsBesideAnImagesFile) {
  Write("my-images.idx3", IdxImages(2, 3, 3));
  Write("my-labels.idx1.gz", Gzip(IdxLabels({1, 2})));
  ASSERT_OK_AND_ASSIGN(const OpenedDataset opened, OpenIdxDataset(directory_.Path("my-images.idx3"), Split::kTrain, 3));
  EXPECT_EQ(LabelsOf(*opened.dataset), (std::vector<int32_t>{1, 2}));
  Write("other.idx", IdxImages(2, 3, 3));
  EXPECT_THAT(OpenIdxDataset(directory_.Path("other.idx"), Split::kTrain, 3),
              FailsWith(absl::StatusCode::kNotFound, "DATASET_FILES_MISSING"));
}

TEST_F(IdxDatasetTest, SaysWhichLabelIsOutOfRange) {
  WriteTrain(IdxImages(3, 2, 2), IdxLabels({1, 10, 2}));
  const auto opened = Open();
  EXPECT_THAT(opened, FailsWith(kInvalid, "DATASET_LABEL_OUT_OF_RANGE"));
  EXPECT_THAT(std::string(opened.status().message()), HasSubstr("label 10 at byte 9"));
  EXPECT_OK(Open(Split::kTrain, 11));
}

TEST_F(IdxDatasetTest, RefusesEveryCutAndTrailingBytes) {
  const std::string images = IdxImages(2, 2, 2);
  const std::string labels = IdxLabels({0, 1});
  for (size_t size = 0; size < images.size(); ++size) {
    WriteTrain(images.substr(0, size), labels);
    EXPECT_THAT(Open(), FailsWith(kInvalid, "DATASET_TRUNCATED")) << size;
  }
  for (size_t size = 0; size < labels.size(); ++size) {
    WriteTrain(images, labels.substr(0, size));
    EXPECT_THAT(Open(), FailsWith(kInvalid, "DATASET_TRUNCATED")) << size;
  }
  WriteTrain(images + "x", labels);
  EXPECT_THAT(Open(), FailsWith(kInvalid, "DATASET_TRAILING_BYTES"));
  WriteTrain(images, labels + "x");
  EXPECT_THAT(Open(), FailsWith(kInvalid, "DATASET_TRAILING_BYTES"));
}

TEST_F(IdxDatasetTest, RefusesCutGzip) {
  const std::string packed = Gzip(IdxImages(2, 8, 8));
  Write("train-images-idx3-ubyte.gz", packed.substr(0, packed.size() - 10));
  Write("train-labels-idx1-ubyte", IdxLabels({0, 1}));
  EXPECT_THAT(Open(), FailsWith(kInvalid, "GZIP_TRUNCATED"));
}

TEST_F(IdxDatasetTest, RefusesWrongMagicAndWrongCounts) {
  WriteTrain(IdxLabels({0, 1}), IdxLabels({0, 1}));
  const auto swapped = Open();
  EXPECT_THAT(swapped, FailsWith(kInvalid, "DATASET_BAD_MAGIC"));
  EXPECT_THAT(std::string(swapped.status().message()), HasSubstr("0x00000801"));
  WriteTrain(IdxImages(3, 2, 2), IdxLabels({0, 1}));
  EXPECT_THAT(Open(), FailsWith(kInvalid, "DATASET_COUNT_MISMATCH"));
  WriteTrain(IdxImages(0, 2, 2), IdxLabels({}));
  EXPECT_THAT(Open(), FailsWith(kInvalid, "DATASET_EMPTY"));
}

TEST_F(IdxDatasetTest, RefusesSizesThatOverflow) {
  for (const auto& [count, rows, columns] :
       {std::tuple{0xffffffffu, 0xffffffffu, 0xffffffffu}, std::tuple{1u, 1u, 0xffffffffu},
        std::tuple{0x40000000u, 0x4000u, 0x4000u}}) {
    WriteTrain(BigEndian(0x803) + BigEndian(count) + BigEndian(rows) + BigEndian(columns), IdxLabels({0}));
    EXPECT_THAT(Open(), FailsWith(kInvalid, "DATASET_TOO_LARGE"));
  }
}

TEST_F(IdxDatasetTest, DoesNotFollowLinksOutOfTheDirectory) {
  testing::ScratchDirectory elsewhere;
  testing::WriteTestFile(elsewhere.Path("images"), IdxImages(1, 2, 2));
  std::filesystem::create_symlink(elsewhere.Path("images"), directory_.Path("train-images-idx3-ubyte"));
  Write("train-labels-idx1-ubyte", IdxLabels({0}));
  EXPECT_THAT(Open(), FailsWith(absl::StatusCode::kPermissionDenied, "PATH_OUTSIDE_ROOT"));
}

TEST_F(IdxDatasetTest, SaysWhatIsMissing) {
  EXPECT_THAT(Open(), FailsWith(absl::StatusCode::kNotFound, "DATASET_FILES_MISSING"));
  EXPECT_EQ(OpenIdxDataset(directory_.Path("nowhere"), Split::kTrain, 10).status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace modelpatch::data
