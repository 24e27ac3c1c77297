#include "server/merge_conversion.h"

#include "tests/support/status_matchers.h"

namespace modelpatch::server {
namespace {

using ::modelpatch::testing::FailsWith;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

TEST(MergeConversionTest, DefaultsAreFilledIn) {
  v1::Merge merge;
  merge.mutable_ties();
  ASSERT_OK_AND_ASSIGN(const patch::MergeOptions ties, MergeOptionsOf(merge, 3));
  EXPECT_EQ(ties.method, patch::MergeMethod::kTies);
  EXPECT_EQ(MergeMessage(ties).ties().density(), 0.2);
  merge.mutable_dare();
  ASSERT_OK_AND_ASSIGN(const patch::MergeOptions dare, MergeOptionsOf(merge, 3));
  EXPECT_EQ(MergeMessage(dare).dare().drop_rate(), 0.9);
  merge.mutable_fisher();
  ASSERT_OK_AND_ASSIGN(const patch::MergeOptions fisher, MergeOptionsOf(merge, 3));
  EXPECT_EQ(MergeMessage(fisher).fisher().examples(), 1000);
}

TEST(MergeConversionTest, EveryMethodComesBack) {
  std::vector<v1::Merge> merges(5);
  merges[0].mutable_task_arithmetic();
  merges[1].mutable_ties()->set_density(0.5);
  merges[2].mutable_dare()->set_drop_rate(0.25);
  merges[2].mutable_dare()->set_seed(9);
  merges[3].mutable_fisher()->set_examples(17);
  merges[4].mutable_slerp();
  for (const v1::Merge& merge : merges) {
    ASSERT_OK_AND_ASSIGN(const patch::MergeOptions options, MergeOptionsOf(merge, 2));
    EXPECT_EQ(MergeMessage(options).SerializeAsString(), merge.SerializeAsString());
  }
}

TEST(MergeConversionTest, WhatIsWrongIsNamed) {
  const auto field = [](const v1::Merge& merge, size_t checkpoints, const char* reason) {
    const absl::Status status = MergeOptionsOf(merge, checkpoints).status();
    EXPECT_THAT(status, FailsWith(kInvalid, reason));
    return base::FieldOf(status);
  };
  v1::Merge merge;
  EXPECT_EQ(field(merge, 2, "NO_MERGE_METHOD"), "");
  merge.mutable_ties()->set_density(0);
  EXPECT_EQ(field(merge, 2, "BAD_MERGE_OPTION"), "ties.density");
  merge.mutable_dare()->set_drop_rate(1);
  EXPECT_EQ(field(merge, 2, "BAD_MERGE_OPTION"), "dare.drop_rate");
  merge.mutable_dare()->set_drop_rate(0.5);
  merge.mutable_dare()->set_seed(-1);
  EXPECT_EQ(field(merge, 2, "BAD_MERGE_OPTION"), "dare.seed");
  merge.mutable_fisher()->set_examples(0);
  EXPECT_EQ(field(merge, 2, "BAD_MERGE_OPTION"), "fisher.examples");
  merge.mutable_slerp();
  EXPECT_EQ(field(merge, 3, "BAD_TERM_COUNT"), "");
  EXPECT_EQ(field(merge, 0, "BAD_TERM_COUNT"), "");
}

}  // namespace
}  // namespace modelpatch::server
