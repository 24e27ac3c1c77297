#include "core/serve/batcher.h"

#include <fmt/format.h>
#include <torch/torch.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <thread>
#include <utility>

#include "core/base/mutex.h"
#include "core/tensor/compat.h"
#include "core/tensor/guard.h"

namespace modelpatch::serve {
namespace {

struct Waiting {
  ForwardRequest request;
  Batcher::Done done;
  base::SteadyTime arrival;
};

// Whether two requests may share a forward.
bool Match(const ForwardRequest& a, const ForwardRequest& b) {
  return a.weights->IsSameAs(*b.weights) && a.encoder == b.encoder && a.image_size == b.image_size;
}

absl::Status StatusBeforeWork(const ForwardRequest& request, base::SteadyTime now) {
  MP_RETURN_IF_ERROR(request.cancellation.Check());
  if (now >= request.deadline)
    return base::DeadlineExceeded("the deadline passed while the request waited in the queue");
  return absl::OkStatus();
}

double Seconds(base::SteadyTime begin, base::SteadyTime end) {
  return std::chrono::duration<double>(end - begin).count();
}

// [images, 3, h, w] of all requests, one after the other.
at::Tensor GatherPixels(const std::vector<Waiting>& batch, int64_t images) {
  const data::ImageSize size = batch[0].request.image_size;
  at::Tensor pixels = at::empty({images, 3, size.height, size.width}, at::kFloat);
  float* to = pixels.data_ptr<float>();
  for (const Waiting& waiting : batch) to = std::copy(waiting.request.pixels.begin(), waiting.request.pixels.end(), to);
  return pixels;
}

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
                                             {0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5})) {}

  // Leaves both as they are, and answers false, if the queue is full.
  bool Enqueue(ForwardRequest& request, Done& done) MP_REQUIRES(mutex);
  void Loop();
  std::vector<Waiting> TakeBatch() MP_REQUIRES(mutex);
  void RunBatch(std::vector<Waiting> batch);

  const BatcherOptions options;
  const base::Clock& clock;
  base::Histogram& batch_images;
  base::Histogram& queue_seconds;
  base::Histogram& forward_seconds;

  base::Mutex mutex;
  base::CondVar condition;
  std::deque<Waiting> interactive MP_GUARDED_BY(mutex);
  std::deque<Waiting> background MP_GUARDED_BY(mutex);
  // Of the interactive requests.
  int64_t queued_images MP_GUARDED_BY(mutex) = 0;
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
  {
    base::MutexLock lock(state_->mutex);
    if (!state_->stopping && state_->Enqueue(request, done)) return;
  }
  done(base::ResourceExhausted(
      "QUEUE_FULL", fmt::format("{} images wait already; try again later", state_->options.maximum_queued_images)));
}

bool Batcher::State::Enqueue(ForwardRequest& request, Done& done) {
  const bool is_interactive = request.priority == Priority::kInteractive;
  if (is_interactive) {
    const bool full = queued_images + request.count > options.maximum_queued_images;
    // A request larger than the whole queue may pass when nothing else waits, or it could never run.
    if (full && queued_images > 0) return false;
    queued_images += request.count;
  }
  (is_interactive ? interactive : background).push_back({std::move(request), std::move(done), clock.SteadyNow()});
  condition.NotifyOne();
  return true;
}

void Batcher::State::Loop() {
  while (true) {
    std::vector<Waiting> batch;
    {
      base::MutexLock lock(mutex);
      while (!stopping && interactive.empty() && background.empty()) condition.Wait(mutex);
      if (stopping) break;
      batch = TakeBatch();
    }
    RunBatch(std::move(batch));
  }
  std::deque<Waiting> left;
  {
    base::MutexLock lock(mutex);
    left.swap(interactive);
    std::move(background.begin(), background.end(), std::back_inserter(left));
    background.clear();
  }
  for (Waiting& waiting : left) waiting.done(base::Cancelled("the server is stopping"));
}

// The oldest request of the highest priority, and whatever matches it, up to the maximum batch.
std::vector<Waiting> Batcher::State::TakeBatch() {
  std::deque<Waiting>& queue = interactive.empty() ? background : interactive;
  std::vector<Waiting> batch;
  int64_t images = 0;
  for (auto waiting = queue.begin(); waiting != queue.end();) {
    const bool fits = batch.empty() || images + waiting->request.count <= options.maximum_batch;
    if (fits && (batch.empty() || Match(batch[0].request, waiting->request))) {
      images += waiting->request.count;
      batch.push_back(std::move(*waiting));
      waiting = queue.erase(waiting);
    } else {
      ++waiting;
    }
  }
  if (&queue == &interactive) queued_images -= images;
  return batch;
}

void Batcher::State::RunBatch(std::vector<Waiting> waiting_batch) {
  const base::SteadyTime begin = clock.SteadyNow();
  std::vector<Waiting> batch;
  int64_t images = 0;
  for (Waiting& waiting : waiting_batch) {
    const absl::Status status = StatusBeforeWork(waiting.request, begin);
    if (!status.ok()) {
      waiting.done(status);
      continue;
    }
    images += waiting.request.count;
    batch.push_back(std::move(waiting));
  }
  if (batch.empty()) return;
  const ForwardRequest& first = batch[0].request;
  const absl::StatusOr<at::Tensor> features = tensor::Guarded([&] {
    const at::NoGradGuard no_grad;
    const at::Tensor pixels = GatherPixels(batch, images).to(tensor::ToTorchDevice(first.weights->device()));
    return first.encoder->Forward(first.weights->views(), pixels).cpu();
  });
  const double seconds = Seconds(begin, clock.SteadyNow());
  batch_images.Observe(static_cast<double>(images));
  forward_seconds.Observe(seconds);
  int64_t row = 0;
  for (Waiting& waiting : batch) {
    const double waited = Seconds(waiting.arrival, begin);
    queue_seconds.Observe(waited);
    if (!features.ok()) {
      waiting.done(features.status());
      continue;
    }
    const int64_t count = waiting.request.count;
    waiting.done(ForwardResult{std::make_shared<const at::Tensor>(features->narrow(0, row, count)), waited, seconds});
    row += count;
  }
}

}  // namespace modelpatch::serve
