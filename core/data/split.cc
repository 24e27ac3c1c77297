#include "core/data/split.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <string_view>

#include "core/base/random.h"

namespace modelpatch::data {
namespace {

using Groups = std::vector<std::vector<int64_t>>;

Groups GroupByLabel(std::span<const int32_t> labels) {
  const int32_t highest = labels.empty() ? -1 : *std::max_element(labels.begin(), labels.end());
  Groups groups(static_cast<size_t>(highest + 1));
  for (size_t i = 0; i < labels.size(); ++i) {
    groups[static_cast<size_t>(labels[i])].push_back(static_cast<int64_t>(i));
  }
  return groups;
}

// How many each group gives so that they give `total` together, in proportion to their sizes, but never all of a group
// if `keep_one`.
std::vector<int64_t> Apportion(const Groups& groups, int64_t total, bool keep_one) {
  const int64_t count = std::accumulate(groups.begin(), groups.end(), int64_t{0}, [](int64_t sum, const auto& group) {
    return sum + static_cast<int64_t>(group.size());
  });
  std::vector<int64_t> shares(groups.size());
  std::vector<double> remainders(groups.size());
  std::vector<int64_t> bounds(groups.size());
  int64_t left = total;
  for (size_t i = 0; i < groups.size(); ++i) {
    const auto size = static_cast<int64_t>(groups[i].size());
    bounds[i] = keep_one ? std::max<int64_t>(size - 1, 0) : size;
    const double quota =
        count == 0 ? 0.0 : static_cast<double>(total) * static_cast<double>(size) / static_cast<double>(count);
    shares[i] = std::min(static_cast<int64_t>(std::floor(quota)), bounds[i]);
    remainders[i] = quota - static_cast<double>(shares[i]);
    left -= shares[i];
  }
  std::vector<size_t> order(groups.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return remainders[a] > remainders[b]; });
  // A second round is needed only where bounds held groups back.
  for (bool progress = true; left > 0 && progress;) {
    progress = false;
    for (const size_t i : order) {
      if (left == 0) break;
      if (shares[i] == bounds[i]) continue;
      ++shares[i];
      --left;
      progress = true;
    }
  }
  return shares;
}

// Marks the chosen examples.
std::vector<bool> Choose(const Groups& groups, const std::vector<int64_t>& shares, size_t count,
                         std::string_view purpose, uint64_t seed) {
  std::vector<bool> chosen(count);
  for (size_t i = 0; i < groups.size(); ++i) {
    const std::vector<int64_t> order =
        base::RandomStream(seed, purpose, i).Permutation(static_cast<int64_t>(groups[i].size()));
    for (int64_t k = 0; k < shares[i]; ++k) {
      chosen[static_cast<size_t>(groups[i][static_cast<size_t>(order[static_cast<size_t>(k)])])] = true;
    }
  }
  return chosen;
}

}  // namespace

std::vector<int32_t> StrataOf(const Dataset& dataset) {
  if (dataset.size() == 0 || dataset.candidates(0).empty()) return LabelsOf(dataset);
  return std::vector<int32_t>(static_cast<size_t>(dataset.size()));
}

absl::StatusOr<SplitIndices> StratifiedSplit(std::span<const int32_t> labels, double fraction, uint64_t seed) {
  if (!(fraction > 0.0 && fraction < 1.0)) {
    return base::InvalidArgument("BAD_VALIDATION_FRACTION",
                                 fmt::format("the validation fraction is {}; it must lie between 0 and 1", fraction));
  }
  const auto total = static_cast<int64_t>(std::llround(fraction * static_cast<double>(labels.size())));
  const Groups groups = GroupByLabel(labels);
  const std::vector<bool> chosen =
      Choose(groups, Apportion(groups, total, /*keep_one=*/true), labels.size(), "split", seed);
  SplitIndices split;
  for (size_t i = 0; i < labels.size(); ++i) {
    (chosen[i] ? split.validation : split.train).push_back(static_cast<int64_t>(i));
  }
  if (split.validation.empty()) {
    return base::InvalidArgument(
        "SPLIT_TOO_SMALL", fmt::format("a fraction {} of {} examples leaves nothing for validation, since every class "
                                       "keeps one for training; give more examples or a validation split",
                                       fraction, labels.size()));
  }
  return split;
}

std::vector<int64_t> StratifiedSubset(std::span<const int32_t> labels, int64_t count, uint64_t seed) {
  const auto total = std::min(static_cast<int64_t>(labels.size()), std::max<int64_t>(count, 0));
  const Groups groups = GroupByLabel(labels);
  const std::vector<bool> chosen =
      Choose(groups, Apportion(groups, total, /*keep_one=*/false), labels.size(), "subset", seed);
  std::vector<int64_t> indices;
  for (size_t i = 0; i < labels.size(); ++i) {
    if (chosen[i]) indices.push_back(static_cast<int64_t>(i));
  }
  return indices;
}

}  // namespace modelpatch::data
