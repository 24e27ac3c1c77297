#include "client/cli/bench_text.h"

#include <nlohmann/json.hpp>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "client/cli/table.h"
#include "client/cli/text_format.h"

namespace modelpatch::client {

std::string BenchText(const BenchSetting& setting, const LoadReport& report) {
  std::vector<std::string> codes;
  for (const auto& [code, count] : report.codes) codes.push_back(absl::StrCat(code, " ", count));
  const auto milliseconds = [&](double value) {
    return report.measured > 0 ? absl::StrFormat("%.2f ms", value) : std::string("-");
  };
  Properties properties;
  properties.Add("load", setting.clients > 0
                             ? absl::StrCat(setting.clients, setting.clients == 1 ? " client" : " clients")
                             : absl::StrCat(Number(setting.rate), " arrivals a second (Poisson)"));
  properties.Add("measured", absl::StrFormat("%s s, %d successful calls", Number(report.seconds), report.measured));
  properties.Add("throughput", absl::StrFormat("%.1f requests a second, %.1f images a second",
                                               report.requests_per_second, report.images_per_second));
  properties.Add("p50", milliseconds(report.p50));
  properties.Add("p90", milliseconds(report.p90));
  properties.Add("p95", milliseconds(report.p95));
  properties.Add("p99", milliseconds(report.p99));
  properties.Add("mean", milliseconds(report.mean));
  properties.Add("maximum", milliseconds(report.maximum));
  properties.Add("answers", codes.empty() ? "none" : absl::StrJoin(codes, ", "));
  return properties.Render();
}

std::string BenchJson(const BenchSetting& setting, const LoadReport& report) {
  const nlohmann::ordered_json json = {{"protocol", setting.protocol},
                                       {"clients", setting.clients},
                                       {"rate", setting.rate},
                                       {"imagesPerRequest", setting.images_per_request},
                                       {"seconds", report.seconds},
                                       {"requestsPerSecond", report.requests_per_second},
                                       {"imagesPerSecond", report.images_per_second},
                                       {"measured", report.measured},
                                       {"latencyMilliseconds",
                                        {{"p50", report.p50},
                                         {"p90", report.p90},
                                         {"p95", report.p95},
                                         {"p99", report.p99},
                                         {"mean", report.mean},
                                         {"maximum", report.maximum}}},
                                       {"codes", report.codes}};
  return json.dump();
}

}  // namespace modelpatch::client
