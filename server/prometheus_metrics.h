// PrometheusMetrics: the instruments of core, kept by the Prometheus client library and written in its text format.
//
// Thread-safe. Asking twice for a name as another kind of instrument is a mistake of the program: the second kind then
// counts nothing.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/base/metrics.h"

namespace modelpatch::server {

class PrometheusMetrics final : public base::MetricRegistry {
 public:
  PrometheusMetrics();
  ~PrometheusMetrics() override;

  base::Counter& GetCounter(const std::string& name, const std::string& help, const base::Labels& labels) override;
  base::Gauge& GetGauge(const std::string& name, const std::string& help, const base::Labels& labels) override;
  base::Histogram& GetHistogram(const std::string& name, const std::string& help, const std::vector<double>& bounds,
                                const base::Labels& labels) override;

  // What Prometheus scrapes: text format 0.0.4.
  std::string Text() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace modelpatch::server
