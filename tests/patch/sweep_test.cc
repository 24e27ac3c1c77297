#include "core/patch/sweep.h"

#include <torch/torch.h>

#include <cmath>

#include "tests/patch/generated_task.h"
#include "tests/support/status_matchers.h"
#include "tests/support/tiny_clip.h"

namespace modelpatch::patch {
namespace {

using ::modelpatch::testing::FailsWith;

TEST(SweepTest, GivesEveryPointAndItsEndsAreTheMixtures) {
  const auto model = testing::MakeTinyModel(1);
  const auto other = testing::MakeTinyModel(2);
  ASSERT_OK_AND_ASSIGN(const EvaluationSet set,
                       MakeEvaluationSet(*model, testing::GeneratedTask("digits", 40), TaskRole::kPatching,
                                         data::Split::kValidation, 1, 0, {}));
  EXPECT_EQ(set.pixels->count, 40);
  const std::vector<EvaluationSet> sets = {set};
  int loads = 0;
  const BlobLoader load = [&](const std::string&) -> absl::StatusOr<std::shared_ptr<const tensor::WeightSet>> {
    ++loads;
    return std::make_shared<const tensor::WeightSet>(other->image_weights);
  };
  std::vector<double> seen;
  const SweepInput input{model, {}, {{"blob", 1.0}}, {0.0, 0.5, 1.0}, sets};
  ASSERT_OK_AND_ASSIGN(const auto points,
                       RunSweep(input, load, DirectFeatures(model), {}, [&](const SweepPoint& point) {
                         seen.push_back(point.alpha);
                         return absl::OkStatus();
                       }));
  EXPECT_EQ(seen, input.alphas);
  EXPECT_EQ(loads, 1);
  ASSERT_OK_AND_ASSIGN(const TaskAccuracy start,
                       EvaluateAccuracy(*model, model->image_weights, set, DirectFeatures(model), {}));
  ASSERT_OK_AND_ASSIGN(const TaskAccuracy end,
                       EvaluateAccuracy(*model, other->image_weights, set, DirectFeatures(model), {}));
  EXPECT_EQ(points.front().accuracies[0].correct, start.correct);
  EXPECT_EQ(points.back().accuracies[0].correct, end.correct);
  EXPECT_EQ(points.back().accuracies[0].total, 40);
}

TEST(SweepTest, AnErrorOfTheReceiverEndsIt) {
  const auto model = testing::MakeTinyModel(1);
  const std::vector<EvaluationSet> sets;
  const SweepInput input{model, {}, {}, {0.0, 0.5, 1.0}, sets};
  int calls = 0;
  const auto result = RunSweep(input, nullptr, DirectFeatures(model), {}, [&](const SweepPoint&) {
    ++calls;
    return base::Cancelled("the client left");
  });
  EXPECT_EQ(result.status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(calls, 1);
}

TEST(SweepTest, ChecksAlphas) {
  const auto code = absl::StatusCode::kInvalidArgument;
  EXPECT_THAT(CheckAlphas(std::vector<double>{}, false), FailsWith(code, "BAD_ALPHA"));
  EXPECT_THAT(CheckAlphas(std::vector<double>{0, 1.5}, false), FailsWith(code, "BAD_ALPHA"));
  EXPECT_THAT(CheckAlphas(std::vector<double>{std::nan("")}, true), FailsWith(code, "BAD_ALPHA"));
  EXPECT_THAT(CheckAlphas(std::vector<double>(2000, 0.5), false), FailsWith(code, "BAD_ALPHA"));
  EXPECT_OK(CheckAlphas(std::vector<double>{-0.5, 1.5}, true));
}

}  // namespace
}  // namespace modelpatch::patch
