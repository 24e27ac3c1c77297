#include "core/patch/coefficient_groups.h"

#include <algorithm>
#include <cctype>
#include <map>
#include <numeric>
#include <string_view>

namespace modelpatch::patch {
namespace {

constexpr std::string_view kTower = "visual.";

// `text` up to, not including, its `count`-th '.'; all of it if it has fewer.
std::string_view Parts(std::string_view text, int count) {
  size_t end = 0;
  for (int i = 0; i < count; ++i) {
    end = text.find('.', i == 0 ? 0 : end + 1);
    if (end == std::string_view::npos) return text;
  }
  return text.substr(0, end);
}

bool StartsWith(std::string_view text, std::string_view prefix) { return text.substr(0, prefix.size()) == prefix; }

// How many parts of a weight's name its block has: visual.transformer.resblocks.N, visual.layerN; 0 outside of blocks.
int BlockParts(std::string_view name) {
  if (StartsWith(name, "visual.transformer.resblocks.")) return 4;
  constexpr std::string_view kStage = "visual.layer";
  const bool is_stage = StartsWith(name, kStage) && name.size() > kStage.size() &&
                        std::isdigit(static_cast<unsigned char>(name[kStage.size()])) != 0;
  return is_stage ? 2 : 0;
}

// The layer that a weight belongs to.
std::string LayerOf(std::string_view name) {
  int parts = StartsWith(name, kTower) ? 2 : 1;
  if (StartsWith(name, "visual.transformer.resblocks.")) parts = 5;
  if (BlockParts(name) == 2) parts = 4;  // visual.layerN.BLOCK.conv1
  std::string layer(Parts(name, parts));
  // A norm of a convolution and a scale of a layer have names of their own.
  const auto rewrite = [&](std::string_view own, std::string_view of) {
    const size_t dot = layer.rfind('.') + 1;
    if (std::string_view(layer).substr(dot) == own) layer.replace(dot, std::string::npos, of);
  };
  for (const auto& [own, of] : {std::pair("bn1", "conv1"), std::pair("bn2", "conv2"), std::pair("bn3", "conv3"),
                                std::pair("ls_1", "attn"), std::pair("ls_2", "mlp")}) {
    rewrite(own, of);
  }
  return layer;
}

}  // namespace

CoefficientGroups GroupWeights(const tensor::WeightLayout& layout, CoefficientGroup group) {
  CoefficientGroups result;
  std::map<std::string, size_t> groups;
  const auto group_named = [&](const std::string& name) {
    const auto [found, inserted] = groups.emplace(name, result.names.size());
    if (inserted) result.names.push_back(name);
    return found->second;
  };
  // The layers outside of the blocks, by whether they come before or after them. A layer's buffers come later still.
  std::map<std::string, std::string> outside;
  bool after_blocks = false;
  const auto name_of = [&](const std::string& weight) -> std::string {
    if (group == CoefficientGroup::kModel) return "model";
    const std::string layer = LayerOf(weight);
    if (group == CoefficientGroup::kLayer) return layer;
    if (const int parts = BlockParts(weight); parts > 0) {
      after_blocks = true;
      return std::string(Parts(weight, parts));
    }
    return outside.emplace(layer, after_blocks ? "visual.head" : "visual.stem").first->second;
  };
  const std::vector<tensor::WeightInfo>& weights = layout.weights();
  for (size_t i = 0; i < weights.size(); ++i) {
    const size_t index = group_named(name_of(weights[i].spec.name));
    const int64_t end = i + 1 < weights.size() ? weights[i + 1].offset : layout.storage_size();
    if (!result.ranges.empty() && result.ranges.back().group == index) {
      result.ranges.back().end = end;
    } else {
      result.ranges.push_back({weights[i].offset, end, index});
    }
  }
  return result;
}

void InterpolateGroups(const tensor::WeightSet& base, std::span<const BlobWeights> checkpoints,
                       std::span<const double> coefficients, const CoefficientGroups& groups,
                       const tensor::WeightSet& out) {
  std::vector<size_t> order(checkpoints.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return checkpoints[a].blob < checkpoints[b].blob; });
  for (const GroupRange& range : groups.ranges) {
    std::vector<WeightedCheckpoint> terms;
    for (const size_t i : order) {
      const double coefficient = coefficients[i * groups.count() + range.group];
      if (coefficient != 0) terms.push_back({checkpoints[i].weights.get(), coefficient});
    }
    InterpolateRange(base, terms, range.begin, range.end, out);
  }
}

}  // namespace modelpatch::patch
