#include "server/measured_accuracies.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace modelpatch::server {
namespace {

using ::testing::DoubleEq;
using ::testing::ElementsAre;

v1::Mixture At(double alpha) {
  v1::Mixture mixture;
  mixture.add_terms()->set_checkpoint("checkpoints/j");
  mixture.mutable_terms(0)->set_coefficient(alpha);
  return mixture;
}

v1::PatchJobResult Curve() {
  v1::PatchJobResult result;
  result.add_checkpoints("checkpoints/j");
  *result.mutable_mixture() = At(0.5);
  for (const double alpha : {0.0, 0.5, 1.0}) {
    v1::SweepPoint& point = *result.add_points();
    *point.mutable_mixture() = At(alpha);
    point.add_accuracies()->set_accuracy(0.1 + alpha / 2);
  }
  return result;
}

std::vector<double> ValuesAt(const v1::PatchJobResult& result, const v1::Mixture& mixture) {
  std::vector<double> values;
  for (const v1::TaskAccuracy& accuracy : MeasuredAt(result, mixture)) values.push_back(accuracy.accuracy());
  return values;
}

TEST(MeasuredAccuraciesTest, OnlyWhatWasMeasuredAtThisMixtureCounts) {
  v1::PatchJobResult result = Curve();
  v1::FinalAccuracy& last = *result.add_final_accuracies();
  last.mutable_zero_shot()->set_accuracy(0.11);
  last.mutable_patched()->set_accuracy(0.36);
  last.mutable_fine_tuned()->set_accuracy(0.61);
  EXPECT_THAT(ValuesAt(result, v1::Mixture()), ElementsAre(DoubleEq(0.1), DoubleEq(0.11)));
  EXPECT_THAT(ValuesAt(result, At(0.5)), ElementsAre(DoubleEq(0.35), DoubleEq(0.36)));
  EXPECT_THAT(ValuesAt(result, At(1)), ElementsAre(DoubleEq(0.6), DoubleEq(0.61)));
  EXPECT_THAT(ValuesAt(result, At(0.3)), ElementsAre());
}

TEST(MeasuredAccuraciesTest, ACurveThatBeginsElsewhereIsNoEvidenceOfTheUnpatchedModel) {
  v1::PatchJobResult result = Curve();
  // Of a sequence: α = 0 is the model patched so far.
  *result.mutable_points(0)->mutable_mixture() = At(0.25);
  v1::Comparison& unpatched = *result.add_comparisons();
  unpatched.mutable_mixture()->set_model("models/m");
  unpatched.add_accuracies()->set_accuracy(0.05);
  EXPECT_THAT(ValuesAt(result, v1::Mixture()), ElementsAre(DoubleEq(0.05)));
}

TEST(MeasuredAccuraciesTest, MixturesAreComparedByTheirCoefficients) {
  v1::Mixture halves = At(0.25);
  *halves.add_terms() = At(0.25).terms(0);
  EXPECT_TRUE(IsSameMixture(halves, At(0.5)));
  EXPECT_FALSE(IsSameMixture(halves, At(0.25)));
  EXPECT_TRUE(IsSameMixture(At(0), v1::Mixture()));
}

}  // namespace
}  // namespace modelpatch::server
