// What `modelpatch bench` prints. Pure functions.
#pragma once

#include <string>

#include "client/load/load_report.h"

namespace modelpatch::client {

// How the load was made.
struct BenchSetting {
  // "modelpatch" or "oip".
  std::string protocol;
  // 0 in an open loop.
  int clients = 0;
  // Arrivals a second; 0 in a closed loop.
  double rate = 0;
  int images_per_request = 1;
};

std::string BenchText(const BenchSetting& setting, const LoadReport& report);
// One line of JSON, lowerCamelCase.
std::string BenchJson(const BenchSetting& setting, const LoadReport& report);

}  // namespace modelpatch::client
