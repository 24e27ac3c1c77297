// LoadReport: what a load run measured, exactly: every latency is kept, none is put into a bucket. Pure functions.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace modelpatch::client {

// One call, in seconds since the run began.
struct LoadSample {
  // When it was to be sent: in an open loop, whether or not the sender was in time.
  double arrival = 0;
  double end = 0;
  // "OK", or the name of a gRPC code.
  std::string code;
};

// What of a run counts.
struct LoadWindow {
  double begin = 0;
  double end = 0;
};

struct LoadReport {
  double seconds = 0;
  // Successful calls that ended in the window, a second.
  double requests_per_second = 0;
  double images_per_second = 0;
  // Latencies of the successful calls that arrived in the window, in milliseconds; all 0 if there was none.
  int64_t measured = 0;
  double mean = 0;
  double p50 = 0;
  double p90 = 0;
  double p95 = 0;
  double p99 = 0;
  double maximum = 0;
  // How the calls that arrived in the window ended.
  std::map<std::string, int64_t> codes;

  bool operator==(const LoadReport&) const = default;
};

// The smallest of `sorted` that at least the fraction `quantile` of all do not exceed (the nearest rank); 0 of none.
double Percentile(const std::vector<double>& sorted, double quantile);

LoadReport Summarize(const std::vector<LoadSample>& samples, const LoadWindow& window, int images_per_request);

}  // namespace modelpatch::client
