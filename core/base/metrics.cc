#include "core/base/metrics.h"

namespace modelpatch::base {
namespace {

class NullCounter final : public Counter {
 public:
  void Increment(double) override {}
};
class NullGauge final : public Gauge {
 public:
  void Set(double) override {}
};
class NullHistogram final : public Histogram {
 public:
  void Observe(double) override {}
};

class NullMetricRegistry final : public MetricRegistry {
 public:
  Counter& GetCounter(const std::string&, const std::string&, const Labels&) override { return counter_; }
  Gauge& GetGauge(const std::string&, const std::string&, const Labels&) override { return gauge_; }
  Histogram& GetHistogram(const std::string&, const std::string&, const std::vector<double>&, const Labels&) override {
    return histogram_;
  }

 private:
  NullCounter counter_;
  NullGauge gauge_;
  NullHistogram histogram_;
};

}  // namespace

std::unique_ptr<MetricRegistry> MakeNullMetricRegistry() { return std::make_unique<NullMetricRegistry>(); }

}  // namespace modelpatch::base
