#include "core/tensor/weight_set.h"

#include <torch/torch.h>

#include <filesystem>

#include "core/base/file.h"
#include "core/tensor/trainable_weights.h"
#include "core/tensor/weight_file.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_data.h"

namespace modelpatch::tensor {
namespace {

using ::modelpatch::testing::FailsWith;
using ::modelpatch::testing::ScratchDirectory;

std::shared_ptr<const WeightLayout> MakeLayout() {
  auto layout =
      WeightLayout::Make({{"a", {3}}, {"b", {2, 5}}, {"scalar", {}}, {"statistics", {4}, /*is_buffer=*/true}});
  EXPECT_OK(layout);
  return *layout;
}

WeightSet MakeWeights(const std::shared_ptr<const WeightLayout>& layout) {
  const WeightSet weights(layout, Device());
  float value = 1;
  for (at::Tensor view : weights.views()) view.fill_(value++);
  return weights;
}

TEST(WeightLayoutTest, AlignsAndKeepsBuffersLast) {
  const auto layout = MakeLayout();
  for (const WeightInfo& weight : layout->weights()) EXPECT_EQ(weight.offset % 16, 0) << weight.spec.name;
  EXPECT_EQ(layout->parameter_count(), 3 + 10 + 1 + 4);
  EXPECT_EQ(layout->storage_size(), 64);
  EXPECT_EQ(layout->trainable_size(), 48);
  EXPECT_EQ(layout->IndexOf("scalar"), 2);
  EXPECT_EQ(layout->IndexOf("none"), -1);
}

TEST(WeightLayoutTest, RefusesWhatItCannotHold) {
  const auto code = absl::StatusCode::kInvalidArgument;
  EXPECT_THAT(WeightLayout::Make({{"a", {1}}, {"a", {1}}}), FailsWith(code, "BAD_LAYOUT"));
  EXPECT_THAT(WeightLayout::Make({{"a", {1}, true}, {"b", {1}}}), FailsWith(code, "BAD_LAYOUT"));
  EXPECT_THAT(WeightLayout::Make({{"a", {int64_t{1} << 40, int64_t{1} << 40}}}), FailsWith(code, "BAD_LAYOUT"));
  EXPECT_THAT(WeightLayout::Make({{"a", {-1}}}), FailsWith(code, "BAD_LAYOUT"));
}

TEST(WeightLayoutTest, DigestSeesNamesAndShapesNotSourceDtypes) {
  const auto layout = *WeightLayout::Make({{"a", {2, 3}}});
  EXPECT_EQ(layout->digest(), (*WeightLayout::Make({{"a", {2, 3}, false, DType::kFloat16}}))->digest());
  EXPECT_NE(layout->digest(), (*WeightLayout::Make({{"a", {3, 2}}}))->digest());
  EXPECT_NE(layout->digest(), (*WeightLayout::Make({{"b", {2, 3}}}))->digest());
}

TEST(WeightSetTest, ViewsShareOneZeroedStorage) {
  const WeightSet weights(MakeLayout(), Device());
  EXPECT_EQ(weights.flat().abs().sum().item<float>(), 0);
  at::Tensor view = weights.views()[1];
  view.fill_(2);
  EXPECT_EQ(weights.flat().sum().item<float>(), 20);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(weights.flat().data_ptr()) % 64, 0u);
}

TEST(WeightSetTest, DigestIgnoresPaddingAndSeesEveryWeight) {
  const auto layout = MakeLayout();
  const WeightSet a = MakeWeights(layout);
  const WeightSet b = MakeWeights(layout);
  b.flat().data_ptr<float>()[5] = 7;  // between "a" and "b"
  EXPECT_EQ(a.Digest(), b.Digest());
  b.flat().data_ptr<float>()[layout->weights()[3].offset + 3] += 1;
  EXPECT_NE(a.Digest(), b.Digest());
}

TEST(WeightSetTest, CloneHasStorageOfItsOwn) {
  const WeightSet a = MakeWeights(MakeLayout());
  const WeightSet b = a.Clone();
  b.flat().data_ptr<float>()[0] = 99;
  EXPECT_EQ(a.flat().data_ptr<float>()[0], 1);
}

TEST(TrainableWeightsTest, GradientsAreViewsOfOneFlatTensor) {
  TrainableWeights trainable(MakeWeights(MakeLayout()));
  const at::Tensor loss = (trainable.parameters()[0] * 2).sum() + trainable.parameters()[1].sum();
  loss.backward();
  EXPECT_EQ(trainable.gradient().sum().item<float>(), 3 * 2 + 10);
  (trainable.parameters()[0] * 2).sum().backward();
  EXPECT_EQ(trainable.gradient().sum().item<float>(), 2 * 3 * 2 + 10);
  trainable.ZeroGradient();
  EXPECT_EQ(trainable.parameters()[1].grad().sum().item<float>(), 0);
  EXPECT_FALSE(trainable.parameters()[3].requires_grad());
}

TEST(WeightFileTest, RoundTripKeepsEveryBit) {
  const ScratchDirectory scratch;
  const auto layout = MakeLayout();
  const WeightSet weights = MakeWeights(layout);
  ASSERT_OK(WriteWeightFile(scratch.Path("w"), weights, {{"seed", "1"}}));
  ASSERT_OK_AND_ASSIGN(const WeightSet read, ReadWeightFile(scratch.Path("w"), layout));
  EXPECT_EQ(read.Digest(), weights.Digest());
}

TEST(WeightFileTest, AnotherLayoutIsRefused) {
  const ScratchDirectory scratch;
  ASSERT_OK(WriteWeightFile(scratch.Path("w"), MakeWeights(MakeLayout()), {}));
  for (const auto& layout :
       {*WeightLayout::Make({{"a", {3}}}),
        *WeightLayout::Make({{"a", {3}}, {"b", {5, 2}}, {"scalar", {}}, {"statistics", {4}, true}})}) {
    EXPECT_THAT(ReadWeightFile(scratch.Path("w"), layout),
                FailsWith(absl::StatusCode::kDataLoss, "WEIGHT_FILE_MISMATCH"));
  }
}

TEST(WeightFileTest, ATruncatedFileIsRefused) {
  const ScratchDirectory scratch;
  const auto layout = MakeLayout();
  ASSERT_OK(WriteWeightFile(scratch.Path("w"), MakeWeights(layout), {}));
  const auto size = std::filesystem::file_size(scratch.Path("w"));
  for (uintmax_t kept = 0; kept < size; kept += 7) {
    ASSERT_OK_AND_ASSIGN(const std::string bytes, base::ReadFile(scratch.Path("w"), size));
    testing::WriteTestFile(scratch.Path("cut"), bytes.substr(0, kept));
    EXPECT_FALSE(ReadWeightFile(scratch.Path("cut"), layout).ok()) << kept;
  }
}

}  // namespace
}  // namespace modelpatch::tensor
