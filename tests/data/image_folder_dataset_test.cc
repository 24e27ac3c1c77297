#include "core/data/image_folder_dataset.h"

#include <filesystem>
#include <utility>

#include "tests/support/status_matchers.h"
#include "tests/support/test_data.h"

namespace modelpatch::data {
namespace {

using ::modelpatch::testing::FailsWith;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

// A binary PPM of one pixel.
std::string Ppm(uint8_t red) { return std::string("P6 1 1 255\n") + static_cast<char>(red) + "\x02\x03"; }

class ImageFolderDatasetTest : public ::testing::Test {
 protected:
  void Write(const std::string& name, const std::string& bytes) {
    testing::WriteTestFile(directory_.Path(name), bytes);
  }
  testing::ScratchDirectory directory_;
};

TEST_F(ImageFolderDatasetTest, FoldersAreClassesInSortedOrder) {
  Write("dog/b.PPM", Ppm(12));
  Write("dog/a.png", Ppm(11));  // told apart by content
  Write("cat/z.ppm", Ppm(10));
  Write("dog/notes.csv", "not an image");
  Write("dog/.hidden.ppm", "not an image");
  Write("README.txt", "no class");
  ASSERT_OK_AND_ASSIGN(const OpenedDataset opened, OpenImageFolderDataset(directory_.path(), {}));
  EXPECT_THAT(opened.class_names, ElementsAre("cat", "dog"));
  EXPECT_EQ(LabelsOf(*opened.dataset), (std::vector<int32_t>{0, 1, 1}));
  for (int64_t i = 0; i < 3; ++i) {
    ASSERT_OK_AND_ASSIGN(const RgbImage image, opened.dataset->image(i));
    EXPECT_EQ(image.pixels, (std::vector<uint8_t>{static_cast<uint8_t>(10 + i), 2, 3}));
  }
}

TEST_F(ImageFolderDatasetTest, TheDigestIsOverTheContent) {
  Write("a/x.ppm", Ppm(1));
  ASSERT_OK_AND_ASSIGN(const OpenedDataset first, OpenImageFolderDataset(directory_.path(), {}));
  Write("a/x.ppm", Ppm(2));
  ASSERT_OK_AND_ASSIGN(const OpenedDataset second, OpenImageFolderDataset(directory_.path(), {}));
  EXPECT_NE(first.digest, second.digest);
}

TEST_F(ImageFolderDatasetTest, AnUndecodableFileIsNamedWhenItIsAskedFor) {
  Write("a/x.ppm", "P6 1 1 255\n");
  ASSERT_OK_AND_ASSIGN(const OpenedDataset opened, OpenImageFolderDataset(directory_.path(), {}));
  const auto image = opened.dataset->image(0);
  EXPECT_THAT(image, FailsWith(kInvalid, "IMAGE_TRUNCATED"));
  EXPECT_THAT(std::string(image.status().message()), HasSubstr("a/x.ppm"));
}

TEST_F(ImageFolderDatasetTest, MessagesAboutImagesMayNameAnotherDirectory) {
  Write("a/x.ppm", "P6 1 1 255\n");
  Write("a/y.ppm", Ppm(1));
  ASSERT_OK_AND_ASSIGN(const OpenedDataset opened, OpenImageFolderDataset(directory_.path(), {}, "pets"));
  std::filesystem::remove(directory_.Path("a/y.ppm"));
  for (const auto& [index, name] : {std::pair(0, "pets/a/x.ppm"), {1, "pets/a/y.ppm"}}) {
    const std::string message(opened.dataset->image(index).status().message());
    EXPECT_THAT(message, HasSubstr(name));
    EXPECT_THAT(message, Not(HasSubstr(directory_.path())));
  }
  EXPECT_THAT(opened.dataset->image(1), FailsWith(absl::StatusCode::kNotFound, "FILE_NOT_FOUND"));
}

TEST_F(ImageFolderDatasetTest, RefusesWhatIsNoImageFolder) {
  EXPECT_THAT(OpenImageFolderDataset(directory_.path(), {}), FailsWith(kInvalid, "DATASET_NO_FOLDERS"));
  Write("file", "x");
  EXPECT_THAT(OpenImageFolderDataset(directory_.Path("file"), {}), FailsWith(kInvalid, "DATASET_NO_FOLDERS"));
  Write("a/notes.txt", "x");
  EXPECT_THAT(OpenImageFolderDataset(directory_.path(), {}), FailsWith(kInvalid, "DATASET_EMPTY"));
  Write("a/x.png", "");
  EXPECT_THAT(OpenImageFolderDataset(directory_.path(), {}), FailsWith(kInvalid, "IMAGE_EMPTY"));
}

TEST_F(ImageFolderDatasetTest, DoesNotFollowLinksOutOfTheDirectory) {
  testing::ScratchDirectory elsewhere;
  testing::WriteTestFile(elsewhere.Path("secret/x.ppm"), Ppm(1));
  Write("a/x.ppm", Ppm(1));
  std::filesystem::create_symlink(elsewhere.Path("secret/x.ppm"), directory_.Path("a/y.ppm"));
  EXPECT_THAT(OpenImageFolderDataset(directory_.path(), {}),
              FailsWith(absl::StatusCode::kPermissionDenied, "PATH_OUTSIDE_ROOT"));
  std::filesystem::remove(directory_.Path("a/y.ppm"));
  std::filesystem::create_symlink(elsewhere.Path("secret"), directory_.Path("b"));
  EXPECT_THAT(OpenImageFolderDataset(directory_.path(), {}),
              FailsWith(absl::StatusCode::kPermissionDenied, "PATH_OUTSIDE_ROOT"));
}

}  // namespace
}  // namespace modelpatch::data
