#include "core/base/status.h"

#include <cerrno>

#include "tests/support/status_matchers.h"

namespace modelpatch::base {
namespace {

using ::modelpatch::testing::FailsWith;

TEST(StatusTest, CarriesReasonAndFieldPath) {
  absl::Status status = InvalidArgument("BAD_ALPHA", "alpha is 2; it must lie in [0, 1]");
  status = WithField(WithField(status, "coefficient"), "terms[3]");
  EXPECT_THAT(status, FailsWith(absl::StatusCode::kInvalidArgument, "BAD_ALPHA"));
  EXPECT_EQ(FieldOf(status), "terms[3].coefficient");
}

TEST(StatusTest, ContextKeepsCodeReasonAndField) {
  const absl::Status status =
      WithContext(WithField(NotFound("NO_MODEL", "models/x does not exist"), "model"), "import");
  EXPECT_THAT(status, FailsWith(absl::StatusCode::kNotFound, "NO_MODEL"));
  EXPECT_EQ(FieldOf(status), "model");
  EXPECT_EQ(status.message(), "import: models/x does not exist");
}

TEST(StatusTest, FieldOfOkIsOk) { EXPECT_TRUE(WithField(absl::OkStatus(), "x").ok()); }

TEST(StatusTest, FullDiskIsResourceExhausted) {
  EXPECT_THAT(ErrnoError(ENOSPC, "write"), FailsWith(absl::StatusCode::kResourceExhausted, "DISK_FULL"));
}

absl::StatusOr<int> Half(int value) {
  if (value % 2 != 0) return InvalidArgument("ODD", "odd");
  return value / 2;
}
absl::StatusOr<int> Quarter(int value) {
  MP_ASSIGN_OR_RETURN(const int half, Half(value));
  return Half(half);
}

TEST(StatusTest, AssignOrReturnPassesErrorsOn) {
  ASSERT_OK_AND_ASSIGN(const int quarter, Quarter(8));
  EXPECT_EQ(quarter, 2);
  EXPECT_THAT(Quarter(6), FailsWith(absl::StatusCode::kInvalidArgument, "ODD"));
}

}  // namespace
}  // namespace modelpatch::base
