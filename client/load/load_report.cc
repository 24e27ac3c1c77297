#include "client/load/load_report.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace modelpatch::client {
namespace {

constexpr double kMilliseconds = 1000;

bool Contains(const LoadWindow& window, double time) { return time >= window.begin && time < window.end; }

}  // namespace

double Percentile(const std::vector<double>& sorted, double quantile) {
  if (sorted.empty()) return 0;
  // 0.95 · 20 is a little more than 19 in floating point, and the rank is 19.
  const double rank = std::ceil(quantile * static_cast<double>(sorted.size()) - 1e-9);
  const auto index = static_cast<size_t>(std::max(rank, 1.0)) - 1;
  return sorted[std::min(index, sorted.size() - 1)];
}

LoadReport Summarize(const std::vector<LoadSample>& samples, const LoadWindow& window, int images_per_request) {
  LoadReport report;
  report.seconds = window.end - window.begin;
  std::vector<double> latencies;
  int64_t ended = 0;
  for (const LoadSample& sample : samples) {
    const bool succeeded = sample.code == "OK";
    if (succeeded && Contains(window, sample.end)) ++ended;
    if (!Contains(window, sample.arrival)) continue;
    ++report.codes[sample.code];
    if (succeeded) latencies.push_back((sample.end - sample.arrival) * kMilliseconds);
  }
  if (report.seconds > 0) report.requests_per_second = static_cast<double>(ended) / report.seconds;
  report.images_per_second = report.requests_per_second * images_per_request;
  std::sort(latencies.begin(), latencies.end());
  report.measured = static_cast<int64_t>(latencies.size());
  if (latencies.empty()) return report;
  report.mean = std::accumulate(latencies.begin(), latencies.end(), 0.0) / static_cast<double>(latencies.size());
  report.p50 = Percentile(latencies, 0.5);
  report.p90 = Percentile(latencies, 0.9);
  report.p95 = Percentile(latencies, 0.95);
  report.p99 = Percentile(latencies, 0.99);
  report.maximum = latencies.back();
  return report;
}

}  // namespace modelpatch::client
