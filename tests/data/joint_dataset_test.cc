#include "core/data/joint_dataset.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

namespace modelpatch::data {
namespace {

using ::testing::ElementsAre;

// `size` examples of alternating classes; example i is an image of i + 1 columns. With `own_candidates`, example i is
// told apart from classes 0 and 1 alone.
class WidthsDataset final : public Dataset {
 public:
  WidthsDataset(int64_t size, int32_t classes, bool own_candidates = false)
      : size_(size), classes_(classes), own_candidates_(own_candidates) {}

  int64_t size() const override { return size_; }
  int32_t label(int64_t index) const override { return static_cast<int32_t>(index % classes_); }
  std::vector<int32_t> candidates(int64_t) const override {
    return own_candidates_ ? std::vector<int32_t>{0, 1} : std::vector<int32_t>();
  }
  absl::StatusOr<RgbImage> image(int64_t index) const override {
    RgbImage image;
    image.width = static_cast<int>(index + 1);
    image.height = 1;
    image.pixels.resize(3 * static_cast<size_t>(image.width));
    return image;
  }

 private:
  const int64_t size_;
  const int32_t classes_;
  const bool own_candidates_;
};

std::vector<JointPart> Parts() {
  return {{std::make_shared<const WidthsDataset>(3, 2), 2},
          {std::make_shared<const WidthsDataset>(7, 3), 3},
          {std::make_shared<const WidthsDataset>(1, 2, /*own_candidates=*/true), 4}};
}

TEST(JointDatasetTest, BySizeHasEveryExampleOnce) {
  const JointDataset joint(Parts(), JointBalance::kBySize);
  ASSERT_EQ(joint.size(), 11);
  EXPECT_THAT(LabelsOf(joint), ElementsAre(0, 1, 0, 2, 3, 4, 2, 3, 4, 2, 5));
  EXPECT_EQ(joint.image(2)->width, 3);
  EXPECT_EQ(joint.image(3)->width, 1);
  EXPECT_EQ(joint.image(9)->width, 7);
  EXPECT_EQ(joint.image(10)->width, 1);
  EXPECT_EQ(joint.first_class(1), 2);
  EXPECT_EQ(joint.first_class(3), 9);
}

TEST(JointDatasetTest, CandidatesAreTheClassesOfTheOwnPartOrItsOwnShifted) {
  const JointDataset joint(Parts(), JointBalance::kBySize);
  EXPECT_THAT(joint.candidates(0), ElementsAre(0, 1));
  EXPECT_THAT(joint.candidates(3), ElementsAre(2, 3, 4));
  EXPECT_THAT(joint.candidates(10), ElementsAre(5, 6));
}

TEST(JointDatasetTest, EvenGivesEveryPartTheLargestOnesCount) {
  const JointDataset joint(Parts(), JointBalance::kEven);
  ASSERT_EQ(joint.size(), 21);
  std::map<size_t, std::map<int, int>> seen;  // part → width of the image → times
  for (int64_t i = 0; i < joint.size(); ++i) {
    const int32_t label = joint.label(i);
    const size_t part = label < joint.first_class(1) ? 0 : label < joint.first_class(2) ? 1 : 2;
    ++seen[part][joint.image(i)->width];
  }
  EXPECT_EQ(seen[0], (std::map<int, int>{{1, 3}, {2, 2}, {3, 2}}));
  EXPECT_EQ(seen[1], (std::map<int, int>{{1, 1}, {2, 1}, {3, 1}, {4, 1}, {5, 1}, {6, 1}, {7, 1}}));
  EXPECT_EQ(seen[2], (std::map<int, int>{{1, 7}}));
}

TEST(JointDatasetTest, AnEmptyPartHasNoExamplesButItsClasses) {
  const JointDataset joint(
      {{std::make_shared<const WidthsDataset>(0, 2), 2}, {std::make_shared<const WidthsDataset>(2, 2), 2}},
      JointBalance::kEven);
  ASSERT_EQ(joint.size(), 2);
  EXPECT_EQ(joint.label(0), 2);
}

}  // namespace
}  // namespace modelpatch::data
