// Batcher: runs image-encoder forwards for many requests at once.
//
// Requests that wait at the same time share a batch where that is cheaper (batch_plan.h): those of one materialised
// mixture in a plain forward, those of different mixtures in a mixed one. While one batch runs, the next one gathers;
// an idle batcher starts at once, so a lone request never waits, unless a delay was asked for. Clients are served in
// turn. Thread safety: thread-safe. Owns one compute thread; its destructor finishes what is queued with CANCELLED and
// joins.
#pragma once

#include <cstdint>
#include <memory>

#include "core/base/clock.h"
#include "core/base/metrics.h"
#include "core/serve/batch_plan.h"
#include "core/serve/forward_request.h"

namespace modelpatch::serve {

struct BatcherOptions {
  // Images in one forward.
  int64_t maximum_batch = 64;
  // Images of interactive requests waiting; beyond it a request is refused with RESOURCE_EXHAUSTED (QUEUE_FULL), and
  // beyond half of it one of the same client (CLIENT_QUEUE_FULL).
  int64_t maximum_queued_images = 4096;
  // How long the oldest request may wait for others to fill a batch while the device is idle.
  double maximum_delay_seconds = 0;
};

class Batcher {
 public:
  using Done = ForwardDone;

  Batcher(const BatcherOptions& options, const base::Clock& clock, base::MetricRegistry& metrics);
  ~Batcher();

  // `done` is called once, on the compute thread (or in this call, if the request is refused).
  void Submit(ForwardRequest request, Done done);

  // What forwards of an encoder cost: measured on the compute thread when the first request of one that can mix comes,
  // the defaults until then.
  ForwardCosts CostsOf(const std::shared_ptr<const model::ImageEncoder>& encoder) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace modelpatch::serve
