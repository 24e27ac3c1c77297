// Counter, Gauge, Histogram and their registry: what `core` counts, without knowing who exports it.
//
// Thread safety: all are thread-safe. The registry owns the instruments; they live as long as it does.
// Names follow Prometheus: `modelpatch_<what>_<unit>[_total]`, in seconds and bytes.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace modelpatch::base {

class Counter {
 public:
  virtual ~Counter() = default;
  virtual void Increment(double by = 1) = 0;
};

class Gauge {
 public:
  virtual ~Gauge() = default;
  virtual void Set(double value) = 0;
};

class Histogram {
 public:
  virtual ~Histogram() = default;
  virtual void Observe(double value) = 0;
};

using Labels = std::map<std::string, std::string>;

class MetricRegistry {
 public:
  virtual ~MetricRegistry() = default;
  // The same name and labels give the same instrument.
  virtual Counter& GetCounter(const std::string& name, const std::string& help, const Labels& labels = {}) = 0;
  virtual Gauge& GetGauge(const std::string& name, const std::string& help, const Labels& labels = {}) = 0;
  // `bounds` are the upper bounds of the buckets, ascending, without infinity.
  virtual Histogram& GetHistogram(const std::string& name, const std::string& help, const std::vector<double>& bounds,
                                  const Labels& labels = {}) = 0;
};

// A registry whose instruments count nothing.
std::unique_ptr<MetricRegistry> MakeNullMetricRegistry();

}  // namespace modelpatch::base
