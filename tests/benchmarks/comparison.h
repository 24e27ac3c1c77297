// Times two ways of doing one thing in turn, A B A B …, so that a drift of the machine's speed touches both alike.
#pragma once

#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <vector>

namespace modelpatch::benchmarks {

inline double Median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::nth_element(values.begin(), values.begin() + static_cast<int64_t>(values.size() / 2), values.end());
  return values[values.size() / 2];
}

template <typename Function>
double TimeSeconds(const Function& function) {
  const auto begin = std::chrono::steady_clock::now();
  function();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

struct Comparison {
  double ours_seconds;  // medians
  double reference_seconds;
};

// Runs `ours` and `reference` in turn; the benchmark's time is ours. Counters: reference_ms and speedup, the median of
// reference over the median of ours.
template <typename Ours, typename Reference>
Comparison Compare(benchmark::State& state, const Ours& ours, const Reference& reference) {
  std::vector<double> our_times;
  std::vector<double> reference_times;
  ours();
  reference();
  for (auto _ : state) {
    our_times.push_back(TimeSeconds(ours));
    state.SetIterationTime(our_times.back());
    reference_times.push_back(TimeSeconds(reference));
  }
  const Comparison result{Median(our_times), Median(reference_times)};
  state.counters["reference_ms"] = result.reference_seconds * 1e3;
  state.counters["speedup"] = result.reference_seconds / result.ours_seconds;
  return result;
}

}  // namespace modelpatch::benchmarks
