// Percentile bootstrap intervals of accuracies and of their differences. Torch-free; pure functions.
#pragma once

#include <cstdint>
#include <span>

namespace modelpatch::patch {

// 95 %: the 2.5th and the 97.5th percentile over 1,000 resamples. Source: Efron 1979; Efron and Tibshirani 1993,
// section 13.3.
struct Interval {
  double low = 0;
  double high = 0;
};

// Of the mean of `correct` (each 0 or 1). The examples drawn are a function of (seed, number of examples): with one
// seed two calls draw the same ones. {0, 0} for no examples.
Interval BootstrapAccuracy(std::span<const uint8_t> correct, uint64_t seed);

// Of mean(after) − mean(before) over the same examples, which are drawn together (a paired bootstrap). The two are of
// one size.
Interval BootstrapDifference(std::span<const uint8_t> before, std::span<const uint8_t> after, uint64_t seed);

}  // namespace modelpatch::patch
