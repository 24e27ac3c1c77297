#include "core/patch/coefficient_groups.h"

#include <torch/torch.h>

#include "core/base/random.h"
#include "core/model/image_encoder.h"
#include "tests/support/status_matchers.h"

namespace modelpatch::patch {
namespace {

using Names = std::vector<std::string>;

std::shared_ptr<const tensor::WeightLayout> TransformerLayout() {
  model::VisionConfig config;
  config.image_size = 16;
  config.patch_size = 8;
  config.width = 64;
  config.layers = 2;
  config.heads = 1;
  config.mlp_width = 256;
  return *tensor::WeightLayout::Make(model::MakeImageEncoder(config, 32)->WeightSpecs());
}

std::shared_ptr<const tensor::WeightLayout> ResNetLayout() {
  return *tensor::WeightLayout::Make({{"visual.conv1.weight", {4, 3, 3, 3}},
                                      {"visual.bn1.weight", {4}},
                                      {"visual.bn1.bias", {4}},
                                      {"visual.layer1.0.conv1.weight", {4, 4, 1, 1}},
                                      {"visual.layer1.0.bn1.weight", {4}},
                                      {"visual.layer1.0.downsample.0.weight", {4, 4, 1, 1}},
                                      {"visual.layer1.0.downsample.1.weight", {4}},
                                      {"visual.layer2.0.conv1.weight", {4, 4, 1, 1}},
                                      {"visual.attnpool.k_proj.weight", {4, 4}},
                                      {"visual.bn1.running_mean", {4}, true},
                                      {"visual.layer1.0.bn1.running_mean", {4}, true}});
}

tensor::WeightSet Random(const std::shared_ptr<const tensor::WeightLayout>& layout, uint64_t seed) {
  const tensor::WeightSet weights(layout, tensor::Device());
  base::RandomStream random(seed, "test");
  for (const tensor::WeightInfo& weight : layout->weights()) {
    float* values = weights.flat().data_ptr<float>() + weight.offset;
    for (int64_t i = 0; i < weight.numel; ++i) values[i] = static_cast<float>(random.Normal());
  }
  return weights;
}

// The group of the weight `name`.
std::string GroupOf(const tensor::WeightLayout& layout, const CoefficientGroups& groups, const std::string& name) {
  const tensor::WeightInfo& weight = layout.weights()[static_cast<size_t>(layout.IndexOf(name))];
  for (const GroupRange& range : groups.ranges) {
    if (range.begin <= weight.offset && weight.offset + weight.numel <= range.end) return groups.names[range.group];
  }
  return "";
}

TEST(CoefficientGroupsTest, BlocksOfATransformer) {
  const auto layout = TransformerLayout();
  const CoefficientGroups groups = GroupWeights(*layout, CoefficientGroup::kBlock);
  EXPECT_EQ(groups.names,
            (Names{"visual.stem", "visual.transformer.resblocks.0", "visual.transformer.resblocks.1", "visual.head"}));
  EXPECT_EQ(groups.ranges.size(), 4u);
  EXPECT_EQ(GroupOf(*layout, groups, "visual.ln_pre.weight"), "visual.stem");
  EXPECT_EQ(GroupOf(*layout, groups, "visual.transformer.resblocks.1.mlp.c_fc.weight"),
            "visual.transformer.resblocks.1");
  EXPECT_EQ(GroupOf(*layout, groups, "visual.proj"), "visual.head");
}

TEST(CoefficientGroupsTest, LayersOfATransformer) {
  const auto layout = TransformerLayout();
  const CoefficientGroups groups = GroupWeights(*layout, CoefficientGroup::kLayer);
  // Four of each block, four before them and two after.
  EXPECT_EQ(groups.count(), 2u * 4 + 4 + 2);
  const std::string block = "visual.transformer.resblocks.1.";
  EXPECT_EQ(GroupOf(*layout, groups, block + "attn.in_proj_weight"), block + "attn");
  EXPECT_EQ(GroupOf(*layout, groups, block + "attn.out_proj.bias"), block + "attn");
  EXPECT_EQ(GroupOf(*layout, groups, block + "ln_2.bias"), block + "ln_2");
  EXPECT_EQ(GroupOf(*layout, groups, block + "mlp.c_proj.weight"), block + "mlp");
  EXPECT_EQ(GroupOf(*layout, groups, "visual.positional_embedding"), "visual.positional_embedding");
}

TEST(CoefficientGroupsTest, StagesAndConvolutionsOfAResNet) {
  const auto layout = ResNetLayout();
  const CoefficientGroups blocks = GroupWeights(*layout, CoefficientGroup::kBlock);
  EXPECT_EQ(blocks.names, (Names{"visual.stem", "visual.layer1", "visual.layer2", "visual.head"}));
  EXPECT_EQ(GroupOf(*layout, blocks, "visual.bn1.running_mean"), "visual.stem") << "a buffer goes with its layer";
  EXPECT_EQ(GroupOf(*layout, blocks, "visual.layer1.0.bn1.running_mean"), "visual.layer1");
  EXPECT_EQ(GroupOf(*layout, blocks, "visual.attnpool.k_proj.weight"), "visual.head");
  const CoefficientGroups layers = GroupWeights(*layout, CoefficientGroup::kLayer);
  EXPECT_EQ(GroupOf(*layout, layers, "visual.bn1.bias"), "visual.conv1");
  EXPECT_EQ(GroupOf(*layout, layers, "visual.bn1.running_mean"), "visual.conv1");
  EXPECT_EQ(GroupOf(*layout, layers, "visual.layer1.0.bn1.weight"), "visual.layer1.0.conv1");
  EXPECT_EQ(GroupOf(*layout, layers, "visual.layer1.0.downsample.1.weight"), "visual.layer1.0.downsample");
}

TEST(CoefficientGroupsTest, LayerScalesBelongToWhatTheyScale) {
  const auto layout = *tensor::WeightLayout::Make({{"visual.transformer.resblocks.0.attn.in_proj_weight", {12, 4}},
                                                   {"visual.transformer.resblocks.0.mlp.c_fc.weight", {4, 4}},
                                                   {"visual.transformer.resblocks.0.ls_1.gamma", {4}},
                                                   {"visual.transformer.resblocks.0.ls_2.gamma", {4}}});
  const CoefficientGroups groups = GroupWeights(*layout, CoefficientGroup::kLayer);
  EXPECT_EQ(groups.count(), 2u);
  EXPECT_EQ(GroupOf(*layout, groups, "visual.transformer.resblocks.0.ls_1.gamma"),
            "visual.transformer.resblocks.0.attn");
  EXPECT_EQ(GroupOf(*layout, groups, "visual.transformer.resblocks.0.ls_2.gamma"),
            "visual.transformer.resblocks.0.mlp");
}

TEST(CoefficientGroupsTest, RangesCoverEveryWeightOnce) {
  for (const auto& layout : {TransformerLayout(), ResNetLayout()}) {
    for (const CoefficientGroup kind : {CoefficientGroup::kModel, CoefficientGroup::kBlock, CoefficientGroup::kLayer}) {
      const CoefficientGroups groups = GroupWeights(*layout, kind);
      int64_t place = 0;
      for (const GroupRange& range : groups.ranges) {
        EXPECT_EQ(range.begin, place);
        EXPECT_GT(range.end, range.begin);
        EXPECT_EQ(range.begin % 16, 0);
        EXPECT_LT(range.group, groups.count());
        place = range.end;
      }
      EXPECT_EQ(place, layout->storage_size());
    }
  }
}

class InterpolateGroupsTest : public ::testing::Test {
 protected:
  std::vector<BlobWeights> Checkpoints() const {
    return {{"b", std::make_shared<const tensor::WeightSet>(Random(layout_, 2))},
            {"a", std::make_shared<const tensor::WeightSet>(Random(layout_, 3))}};
  }
  const std::shared_ptr<const tensor::WeightLayout> layout_ = ResNetLayout();
  const tensor::WeightSet base_ = Random(layout_, 1);
};

TEST_F(InterpolateGroupsTest, EqualCoefficientsGiveTheBitsOfTheMixture) {
  const std::vector<BlobWeights> checkpoints = Checkpoints();
  const BlobLoader load = [&](const std::string& blob) -> absl::StatusOr<std::shared_ptr<const tensor::WeightSet>> {
    return checkpoints[blob == "b" ? 0 : 1].weights;
  };
  for (const auto& [of_b, of_a] :
       {std::pair(0.3, 0.55), std::pair(0.0, 0.55), std::pair(1.0, 0.0), std::pair(0., 0.)}) {
    const tensor::WeightSet expected = Random(layout_, 8);
    ASSERT_OK(
        InterpolateTerms(base_, CanonicalTerms(std::vector<MixtureTerm>{{"b", of_b}, {"a", of_a}}), load, expected));
    for (const CoefficientGroup kind : {CoefficientGroup::kModel, CoefficientGroup::kBlock, CoefficientGroup::kLayer}) {
      const CoefficientGroups groups = GroupWeights(*layout_, kind);
      std::vector<double> coefficients(groups.count(), of_b);
      coefficients.insert(coefficients.end(), groups.count(), of_a);
      const tensor::WeightSet out = Random(layout_, 9);
      InterpolateGroups(base_, checkpoints, coefficients, groups, out);
      EXPECT_EQ(out.Digest(), expected.Digest()) << of_b << " " << of_a << " " << NameOf(kind);
    }
  }
}

TEST_F(InterpolateGroupsTest, EveryGroupTakesItsOwnCoefficients) {
  const std::vector<BlobWeights> checkpoints = Checkpoints();
  const CoefficientGroups groups = GroupWeights(*layout_, CoefficientGroup::kBlock);
  const std::vector<double> coefficients = {1, 0.5, 0, 0.25, 0, 0.25, 1, 0.75};
  const tensor::WeightSet out = Random(layout_, 9);
  InterpolateGroups(base_, checkpoints, coefficients, groups, out);
  for (const GroupRange& range : groups.ranges) {
    const auto part = [&](const tensor::WeightSet& weights) {
      return weights.flat().narrow(0, range.begin, range.end - range.begin).to(at::kDouble);
    };
    const at::Tensor expected = part(base_) +
                                coefficients[range.group] * (part(*checkpoints[0].weights) - part(base_)) +
                                coefficients[4 + range.group] * (part(*checkpoints[1].weights) - part(base_));
    EXPECT_TRUE(at::allclose(part(out), expected, 1e-6, 1e-6)) << groups.names[range.group];
  }
}

TEST_F(InterpolateGroupsTest, TheOrderOfCheckpointsChangesNoBit) {
  const std::vector<BlobWeights> checkpoints = Checkpoints();
  const std::vector<BlobWeights> swapped = {checkpoints[1], checkpoints[0]};
  const CoefficientGroups groups = GroupWeights(*layout_, CoefficientGroup::kBlock);
  const tensor::WeightSet one = Random(layout_, 8);
  const tensor::WeightSet other = Random(layout_, 9);
  InterpolateGroups(base_, checkpoints, std::vector<double>{.1, .2, .3, .4, .5, .6, .7, .8}, groups, one);
  InterpolateGroups(base_, swapped, std::vector<double>{.5, .6, .7, .8, .1, .2, .3, .4}, groups, other);
  EXPECT_EQ(one.Digest(), other.Digest());
}

}  // namespace
}  // namespace modelpatch::patch
