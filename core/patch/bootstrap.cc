#include "core/patch/bootstrap.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/base/random.h"

namespace modelpatch::patch {
namespace {

constexpr size_t kResamples = 1000;
constexpr double kOutside = 0.025;  // on each side

// Interpolates linearly between the order statistics, as numpy does.
double Percentile(const std::array<double, kResamples>& sorted, double share) {
  const double place = share * static_cast<double>(kResamples - 1);
  const auto below = static_cast<size_t>(place);
  const size_t above = std::min(below + 1, kResamples - 1);
  return sorted[below] + (place - std::floor(place)) * (sorted[above] - sorted[below]);
}

// Of the mean of value(i) over `count` examples.
template <typename Value>
Interval IntervalOf(size_t count, uint64_t seed, const Value& value) {
  if (count == 0) return {};
  std::array<double, kResamples> means;
  for (size_t resample = 0; resample < kResamples; ++resample) {
    base::RandomStream random(seed, "bootstrap", resample);
    int64_t sum = 0;
    for (size_t i = 0; i < count; ++i) sum += value(random.Below(count));
    means[resample] = static_cast<double>(sum) / static_cast<double>(count);
  }
  std::sort(means.begin(), means.end());
  return {Percentile(means, kOutside), Percentile(means, 1 - kOutside)};
}

}  // namespace

Interval BootstrapAccuracy(std::span<const uint8_t> correct, uint64_t seed) {
  return IntervalOf(correct.size(), seed, [&](size_t i) { return int64_t{correct[i]}; });
}

Interval BootstrapDifference(std::span<const uint8_t> before, std::span<const uint8_t> after, uint64_t seed) {
  return IntervalOf(before.size(), seed, [&](size_t i) { return int64_t{after[i]} - int64_t{before[i]}; });
}

}  // namespace modelpatch::patch
