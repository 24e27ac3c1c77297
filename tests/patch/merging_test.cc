#include "core/patch/merging.h"

#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "core/base/random.h"
#include "tests/support/status_matchers.h"

namespace modelpatch::patch {
namespace {

using ::modelpatch::testing::FailsWith;
using Values = std::vector<double>;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
constexpr auto kPrecondition = absl::StatusCode::kFailedPrecondition;

// Weights as plain vectors without padding: the independent side of the comparisons.
class MergingTest : public ::testing::Test {
 protected:
  tensor::WeightSet Random(uint64_t seed) const {
    const tensor::WeightSet weights(layout_, tensor::Device());
    base::RandomStream random(seed, "test");
    for (const tensor::WeightInfo& weight : layout_->weights()) {
      float* values = weights.flat().data_ptr<float>() + weight.offset;
      // A running variance is positive.
      for (int64_t i = 0; i < weight.numel; ++i) {
        values[i] = static_cast<float>(weight.spec.is_buffer ? random.Uniform(0.1, 2) : random.Normal());
      }
    }
    return weights;
  }
  BlobWeights Checkpoint(const std::string& blob, uint64_t seed) const {
    return {blob, std::make_shared<const tensor::WeightSet>(Random(seed))};
  }
  // The trained weights, or the buffers.
  Values ValuesOf(const tensor::WeightSet& weights, bool buffers) const {
    Values values;
    for (const tensor::WeightInfo& weight : layout_->weights()) {
      if (weight.spec.is_buffer != buffers) continue;
      const float* begin = weights.flat().data_ptr<float>() + weight.offset;
      values.insert(values.end(), begin, begin + weight.numel);
    }
    return values;
  }
  Values TaskVector(const BlobWeights& checkpoint) const {
    Values values = ValuesOf(*checkpoint.weights, false);
    const Values base = ValuesOf(base_, false);
    for (size_t i = 0; i < values.size(); ++i) values[i] -= base[i];
    return values;
  }
  tensor::WeightSet Merge(const std::vector<BlobWeights>& checkpoints, const Values& coefficients,
                          const MergeOptions& options,
                          const std::vector<std::shared_ptr<const tensor::WeightSet>>& fishers = {}) const {
    const tensor::WeightSet out = Random(99);
    EXPECT_OK(MergeCheckpoints({base_, checkpoints, coefficients, fishers}, options, {}, out));
    return out;
  }
  absl::Status Failure(const std::vector<BlobWeights>& checkpoints, const Values& coefficients,
                       const MergeOptions& options,
                       const std::vector<std::shared_ptr<const tensor::WeightSet>>& fishers = {}) const {
    return MergeCheckpoints({base_, checkpoints, coefficients, fishers}, options, {}, Random(99));
  }
  // That the trained weights of `merged` are θ_zs + `expected`.
  void ExpectTaskVector(const tensor::WeightSet& merged, const Values& expected) const {
    const Values values = ValuesOf(merged, false);
    const Values base = ValuesOf(base_, false);
    ASSERT_EQ(values.size(), expected.size());
    for (size_t i = 0; i < values.size(); ++i) ASSERT_NEAR(values[i], base[i] + expected[i], 2e-6) << i;
  }
  void ExpectBuffers(const tensor::WeightSet& merged, const std::vector<BlobWeights>& checkpoints,
                     const Values& weights) const {
    const Values values = ValuesOf(merged, true);
    const Values base = ValuesOf(base_, true);
    for (size_t i = 0; i < values.size(); ++i) {
      double expected = base[i];
      for (size_t k = 0; k < checkpoints.size(); ++k) {
        expected += weights[k] * (ValuesOf(*checkpoints[k].weights, true)[i] - base[i]);
      }
      EXPECT_NEAR(values[i], expected, 1e-6);
    }
  }

  // Of three checkpoints.
  std::vector<std::shared_ptr<const tensor::WeightSet>> Fishers() const {
    std::vector<std::shared_ptr<const tensor::WeightSet>> fishers;
    for (const uint64_t seed : {11, 12, 13}) {
      const tensor::WeightSet fisher = Random(seed);
      at::Tensor(fisher.flat()).square_();
      fishers.push_back(std::make_shared<const tensor::WeightSet>(fisher));
    }
    return fishers;
  }

  // Sizes that need padding, and more than one piece of the loops.
  const std::shared_ptr<const tensor::WeightLayout> layout_ =
      *tensor::WeightLayout::Make({{"a", {167, 119}}, {"b", {7}}, {"c", {33}}, {"v", {5}, true}});
  const tensor::WeightSet base_ = Random(1);
  const std::vector<BlobWeights> three_ = {Checkpoint("x", 2), Checkpoint("y", 3), Checkpoint("w", 4)};
  const std::vector<BlobWeights> two_ = {three_[0], three_[1]};
};

TEST_F(MergingTest, TaskArithmeticIsTheMixtureToTheBit) {
  const Values coefficients = {0.3, 1.5, 0};
  const BlobLoader load = [&](const std::string& blob) -> absl::StatusOr<std::shared_ptr<const tensor::WeightSet>> {
    return three_[blob == "x" ? 0 : 1].weights;
  };
  const tensor::WeightSet mixture = Random(5);
  ASSERT_OK(InterpolateTerms(base_, CanonicalTerms(std::vector<MixtureTerm>{{"y", 1.5}, {"x", 0.3}}), load, mixture));
  EXPECT_EQ(Merge(three_, coefficients, {MergeMethod::kTaskArithmetic}).Digest(), mixture.Digest());
}

TEST_F(MergingTest, TiesTrimsElectsAndAverages) {
  const Values coefficients = {0.5, 1.0, 0.25};
  const double density = 0.3;
  const MergeOptions options{.method = MergeMethod::kTies, .density = density};
  std::vector<Values> trimmed;
  for (const BlobWeights& checkpoint : three_) {
    Values vector = TaskVector(checkpoint);
    std::vector<size_t> order(vector.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::sort(order.begin(), order.end(),
              [&](size_t a, size_t b) { return std::abs(vector[a]) > std::abs(vector[b]); });
    const auto kept = static_cast<size_t>(std::ceil(density * static_cast<double>(vector.size())));
    for (size_t i = kept; i < order.size(); ++i) vector[order[i]] = 0;
    trimmed.push_back(vector);
  }
  Values expected(trimmed[0].size(), 0.0);
  size_t conflicts = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    double elected = 0;
    for (size_t k = 0; k < 3; ++k) elected += coefficients[k] * trimmed[k][i];
    double sum = 0, weight = 0;
    for (size_t k = 0; k < 3; ++k) {
      if (trimmed[k][i] != 0 && std::signbit(trimmed[k][i]) != std::signbit(elected)) ++conflicts;
      if (trimmed[k][i] == 0 || std::signbit(trimmed[k][i]) != std::signbit(elected)) continue;
      sum += coefficients[k] * trimmed[k][i];
      weight += coefficients[k];
    }
    expected[i] = weight > 0 ? sum / weight : 0;
  }
  ASSERT_GT(conflicts, 100u) << "the example says little";
  const tensor::WeightSet merged = Merge(three_, coefficients, options);
  ExpectTaskVector(merged, expected);
  ExpectBuffers(merged, three_, {0.5 / 1.75, 1.0 / 1.75, 0.25 / 1.75});
}

TEST_F(MergingTest, TiesOfOneCheckpointAndFullDensityIsTheIdentity) {
  for (const double coefficient : {1.0, 0.3}) {
    const tensor::WeightSet merged = Merge({three_[0]}, {coefficient}, {.method = MergeMethod::kTies, .density = 1.0});
    EXPECT_EQ(merged.Digest(), three_[0].weights->Digest());
  }
}

TEST_F(MergingTest, TiesKeepsAtLeastOneWeightAndLeavesTheOthers) {
  const tensor::WeightSet merged = Merge({three_[0]}, {1}, {.method = MergeMethod::kTies, .density = 1e-9});
  const Values values = ValuesOf(merged, false);
  const Values base = ValuesOf(base_, false);
  size_t moved = 0;
  for (size_t i = 0; i < values.size(); ++i) moved += values[i] != base[i] ? 1 : 0;
  EXPECT_EQ(moved, 1u);
}

TEST_F(MergingTest, DareDropsSomeAndScalesTheRest) {
  const double drop_rate = 0.75;
  const MergeOptions options{.method = MergeMethod::kDare, .drop_rate = drop_rate, .seed = 5};
  const Values merged = ValuesOf(Merge({three_[0]}, {1}, options), false);
  const Values base = ValuesOf(base_, false);
  const Values vector = TaskVector(three_[0]);
  size_t kept = 0;
  for (size_t i = 0; i < merged.size(); ++i) {
    if (merged[i] == base[i]) continue;
    ++kept;
    ASSERT_NEAR(merged[i] - base[i], vector[i] / (1 - drop_rate), 1e-5) << i;
  }
  const double share = static_cast<double>(kept) / static_cast<double>(merged.size());
  EXPECT_NEAR(share, 1 - drop_rate, 0.015);
}

TEST_F(MergingTest, DareAddsWhatItKeepsOfEach) {
  const auto alone = [&](size_t k, double coefficient) {
    Values values =
        ValuesOf(Merge({three_[k]}, {coefficient}, {.method = MergeMethod::kDare, .drop_rate = 0.5, .seed = 5}), false);
    const Values base = ValuesOf(base_, false);
    for (size_t i = 0; i < values.size(); ++i) values[i] -= base[i];
    return values;
  };
  const Values first = alone(0, 0.4);
  const Values second = alone(1, 0.9);
  Values expected(first.size());
  size_t different = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    expected[i] = first[i] + second[i];
    different += (first[i] == 0) != (second[i] == 0) ? 1 : 0;
  }
  EXPECT_GT(different, expected.size() / 3) << "each checkpoint drops entries of its own";
  const tensor::WeightSet merged = Merge(two_, {0.4, 0.9}, {.method = MergeMethod::kDare, .drop_rate = 0.5, .seed = 5});
  ExpectTaskVector(merged, expected);
  ExpectBuffers(merged, two_, {0.4 / 1.3, 0.9 / 1.3});
}

TEST_F(MergingTest, DareIsAFunctionOfTheSeed) {
  const auto digest = [&](uint64_t seed) {
    return Merge(two_, {0.5, 0.5}, {.method = MergeMethod::kDare, .seed = seed}).Digest();
  };
  EXPECT_EQ(digest(1), digest(1));
  EXPECT_NE(digest(1), digest(2));
  const tensor::WeightSet nothing_dropped = Merge({three_[0]}, {1}, {.method = MergeMethod::kDare, .drop_rate = 0.0});
  EXPECT_EQ(nothing_dropped.Digest(), three_[0].weights->Digest());
}

TEST_F(MergingTest, FisherWeighsEachWeightByItsInformation) {
  const auto fishers = Fishers();
  // Nobody knows anything about the first weight.
  for (const auto& fisher : fishers) fisher->flat().data_ptr<float>()[0] = 0;
  const Values coefficients = {0.5, 1.0, 0.25};
  std::vector<Values> vectors, information;
  for (size_t k = 0; k < 3; ++k) {
    vectors.push_back(TaskVector(three_[k]));
    information.push_back(ValuesOf(*fishers[k], false));
    information[k][0] = 1;
  }
  Values expected(vectors[0].size());
  for (size_t i = 0; i < expected.size(); ++i) {
    double sum = 0, weight = 0;
    for (size_t k = 0; k < 3; ++k) {
      sum += coefficients[k] * information[k][i] * vectors[k][i];
      weight += coefficients[k] * information[k][i];
    }
    expected[i] = sum / weight;
  }
  const tensor::WeightSet merged = Merge(three_, coefficients, {MergeMethod::kFisher}, fishers);
  ExpectTaskVector(merged, expected);
  ExpectBuffers(merged, three_, {0.5 / 1.75, 1.0 / 1.75, 0.25 / 1.75});
}

TEST_F(MergingTest, FisherRefusesWhatIsNoInformation) {
  const auto filled = [&](double value) {
    const tensor::WeightSet fisher(layout_, tensor::Device());
    at::Tensor(fisher.flat()).fill_(value);
    return std::make_shared<const tensor::WeightSet>(fisher);
  };
  const MergeOptions options{MergeMethod::kFisher};
  EXPECT_OK(Failure(two_, {1, 1}, options, {filled(1), filled(0)}));
  EXPECT_THAT(Failure(two_, {1, 1}, options, {filled(1), filled(-1)}), FailsWith(kPrecondition, "BAD_FISHER"));
  EXPECT_THAT(Failure(two_, {1, 1}, options, {filled(std::nan("")), filled(1)}),
              FailsWith(kPrecondition, "BAD_FISHER"));
  EXPECT_THAT(Failure(two_, {1, 1}, options, {filled(1)}), FailsWith(kPrecondition, "BAD_FISHER"));
}

TEST_F(MergingTest, SlerpGoesAlongTheArc) {
  const Values first = TaskVector(three_[0]);
  const Values second = TaskVector(three_[1]);
  const auto dot = [](const Values& a, const Values& b) {
    return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
  };
  const double length_first = std::sqrt(dot(first, first));
  const double length_second = std::sqrt(dot(second, second));
  const double angle = std::acos(dot(first, second) / (length_first * length_second));
  const double t = 0.7;
  Values expected(first.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    const double direction = std::sin((1 - t) * angle) / std::sin(angle) * first[i] / length_first +
                             std::sin(t * angle) / std::sin(angle) * second[i] / length_second;
    expected[i] = ((1 - t) * length_first + t * length_second) * direction;
  }
  const tensor::WeightSet merged = Merge(two_, {0.6, 1.4}, {MergeMethod::kSlerp});
  ExpectTaskVector(merged, expected);
  ExpectBuffers(merged, two_, {0.3, 0.7});
  EXPECT_NEAR(std::sqrt(dot(expected, expected)), (1 - t) * length_first + t * length_second, 1e-6);
}

TEST_F(MergingTest, SlerpIsExactAtItsEndsAndLinearAlongALine) {
  EXPECT_EQ(Merge(two_, {1, 0}, {MergeMethod::kSlerp}).Digest(), two_[0].weights->Digest());
  EXPECT_EQ(Merge(two_, {0, 0.4}, {MergeMethod::kSlerp}).Digest(), two_[1].weights->Digest());
  // Twice as far in the same direction.
  const tensor::WeightSet further = two_[0].weights->Clone();
  at::Tensor(further.flat()).add_(two_[0].weights->flat() - base_.flat());
  const tensor::WeightSet merged =
      Merge({two_[0], {"z", std::make_shared<const tensor::WeightSet>(further)}}, {1, 1}, {MergeMethod::kSlerp});
  Values expected = TaskVector(two_[0]);
  for (double& value : expected) value *= 1.5;
  ExpectTaskVector(merged, expected);
  // And as far in the opposite one.
  const tensor::WeightSet opposite = base_.Clone();
  at::Tensor(opposite.flat()).sub_(two_[0].weights->flat() - base_.flat());
  EXPECT_THAT(
      Failure({two_[0], {"z", std::make_shared<const tensor::WeightSet>(opposite)}}, {1, 1}, {MergeMethod::kSlerp}),
      FailsWith(kPrecondition, "OPPOSITE_TASK_VECTORS"));
}

TEST_F(MergingTest, TheOrderOfCheckpointsChangesNoBit) {
  const auto fishers = Fishers();
  for (const MergeMethod method : {MergeMethod::kTaskArithmetic, MergeMethod::kTies, MergeMethod::kDare,
                                   MergeMethod::kFisher, MergeMethod::kSlerp}) {
    const MergeOptions options{.method = method, .density = 0.5, .drop_rate = 0.5, .seed = 3};
    const size_t count = method == MergeMethod::kSlerp ? 2 : 3;
    const Values coefficients = {0.2, 0.7, 0.4};
    std::vector<size_t> order = {0, 1, 2};
    order.resize(count);
    std::string digest;
    do {
      std::vector<BlobWeights> checkpoints;
      Values permuted;
      std::vector<std::shared_ptr<const tensor::WeightSet>> permuted_fishers;
      for (const size_t i : order) {
        checkpoints.push_back(three_[i]);
        permuted.push_back(coefficients[i]);
        permuted_fishers.push_back(fishers[i]);
      }
      const std::string found = Merge(checkpoints, permuted, options, permuted_fishers).Digest();
      if (digest.empty()) digest = found;
      EXPECT_EQ(found, digest) << NameOf(method);
    } while (std::next_permutation(order.begin(), order.end()));
  }
}

TEST_F(MergingTest, ALiveAlphaIsExactAtBothEnds) {
  for (const MergeMethod method : {MergeMethod::kTies, MergeMethod::kDare, MergeMethod::kSlerp}) {
    const tensor::WeightSet merged = Merge(two_, {0.5, 0.5}, {.method = method});
    const tensor::WeightSet out = Random(5);
    Interpolate(base_, std::vector<WeightedCheckpoint>{{&merged, 0.0}}, out);
    EXPECT_TRUE(out.flat().equal(base_.flat()));
    Interpolate(base_, std::vector<WeightedCheckpoint>{{&merged, 1.0}}, out);
    EXPECT_TRUE(out.flat().equal(merged.flat()));
  }
}

TEST_F(MergingTest, PaddingStaysZeroAndVariancesPositive) {
  for (const MergeMethod method : {MergeMethod::kTies, MergeMethod::kDare, MergeMethod::kSlerp}) {
    const tensor::WeightSet merged = Merge(two_, {1, 1}, {.method = method});
    int64_t end = 0;
    for (const tensor::WeightInfo& weight : layout_->weights()) {
      EXPECT_FALSE(merged.flat().narrow(0, end, weight.offset - end).any().item<bool>()) << weight.spec.name;
      end = weight.offset + weight.numel;
    }
    EXPECT_FALSE(merged.flat().narrow(0, end, layout_->storage_size() - end).any().item<bool>());
    for (const double value : ValuesOf(merged, true)) EXPECT_GT(value, 0);
  }
}

TEST_F(MergingTest, ABlobMayBeThereTwice) {
  const tensor::WeightSet merged =
      Merge({three_[0], three_[0]}, {1, 0.5}, {.method = MergeMethod::kTies, .density = 1});
  EXPECT_TRUE(at::allclose(merged.flat(), three_[0].weights->flat(), 1e-6, 1e-6));
  EXPECT_TRUE(at::allclose(Merge({three_[0], three_[0]}, {1, 0.5}, {MergeMethod::kSlerp}).flat(),
                           three_[0].weights->flat(), 1e-6, 1e-6));
}

TEST_F(MergingTest, BadInputIsNamed) {
  const auto field = [&](const std::vector<BlobWeights>& checkpoints, const Values& coefficients,
                         const MergeOptions& options, const char* reason) {
    const absl::Status status = Failure(checkpoints, coefficients, options);
    EXPECT_THAT(status, FailsWith(kInvalid, reason));
    return base::FieldOf(status);
  };
  const double nan = std::nan("");
  for (const double density : {0.0, -1.0, 1.5, nan}) {
    EXPECT_EQ(field(two_, {1, 1}, {.method = MergeMethod::kTies, .density = density}, "BAD_MERGE_OPTION"), "density");
  }
  for (const double drop_rate : {1.0, -0.1, nan}) {
    EXPECT_EQ(field(two_, {1, 1}, {.method = MergeMethod::kDare, .drop_rate = drop_rate}, "BAD_MERGE_OPTION"),
              "drop_rate");
  }
  EXPECT_EQ(field(two_, {1, 1}, {.method = MergeMethod::kFisher, .fisher_examples = 0}, "BAD_MERGE_OPTION"),
            "fisher_examples");
  EXPECT_EQ(field(three_, {1, 1, 1}, {MergeMethod::kSlerp}, "BAD_TERM_COUNT"), "");
  EXPECT_EQ(field({}, {}, {MergeMethod::kTies}, "BAD_TERM_COUNT"), "");
  EXPECT_EQ(field(two_, {1}, {MergeMethod::kTies}, "BAD_COEFFICIENT"), "coefficients");
  EXPECT_EQ(field(two_, {1, -0.5}, {MergeMethod::kTies}, "BAD_COEFFICIENT"), "coefficients[1]");
  EXPECT_EQ(field(two_, {0, 0}, {MergeMethod::kSlerp}, "BAD_COEFFICIENT"), "coefficients");
  EXPECT_EQ(field(two_, {1, nan}, {MergeMethod::kTaskArithmetic}, "BAD_COEFFICIENT"), "coefficients[1]");
  EXPECT_OK(Failure(two_, {1.5, -0.5}, {MergeMethod::kTaskArithmetic}));
  EXPECT_OK(Failure(two_, {1.5, -0.5}, {MergeMethod::kDare}));
}

TEST_F(MergingTest, OtherLayoutsAndBrokenWeightsAreRefused) {
  const auto other = *tensor::WeightLayout::Make({{"a", {167, 119}}, {"b", {8}}});
  const BlobWeights foreign{"f", std::make_shared<const tensor::WeightSet>(other, tensor::Device())};
  EXPECT_THAT(Failure({two_[0], foreign}, {1, 1}, {MergeMethod::kTies}), FailsWith(kPrecondition, "LAYOUT_MISMATCH"));
  const tensor::WeightSet broken = Random(6);
  broken.flat().data_ptr<float>()[3] = std::numeric_limits<float>::quiet_NaN();
  const BlobWeights bad{"bad", std::make_shared<const tensor::WeightSet>(broken)};
  for (const MergeMethod method :
       {MergeMethod::kTaskArithmetic, MergeMethod::kTies, MergeMethod::kDare, MergeMethod::kSlerp}) {
    EXPECT_THAT(Failure({two_[0], bad}, {1, 1}, {.method = method}), FailsWith(kPrecondition, "WEIGHTS_NOT_FINITE"));
  }
}

TEST_F(MergingTest, IsCancelled) {
  base::CancellationSource source;
  source.Cancel();
  EXPECT_EQ(MergeCheckpoints({base_, two_, Values{1, 1}, {}}, {MergeMethod::kTies}, source.token(), Random(9)).code(),
            absl::StatusCode::kCancelled);
}

}  // namespace
}  // namespace modelpatch::patch
