#include "server/prometheus_metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace modelpatch::server {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(PrometheusMetricsTest, WritesCountersGaugesAndHistograms) {
  PrometheusMetrics metrics;
  metrics.GetCounter("modelpatch_calls_total", "Calls.", {{"code", "OK"}}).Increment(2);
  metrics.GetGauge("modelpatch_queue_images", "Waiting images.", {}).Set(7);
  metrics.GetHistogram("modelpatch_call_seconds", "Seconds.", {0.5, 1}, {}).Observe(0.75);
  const std::string text = metrics.Text();
  EXPECT_THAT(text, HasSubstr("# TYPE modelpatch_calls_total counter"));
  EXPECT_THAT(text, HasSubstr("modelpatch_calls_total{code=\"OK\"} 2"));
  EXPECT_THAT(text, HasSubstr("modelpatch_queue_images 7"));
  EXPECT_THAT(text, HasSubstr("modelpatch_call_seconds_bucket{le=\"0.5\"} 0"));
  EXPECT_THAT(text, HasSubstr("modelpatch_call_seconds_bucket{le=\"1\"} 1"));
  EXPECT_THAT(text, HasSubstr("modelpatch_call_seconds_count 1"));
}

TEST(PrometheusMetricsTest, TheSameNameAndLabelsAreTheSameInstrument) {
  PrometheusMetrics metrics;
  base::Counter& first = metrics.GetCounter("modelpatch_a_total", "A.", {{"x", "1"}});
  EXPECT_EQ(&first, &metrics.GetCounter("modelpatch_a_total", "A.", {{"x", "1"}}));
  EXPECT_NE(&first, &metrics.GetCounter("modelpatch_a_total", "A.", {{"x", "2"}}));
}

TEST(PrometheusMetricsTest, ANameOfTwoKindsCountsOnlyAsTheFirst) {
  PrometheusMetrics metrics;
  metrics.GetCounter("modelpatch_a_total", "A.", {}).Increment();
  metrics.GetGauge("modelpatch_a_total", "A.", {}).Set(5);
  EXPECT_THAT(metrics.Text(), HasSubstr("modelpatch_a_total 1"));
  EXPECT_THAT(metrics.Text(), Not(HasSubstr("gauge")));
}

}  // namespace
}  // namespace modelpatch::server
