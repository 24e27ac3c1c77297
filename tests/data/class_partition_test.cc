#include "core/data/class_partition.h"

#include <algorithm>
#include <numeric>

#include "tests/data/dataset_samples.h"
#include "tests/support/status_matchers.h"

namespace modelpatch::data {
namespace {

using ::modelpatch::testing::CountingDataset;
using ::modelpatch::testing::FailsWith;
using ::testing::ElementsAre;

std::vector<std::vector<int32_t>> AllParts(int64_t parts, int64_t classes, uint64_t seed) {
  std::vector<std::vector<int32_t>> all;
  for (int64_t part = 0; part < parts; ++part) {
    auto own = ClassesOfPart({parts, part, seed}, classes);
    EXPECT_OK(own);
    all.push_back(*std::move(own));
  }
  return all;
}

TEST(ClassPartition, PartsAreDisjointWholeAndAlmostEqual) {
  for (const auto& [parts, classes] :
       {std::pair{2, 2}, std::pair{2, 43}, std::pair{3, 11}, std::pair{10, 100}, std::pair{7, 7}}) {
    std::vector<int32_t> together;
    size_t before = static_cast<size_t>(classes);
    for (const std::vector<int32_t>& part : AllParts(parts, classes, 5)) {
      EXPECT_TRUE(std::is_sorted(part.begin(), part.end()));
      EXPECT_GE(part.size(), static_cast<size_t>(classes / parts));
      EXPECT_LE(part.size(), static_cast<size_t>((classes + parts - 1) / parts));
      EXPECT_LE(part.size(), before) << "the larger ones first";
      before = part.size();
      together.insert(together.end(), part.begin(), part.end());
    }
    std::sort(together.begin(), together.end());
    std::vector<int32_t> whole(static_cast<size_t>(classes));
    std::iota(whole.begin(), whole.end(), 0);
    EXPECT_EQ(together, whole) << parts << " parts of " << classes;
  }
}

TEST(ClassPartition, IsAFunctionOfTheSeed) {
  EXPECT_EQ(AllParts(2, 100, 1), AllParts(2, 100, 1));
  EXPECT_NE(AllParts(2, 100, 1), AllParts(2, 100, 2));
  // Stored tasks depend on it: it must never change.
  EXPECT_THAT(*ClassesOfPart({2, 0, 0}, 10), ElementsAre(0, 4, 5, 7, 9));
}

TEST(ClassPartition, RefusesWhatIsNone) {
  const auto refused = [](const ClassPartition& partition, int64_t classes, const std::string& field) {
    const absl::Status status = CheckClassPartition(partition, classes);
    EXPECT_THAT(status, FailsWith(absl::StatusCode::kInvalidArgument, "BAD_CLASS_PARTITION"));
    EXPECT_EQ(base::FieldOf(status), field);
  };
  for (const int64_t parts : {-2, 0, 1, 11}) refused({parts, 0, 0}, 10, "partition_parts");
  for (const int64_t part : {-1, 3}) refused({3, part, 0}, 10, "partition_part");
  EXPECT_OK(CheckClassPartition({11, 10, 0}, /*class_count=*/0));  // not known yet
  EXPECT_EQ(ClassesOfPart({3, 3, 0}, 10).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(RestrictToClasses, KeepsTheExamplesOfTheClassesUnderNewLabels) {
  const auto whole = std::make_shared<const CountingDataset>(12, 5, 8, 8);  // labels 0 1 2 3 4 0 1 2 3 4 0 1
  const auto part = RestrictToClasses(whole, {1, 4});
  EXPECT_THAT(LabelsOf(*part), ElementsAre(0, 1, 0, 1, 0));
  EXPECT_EQ(part->image(3)->pixels, whole->image(9)->pixels);
  EXPECT_TRUE(part->candidates(0).empty());
  EXPECT_EQ(RestrictToClasses(whole, {7})->size(), 0);
}

}  // namespace
}  // namespace modelpatch::data
