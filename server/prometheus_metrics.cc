#include "server/prometheus_metrics.h"

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <map>
#include <utility>

#include "core/base/mutex.h"

namespace modelpatch::server {
namespace {

class PrometheusCounter final : public base::Counter {
 public:
  explicit PrometheusCounter(prometheus::Counter& counter) : counter_(counter) {}
  void Increment(double by) override { counter_.Increment(by); }

 private:
  prometheus::Counter& counter_;
};

class PrometheusGauge final : public base::Gauge {
 public:
  explicit PrometheusGauge(prometheus::Gauge& gauge) : gauge_(gauge) {}
  void Set(double value) override { gauge_.Set(value); }

 private:
  prometheus::Gauge& gauge_;
};

class PrometheusHistogram final : public base::Histogram {
 public:
  explicit PrometheusHistogram(prometheus::Histogram& histogram) : histogram_(histogram) {}
  void Observe(double value) override { histogram_.Observe(value); }

 private:
  prometheus::Histogram& histogram_;
};

enum class Kind { kCounter, kGauge, kHistogram };

using Key = std::pair<std::string, base::Labels>;

}  // namespace

struct PrometheusMetrics::State {
  // True if `name` is of `kind`, now at the latest.
  bool Claim(const std::string& name, Kind kind) MP_REQUIRES(mutex) {
    return kinds.emplace(name, kind).first->second == kind;
  }

  const std::shared_ptr<prometheus::Registry> registry = std::make_shared<prometheus::Registry>();
  const std::unique_ptr<base::MetricRegistry> null = base::MakeNullMetricRegistry();

  base::Mutex mutex;
  std::map<std::string, Kind> kinds MP_GUARDED_BY(mutex);
  std::map<Key, std::unique_ptr<PrometheusCounter>> counters MP_GUARDED_BY(mutex);
  std::map<Key, std::unique_ptr<PrometheusGauge>> gauges MP_GUARDED_BY(mutex);
  std::map<Key, std::unique_ptr<PrometheusHistogram>> histograms MP_GUARDED_BY(mutex);
};

PrometheusMetrics::PrometheusMetrics() : state_(std::make_unique<State>()) {}
PrometheusMetrics::~PrometheusMetrics() = default;

base::Counter& PrometheusMetrics::GetCounter(const std::string& name, const std::string& help,
                                             const base::Labels& labels) {
  base::MutexLock lock(state_->mutex);
  if (!state_->Claim(name, Kind::kCounter)) return state_->null->GetCounter(name, help, labels);
  auto& instrument = state_->counters[Key(name, labels)];
  if (instrument == nullptr) {
    auto& family = prometheus::BuildCounter().Name(name).Help(help).Register(*state_->registry);
    instrument = std::make_unique<PrometheusCounter>(family.Add(labels));
  }
  return *instrument;
}

base::Gauge& PrometheusMetrics::GetGauge(const std::string& name, const std::string& help, const base::Labels& labels) {
  base::MutexLock lock(state_->mutex);
  if (!state_->Claim(name, Kind::kGauge)) return state_->null->GetGauge(name, help, labels);
  auto& instrument = state_->gauges[Key(name, labels)];
  if (instrument == nullptr) {
    auto& family = prometheus::BuildGauge().Name(name).Help(help).Register(*state_->registry);
    instrument = std::make_unique<PrometheusGauge>(family.Add(labels));
  }
  return *instrument;
}

base::Histogram& PrometheusMetrics::GetHistogram(const std::string& name, const std::string& help,
                                                 const std::vector<double>& bounds, const base::Labels& labels) {
  base::MutexLock lock(state_->mutex);
  if (!state_->Claim(name, Kind::kHistogram)) return state_->null->GetHistogram(name, help, bounds, labels);
  auto& instrument = state_->histograms[Key(name, labels)];
  if (instrument == nullptr) {
    auto& family = prometheus::BuildHistogram().Name(name).Help(help).Register(*state_->registry);
    instrument =
        std::make_unique<PrometheusHistogram>(family.Add(labels, prometheus::Histogram::BucketBoundaries(bounds)));
  }
  return *instrument;
}

std::string PrometheusMetrics::Text() const {
  return prometheus::TextSerializer().Serialize(state_->registry->Collect());
}

}  // namespace modelpatch::server
