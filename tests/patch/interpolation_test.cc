#include "core/patch/interpolation.h"

#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "core/base/random.h"
#include "tests/support/status_matchers.h"

namespace modelpatch::patch {
namespace {

using ::modelpatch::testing::FailsWith;

class InterpolationTest : public ::testing::Test {
 protected:
  tensor::WeightSet Random(uint64_t seed) const {
    const tensor::WeightSet weights(layout_, tensor::Device());
    base::RandomStream random(seed, "test");
    for (const tensor::WeightInfo& weight : layout_->weights()) {
      float* values = weights.flat().data_ptr<float>() + weight.offset;
      for (int64_t i = 0; i < weight.numel; ++i) values[i] = static_cast<float>(random.Normal());
    }
    return weights;
  }
  tensor::WeightSet Mix(std::vector<WeightedCheckpoint> terms) const {
    const tensor::WeightSet out = Random(99);
    Interpolate(base_, terms, out);
    return out;
  }

  const std::shared_ptr<const tensor::WeightLayout> layout_ =
      *tensor::WeightLayout::Make({{"a", {123, 45}}, {"b", {7}}});
  const tensor::WeightSet base_ = Random(1);
  const tensor::WeightSet first_ = Random(2);
  const tensor::WeightSet second_ = Random(3);
};

TEST_F(InterpolationTest, OneTermIsExactAtBothEnds) {
  EXPECT_TRUE(Mix({{&first_, 0.0}}).flat().equal(base_.flat()));
  EXPECT_TRUE(Mix({{&first_, 1.0}}).flat().equal(first_.flat()));
  EXPECT_TRUE(Mix({}).flat().equal(base_.flat()));
}

TEST_F(InterpolationTest, IsLinearWithinOneRounding) {
  for (const double alpha : {0.1, 0.3, 0.5, 0.77, 1.5, -0.5}) {
    const at::Tensor base = base_.flat().to(at::kDouble);
    const at::Tensor expected = base + alpha * (first_.flat().to(at::kDouble) - base);
    EXPECT_TRUE(at::allclose(Mix({{&first_, alpha}}).flat().to(at::kDouble), expected, 1e-6, 1e-6)) << alpha;
  }
}

TEST_F(InterpolationTest, SeveralTermsAddTheirTaskVectors) {
  const at::Tensor base = base_.flat().to(at::kDouble);
  const at::Tensor expected = base + 0.3 * (first_.flat() - base) + 0.6 * (second_.flat() - base);
  EXPECT_TRUE(at::allclose(Mix({{&first_, 0.3}, {&second_, 0.6}}).flat().to(at::kDouble), expected, 1e-6, 1e-6));
}

// A patch so small that mixing in half precision would lose it (DESIGN: mix in fp32, round once).
TEST_F(InterpolationTest, SmallPatchesSurvive) {
  const tensor::WeightSet near_base = base_.Clone();
  at::Tensor flat = near_base.flat();
  flat.add_(1e-5);
  const at::Tensor moved = (Mix({{&near_base, 0.25}}).flat() - base_.flat()).narrow(0, 0, 123 * 45);
  EXPECT_GT(moved.ne(0).to(at::kDouble).mean().item<double>(), 0.95);
}

TEST_F(InterpolationTest, TermsOfARequestInAnyOrderGiveTheSameBits) {
  const BlobLoader load = [&](const std::string& blob) -> absl::StatusOr<std::shared_ptr<const tensor::WeightSet>> {
    return std::make_shared<const tensor::WeightSet>(blob == "x" ? first_ : second_);
  };
  std::vector<MixtureTerm> terms = {{"x", 0.3}, {"y", 0.25}, {"x", 0.1}};
  const tensor::WeightSet one = Random(4);
  const tensor::WeightSet other = Random(5);
  ASSERT_OK(InterpolateTerms(base_, CanonicalTerms(terms), load, one));
  std::swap(terms[0], terms[1]);
  ASSERT_OK(InterpolateTerms(base_, CanonicalTerms(terms), load, other));
  EXPECT_TRUE(one.flat().equal(other.flat()));
}

TEST_F(InterpolationTest, AnotherLayoutIsRefused) {
  const auto other = *tensor::WeightLayout::Make({{"a", {123, 45}}, {"c", {7}}});
  const BlobLoader load = [&](const std::string&) -> absl::StatusOr<std::shared_ptr<const tensor::WeightSet>> {
    return std::make_shared<const tensor::WeightSet>(other, tensor::Device());
  };
  const MixtureTerm term{"x", 0.5};
  EXPECT_THAT(InterpolateTerms(base_, {&term, 1}, load, Random(6)),
              FailsWith(absl::StatusCode::kFailedPrecondition, "LAYOUT_MISMATCH"));
}

}  // namespace
}  // namespace modelpatch::patch
