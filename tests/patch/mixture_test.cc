#include "core/patch/mixture.h"

#include <cmath>
#include <limits>

#include "tests/support/status_matchers.h"

namespace modelpatch::patch {
namespace {

using ::modelpatch::testing::FailsWith;
using Terms = std::vector<MixtureTerm>;

TEST(MixtureTest, CoefficientsLieBetweenZeroAndOneUnlessAllowed) {
  EXPECT_OK(CheckTerms(Terms{{"a", 0}, {"b", 1}}, false));
  for (const double bad : {-0.01, 1.01}) {
    const absl::Status status = CheckTerms(Terms{{"a", 0.5}, {"b", bad}}, false);
    EXPECT_THAT(status, FailsWith(absl::StatusCode::kInvalidArgument, "BAD_COEFFICIENT"));
    EXPECT_EQ(base::FieldOf(status), "terms[1].coefficient");
    EXPECT_OK(CheckTerms(Terms{{"a", bad}}, true));
  }
  for (const double bad : {std::nan(""), std::numeric_limits<double>::infinity()}) {
    EXPECT_THAT(CheckTerms(Terms{{"a", bad}}, true), FailsWith(absl::StatusCode::kInvalidArgument, "BAD_COEFFICIENT"));
  }
}

TEST(MixtureTest, TheTermsOfOneCheckpointCountTogether) {
  EXPECT_OK(CheckTerms(Terms(10, {"a", 0.1}), false)) << "rounding does not count";
  const absl::Status status = CheckTerms(Terms{{"a", 0.8}, {"b", 1}, {"a", 0.8}}, false);
  EXPECT_THAT(status, FailsWith(absl::StatusCode::kInvalidArgument, "BAD_COEFFICIENT"));
  EXPECT_EQ(base::FieldOf(status), "terms");
  const double largest = std::numeric_limits<double>::max();
  EXPECT_THAT(CheckTerms(Terms{{"a", largest}, {"a", largest}}, true),
              FailsWith(absl::StatusCode::kInvalidArgument, "BAD_COEFFICIENT"));
}

TEST(MixtureTest, CanonicalTermsAreSortedMergedAndWithoutZeros) {
  EXPECT_EQ(CanonicalTerms(Terms{{"b", 0.25}, {"c", 0}, {"a", 0.5}, {"b", 0.25}}), (Terms{{"a", 0.5}, {"b", 0.5}}));
}

TEST(MixtureTest, TheEndsOfALineAreItsMixtures) {
  const Terms start = {{"a", 0.3}};
  const Terms end = {{"a", 0.1}, {"b", 0.7}};
  EXPECT_EQ(TermsBetween(start, end, 0), CanonicalTerms(start));
  EXPECT_EQ(TermsBetween(start, end, 1), CanonicalTerms(end));
  const Terms middle = TermsBetween(start, end, 0.5);
  EXPECT_DOUBLE_EQ(middle[0].coefficient, 0.2);
  EXPECT_DOUBLE_EQ(middle[1].coefficient, 0.35);
}

}  // namespace
}  // namespace modelpatch::patch
