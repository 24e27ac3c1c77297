#include "core/serve/batcher.h"

#include <chrono>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <thread>
#include <utility>
#include <vector>

#include "core/base/mutex.h"
#include "core/serve/batch_forward.h"
#include "core/serve/forward_queue.h"

namespace modelpatch::serve {
namespace {

absl::Status StatusBeforeWork(const ForwardRequest& request, base::SteadyTime now) {
  MP_RETURN_IF_ERROR(request.cancellation.Check());
  if (now >= request.deadline)
    return base::DeadlineExceeded("the deadline passed while the request waited in the queue");
  return absl::OkStatus();
}

double Seconds(base::SteadyTime begin, base::SteadyTime end) {
  return std::chrono::duration<double>(end - begin).count();
}

BatchCandidate CandidateOf(const ForwardRequest& request) {
  const MixtureWeights& weights = request.weights;
  return {request.encoder.get(), request.image_size,
          weights.materialised == nullptr ? nullptr : weights.materialised->id(), weights.sources.size(),
          request.count};
}

std::vector<BatchCandidate> CandidatesOf(std::span<const WaitingForward* const> waiting) {
  std::vector<BatchCandidate> candidates;
  candidates.reserve(waiting.size());
  for (const WaitingForward* one : waiting) candidates.push_back(CandidateOf(one->request));
  return candidates;
}

struct Batch {
  std::vector<WaitingForward> requests;
  bool is_mixed = false;
};

}  // namespace

struct Batcher::State {
  State(const BatcherOptions& given, const base::Clock& given_clock, base::MetricRegistry& metrics)
      : options(given),
        clock(given_clock),
        batch_images(
            metrics.GetHistogram("modelpatch_batch_images", "Images in one forward", {1, 2, 4, 8, 16, 32, 64, 128})),
        queue_seconds(metrics.GetHistogram("modelpatch_queue_seconds", "Time a request waits for its forward",
                                           {0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5})),
        forward_seconds(metrics.GetHistogram("modelpatch_forward_seconds", "Time of one forward",
                                             {0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5})),
        plain_forwards(metrics.GetCounter("modelpatch_forwards_total", "Forwards, by how they get at their weights",
                                          {{"weights", "materialised"}})),
        mixed_forwards(metrics.GetCounter("modelpatch_forwards_total", "Forwards, by how they get at their weights",
                                          {{"weights", "mixed"}})),
        interactive(given.maximum_queued_images) {}

  void Loop();
  bool HasWork() const MP_REQUIRES(mutex) { return !interactive.empty() || !background.empty(); }
  // Waits for more requests, as long as the oldest one may wait.
  void WaitForCompany() MP_REQUIRES(mutex);
  // What to measure before the next batch: its encoder can mix, and nobody has measured what that costs.
  std::optional<ForwardRequest> ToBeMeasured() MP_REQUIRES(mutex);
  Batch TakeBatch() MP_REQUIRES(mutex);
  void Measure(const ForwardRequest& request);
  void RunBatch(Batch batch);

  ForwardQueue& NextQueue() MP_REQUIRES(mutex) { return interactive.empty() ? background : interactive; }
  ForwardCosts CostsOf(const std::shared_ptr<const model::ImageEncoder>& encoder) const MP_REQUIRES(mutex);

  const BatcherOptions options;
  const base::Clock& clock;
  base::Histogram& batch_images;
  base::Histogram& queue_seconds;
  base::Histogram& forward_seconds;
  base::Counter& plain_forwards;
  base::Counter& mixed_forwards;

  base::Mutex mutex;
  base::CondVar condition;
  ForwardQueue interactive MP_GUARDED_BY(mutex);
  ForwardQueue background MP_GUARDED_BY(mutex) = ForwardQueue(std::numeric_limits<int64_t>::max());
  std::map<std::weak_ptr<const model::ImageEncoder>, ForwardCosts, std::owner_less<>> costs MP_GUARDED_BY(mutex);
  bool stopping MP_GUARDED_BY(mutex) = false;

  std::thread thread;
};

Batcher::Batcher(const BatcherOptions& options, const base::Clock& clock, base::MetricRegistry& metrics)
    : state_(std::make_unique<State>(options, clock, metrics)) {
  state_->thread = std::thread([state = state_.get()] { state->Loop(); });
}

Batcher::~Batcher() {
  {
    base::MutexLock lock(state_->mutex);
    state_->stopping = true;
  }
  state_->condition.NotifyAll();
  state_->thread.join();
}

void Batcher::Submit(ForwardRequest request, Done done) {
  const Priority priority = request.priority;
  WaitingForward waiting{std::move(request), std::move(done), state_->clock.SteadyNow()};
  absl::Status status = SendPixels(waiting.request);
  if (status.ok()) {
    base::MutexLock lock(state_->mutex);
    ForwardQueue& queue = priority == Priority::kInteractive ? state_->interactive : state_->background;
    status = state_->stopping ? base::Cancelled("the server is stopping") : queue.Push(waiting);
    if (status.ok()) state_->condition.NotifyAll();
  }
  if (!status.ok()) waiting.done(status);
}

ForwardCosts Batcher::CostsOf(const std::shared_ptr<const model::ImageEncoder>& encoder) const {
  base::MutexLock lock(state_->mutex);
  return state_->CostsOf(encoder);
}

ForwardCosts Batcher::State::CostsOf(const std::shared_ptr<const model::ImageEncoder>& encoder) const {
  const auto found = costs.find(encoder);
  return found == costs.end() ? ForwardCosts{} : found->second;
}

void Batcher::State::Loop() {
  while (true) {
    std::optional<ForwardRequest> unmeasured;
    Batch batch;
    {
      base::MutexLock lock(mutex);
      while (!stopping && !HasWork()) condition.Wait(mutex);
      if (!stopping) WaitForCompany();
      if (stopping) break;
      unmeasured = ToBeMeasured();
      if (!unmeasured.has_value()) batch = TakeBatch();
    }
    if (unmeasured.has_value()) {
      Measure(*unmeasured);
    } else {
      RunBatch(std::move(batch));
    }
  }
  std::vector<WaitingForward> left;
  {
    base::MutexLock lock(mutex);
    left = interactive.TakeAll();
    for (WaitingForward& waiting : background.TakeAll()) left.push_back(std::move(waiting));
  }
  for (WaitingForward& waiting : left) waiting.done(base::Cancelled("the server is stopping"));
}

void Batcher::State::WaitForCompany() {
  const auto delay = std::chrono::duration_cast<base::SteadyTime::duration>(
      std::chrono::duration<double>(options.maximum_delay_seconds));
  while (!stopping && !interactive.empty() && interactive.images() < options.maximum_batch) {
    const auto left = interactive.oldest_arrival() + delay - clock.SteadyNow();
    if (left.count() <= 0) return;
    condition.WaitFor(mutex, std::chrono::ceil<std::chrono::milliseconds>(left));
  }
}

std::optional<ForwardRequest> Batcher::State::ToBeMeasured() {
  const std::vector<const WaitingForward*> waiting = NextQueue().InFairOrder();
  const ForwardRequest& leader = waiting[0]->request;
  if (leader.weights.sources.empty() || costs.contains(leader.encoder)) return std::nullopt;
  ForwardRequest measured;
  measured.encoder = leader.encoder;
  measured.weights = leader.weights;
  measured.image_size = leader.image_size;
  return measured;
}

void Batcher::State::Measure(const ForwardRequest& request) {
  const absl::StatusOr<ForwardCosts> measured = MeasureCosts(request, clock);
  base::MutexLock lock(mutex);
  std::erase_if(costs, [](const auto& cost) { return cost.first.expired(); });
  costs[request.encoder] = measured.value_or(ForwardCosts{});
}

Batch Batcher::State::TakeBatch() {
  ForwardQueue& queue = NextQueue();
  const std::vector<const WaitingForward*> waiting = queue.InFairOrder();
  const BatchPlan plan = PlanBatch(CandidatesOf(waiting), CostsOf(waiting[0]->request.encoder), options.maximum_batch);
  return {queue.Take(plan.chosen), plan.is_mixed};
}

void Batcher::State::RunBatch(Batch taken) {
  const base::SteadyTime begin = clock.SteadyNow();
  std::vector<WaitingForward> batch;
  int64_t images = 0;
  for (WaitingForward& waiting : taken.requests) {
    const absl::Status status = StatusBeforeWork(waiting.request, begin);
    if (!status.ok()) {
      waiting.done(status);
      continue;
    }
    images += waiting.request.count;
    batch.push_back(std::move(waiting));
  }
  if (batch.empty()) return;
  const absl::StatusOr<std::shared_ptr<const at::Tensor>> features = RunForward(batch, taken.is_mixed);
  const double seconds = Seconds(begin, clock.SteadyNow());
  batch_images.Observe(static_cast<double>(images));
  forward_seconds.Observe(seconds);
  (taken.is_mixed ? mixed_forwards : plain_forwards).Increment();
  int64_t row = 0;
  for (WaitingForward& waiting : batch) {
    const double waited = Seconds(waiting.arrival, begin);
    queue_seconds.Observe(waited);
    if (!features.ok()) {
      waiting.done(features.status());
      continue;
    }
    const int64_t count = waiting.request.count;
    waiting.done(ForwardResult{RowsOf(**features, row, count), waited, seconds});
    row += count;
  }
}

}  // namespace modelpatch::serve
