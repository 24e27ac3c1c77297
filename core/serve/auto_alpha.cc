#include "core/serve/auto_alpha.h"

#include <fmt/format.h>
#include <torch/torch.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <utility>

#include "core/base/mutex.h"
#include "core/serve/image_input.h"
#include "core/serve/scores.h"
#include "core/tensor/guard.h"

namespace modelpatch::serve {
namespace {

// (1 − alpha)·start + alpha·end.
MixtureWeights Between(const MixtureWeights& start, const MixtureWeights& end, double alpha) {
  MixtureWeights mixture;
  for (const auto& source : start.sources)
    mixture.sources.push_back({source.weights, (1 - alpha) * source.coefficient});
  for (const auto& source : end.sources) {
    const auto same = std::find_if(mixture.sources.begin(), mixture.sources.end(),
                                   [&](const auto& other) { return other.weights->id() == source.weights->id(); });
    if (same != mixture.sources.end()) {
      same->coefficient += alpha * source.coefficient;
    } else {
      mixture.sources.push_back({source.weights, alpha * source.coefficient});
    }
  }
  return mixture;
}

// One request: decode, both ends, each image at its α.
class AutoForward : public std::enable_shared_from_this<AutoForward> {
 public:
  AutoForward(AutoForwardInput input, Batcher& batcher, const base::Clock& clock,
              std::function<void(absl::StatusOr<AutoFeatures>)> done)
      : input_(std::move(input)), batcher_(batcher), clock_(clock), done_(std::move(done)) {}

  void Start() {
    const base::SteadyTime begin = clock_.SteadyNow();
    const absl::Status status = tensor::Guarded([&] { return Decode(); });
    if (!status.ok()) return done_(status);
    timings_.preprocess_seconds = std::chrono::duration<double>(clock_.SteadyNow() - begin).count();
    RunAll({Request(input_.start, 0, images()), Request(input_.end.weights, 0, images())},
           [this](std::vector<at::Tensor> features) { return RunBetween(features[0], features[1]); });
  }

 private:
  using Next = std::function<absl::Status(std::vector<at::Tensor>)>;

  // Forwards that are in flight together, and what comes after the last.
  struct Stage {
    base::Mutex mutex;
    size_t left MP_GUARDED_BY(mutex) = 0;
    absl::Status status MP_GUARDED_BY(mutex);
    std::vector<at::Tensor> features MP_GUARDED_BY(mutex);
    Timings timings MP_GUARDED_BY(mutex);
  };

  int64_t images() const { return static_cast<int64_t>(input_.images.size()); }
  const data::PreprocessConfig& config() const { return input_.end.model->preprocess; }
  int64_t image_values() const { return 3 * config().image_size.pixels(); }

  absl::Status Decode() {
    MP_RETURN_IF_ERROR(CheckWanted(input_.context, clock_.SteadyNow()));
    pixels_.resize(static_cast<size_t>(images() * image_values()));
    for (int64_t i = 0; i < images(); ++i) {
      MP_RETURN_IF_ERROR(base::WithField(PreprocessImage(input_.images[static_cast<size_t>(i)], config(),
                                                         input_.decode_limits, pixels_.data() + i * image_values()),
                                         fmt::format("images[{}]", i)));
    }
    return absl::OkStatus();
  }

  ForwardRequest Request(MixtureWeights weights, int64_t first, int64_t count) const {
    ForwardRequest request;
    request.encoder = input_.end.model->image_encoder;
    request.weights = std::move(weights);
    const float* begin = pixels_.data() + first * image_values();
    request.pixels.assign(begin, begin + count * image_values());
    request.count = count;
    request.image_size = config().image_size;
    request.client = input_.context.client;
    request.deadline = input_.context.deadline;
    request.cancellation = input_.context.cancellation;
    return request;
  }

  void RunAll(std::vector<ForwardRequest> requests, const Next& next) {
    auto stage = std::make_shared<Stage>();
    {
      base::MutexLock lock(stage->mutex);
      stage->left = requests.size();
      stage->features.resize(requests.size());
    }
    for (size_t i = 0; i < requests.size(); ++i) {
      batcher_.Submit(std::move(requests[i]), [self = shared_from_this(), stage, i, next](auto result) {
        self->Finish(*stage, i, std::move(result), next);
      });
    }
  }

  void Finish(Stage& stage, size_t i, absl::StatusOr<ForwardResult> result, const Next& next) {
    std::vector<at::Tensor> features;
    absl::Status status;
    {
      base::MutexLock lock(stage.mutex);
      if (result.ok()) {
        stage.features[i] = *result->features;
        stage.timings.queue_seconds = std::max(stage.timings.queue_seconds, result->queue_seconds);
        stage.timings.inference_seconds = std::max(stage.timings.inference_seconds, result->inference_seconds);
      } else if (stage.status.ok()) {
        stage.status = result.status();
      }
      if (--stage.left > 0) return;
      status = stage.status;
      features.swap(stage.features);
      // Stages follow each other, so only one is at this place at a time.
      timings_.queue_seconds += stage.timings.queue_seconds;
      timings_.inference_seconds += stage.timings.inference_seconds;
    }
    if (status.ok()) status = tensor::Guarded([&] { return next(std::move(features)); });
    if (!status.ok()) done_(status);
  }

  at::Tensor Logits(const at::Tensor& features) const {
    return Cosines(features, *input_.end.head->embeddings) * input_.end.model->logit_scale;
  }

  absl::Status RunBetween(const at::Tensor& start, const at::Tensor& end) {
    MP_RETURN_IF_ERROR(CheckFeatures(start));
    MP_RETURN_IF_ERROR(CheckFeatures(end));
    const std::vector<double> start_entropies = Entropies(Logits(start));
    const std::vector<double> end_entropies = Entropies(Logits(end));
    std::vector<ForwardRequest> requests;
    for (int64_t i = 0; i < images(); ++i) {
      const auto image = static_cast<size_t>(i);
      alphas_.push_back(AutoAlpha(start_entropies[image], end_entropies[image]));
      requests.push_back(Request(Between(input_.start, input_.end.weights, alphas_.back()), i, 1));
    }
    RunAll(std::move(requests), [this](const std::vector<at::Tensor>& features) {
      const auto all = std::make_shared<const at::Tensor>(at::cat(features));
      MP_RETURN_IF_ERROR(CheckFeatures(*all));
      done_(AutoFeatures{{all, timings_}, std::move(alphas_)});
      return absl::OkStatus();
    });
    return absl::OkStatus();
  }

  const AutoForwardInput input_;
  Batcher& batcher_;
  const base::Clock& clock_;
  const std::function<void(absl::StatusOr<AutoFeatures>)> done_;
  std::vector<float> pixels_;
  std::vector<double> alphas_;
  Timings timings_;
};

}  // namespace

std::vector<double> Entropies(const at::Tensor& logits) {
  const at::Tensor log_probabilities = at::log_softmax(logits.to(at::kDouble), 1);
  const at::Tensor entropies = -(log_probabilities.exp() * log_probabilities).sum(1).contiguous();
  return {entropies.data_ptr<double>(), entropies.data_ptr<double>() + entropies.numel()};
}

double AutoAlpha(double start_entropy, double end_entropy) { return 1 / (1 + std::exp(end_entropy - start_entropy)); }

void EncodeAtAutoAlpha(AutoForwardInput input, base::Executor& executor, Batcher& batcher, const base::Clock& clock,
                       std::function<void(absl::StatusOr<AutoFeatures>)> done) {
  auto forward = std::make_shared<AutoForward>(std::move(input), batcher, clock, std::move(done));
  executor.Schedule([forward] { forward->Start(); });
}

}  // namespace modelpatch::serve
