// Load runs: a closed loop, in which each of N clients sends its next call when the last one is answered, and an open
// loop, in which calls arrive at random at a given rate whether or not the server keeps up.
//
// In an open loop a latency counts from the intended arrival, so that a call that was sent late because the sender was
// held up is as late as its user would find it. Each run blocks its caller until every call has ended.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "client/load/load_report.h"
#include "client/load/timer.h"

namespace modelpatch::client {

// Starts calls. Thread-safe.
class Caller {
 public:
  virtual ~Caller() = default;
  // Starts call `number` of the run and returns. `done` gets "OK" or the name of a code, once, on any thread.
  virtual void Start(uint64_t number, std::function<void(std::string)> done) = 0;
};

struct ClosedLoop {
  int clients = 1;
};

struct OpenLoop {
  // Arrivals a second.
  double rate = 1;
  uint64_t seed = 0;
  // Arrivals that find as many calls unanswered are not sent, and counted under NOT_SENT.
  int64_t maximum_unanswered = 10'000;
};

// The time between arrival `number` and the one before, of a Poisson process: exponential with the mean 1/rate.
double ArrivalGap(const OpenLoop& loop, uint64_t number);

// Calls arrive until `end` seconds of the timer. All calls of the run, in no particular order.
std::vector<LoadSample> RunLoad(const ClosedLoop& loop, double end, Caller& caller, Timer& timer);
std::vector<LoadSample> RunLoad(const OpenLoop& loop, double end, Caller& caller, Timer& timer);

}  // namespace modelpatch::client
