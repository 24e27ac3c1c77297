#include "core/serve/inference_engine.h"

#include <fmt/format.h>
#include <torch/torch.h>

#include <chrono>
#include <optional>
#include <utility>

#include "core/base/mutex.h"
#include "core/serve/auto_alpha.h"
#include "core/serve/image_forward.h"
#include "core/serve/prepared_classifier.h"
#include "core/tensor/guard.h"

namespace modelpatch::serve {
namespace {

// So many images are to come of a prepared classifier, as far as the caches know: its mixture is worth materialising.
constexpr int64_t kPreparedImages = 1'000'000;

Embeddings ToEmbeddings(const at::Tensor& features) {
  const at::Tensor rows = features.cpu().contiguous();
  const float* data = rows.data_ptr<float>();
  Embeddings embeddings;
  embeddings.width = rows.size(1);
  embeddings.values.assign(data, data + rows.numel());
  return embeddings;
}

ClassifyResult Score(const ImageFeatures& forward, const Resources& resources, int64_t top_k) {
  const model::ClipModel& model = *resources.model;
  ClassifyResult result;
  result.images =
      ScoreClasses(*forward.features, *resources.head->embeddings, model.logit_scale, model.logit_bias, top_k);
  result.is_sigmoid = model.logit_bias.has_value();
  result.truncated_prompts = resources.head->truncated_prompts;
  result.timings = forward.timings;
  return result;
}

absl::Status CheckAutoAlpha(const ClassifyRequest& request, int64_t maximum_images) {
  if (request.images.empty()) {
    return base::InvalidArgument("NO_IMAGES", "there is no image; give at least one");
  }
  if (static_cast<int64_t>(request.images.size()) > maximum_images) {
    return base::InvalidArgument("AUTO_ALPHA_TOO_MANY_IMAGES",
                                 fmt::format("{} images at an automatic alpha; send at most {} in one request",
                                             request.images.size(), maximum_images));
  }
  if (patch::CanonicalTerms(request.mixture.terms).empty()) {
    return base::InvalidArgument("AUTO_ALPHA_WITHOUT_CHECKPOINT",
                                 "the mixture is the model itself; name a checkpoint or a patch to go towards");
  }
  return absl::OkStatus();
}

// What is only materialised is a source of its own.
MixtureWeights WithSources(MixtureWeights weights) {
  if (weights.sources.empty()) weights.sources.push_back({weights.materialised, 1.0});
  return weights;
}

}  // namespace

struct InferenceEngine::State {
  State(EngineOptions given, base::Executor& executor, const store::BlobStore& blobs, const base::Clock& given_clock,
        base::MetricRegistry& metrics)
      : options(std::move(given)),
        preprocess_executor(executor),
        clock(given_clock),
        images(metrics.GetCounter("modelpatch_images_total", "Images classified or encoded")),
        batcher(options.batcher, clock, metrics),
        caches(options.caches, blobs, batcher, clock, metrics) {}

  // To be held until a request is answered: the engine waits for it before it goes.
  std::shared_ptr<void> Enter();
  void WaitUntilNoneInFlight();

  void Forward(const Resources& resources, std::vector<ImageInput> inputs, const RequestContext& context,
               std::function<void(absl::StatusOr<ImageFeatures>)> done);
  // As ResourceCaches::Gather, of what the requests of `prepared` share.
  void GatherPrepared(std::shared_ptr<PreparedClassifier> prepared, const RequestContext& context,
                      ResourceCaches::WithResources next);
  void ClassifyAtAutoAlpha(ClassifyRequest request, std::function<void(absl::StatusOr<ClassifyResult>)> done);

  const EngineOptions options;
  base::Executor& preprocess_executor;
  const base::Clock& clock;
  base::Counter& images;
  Batcher batcher;
  ResourceCaches caches;

  base::Mutex mutex;
  base::CondVar none_in_flight;
  int64_t in_flight MP_GUARDED_BY(mutex) = 0;
};

std::shared_ptr<void> InferenceEngine::State::Enter() {
  base::MutexLock lock(mutex);
  ++in_flight;
  return {nullptr, [this](void*) {
            base::MutexLock leaving(mutex);
            if (--in_flight == 0) none_in_flight.NotifyAll();
          }};
}

void InferenceEngine::State::WaitUntilNoneInFlight() {
  base::MutexLock lock(mutex);
  while (in_flight > 0) none_in_flight.Wait(mutex);
}

void InferenceEngine::State::GatherPrepared(std::shared_ptr<PreparedClassifier> prepared, const RequestContext& context,
                                            ResourceCaches::WithResources next) {
  const auto with_shared = [](const std::shared_ptr<const Resources>& shared) {
    Resources resources = *shared;
    resources.shared = shared;
    return resources;
  };
  if (const auto shared = prepared->Find(); shared != nullptr) return next(with_shared(shared));
  caches.Gather({prepared->mixture().model_directory, patch::CanonicalTerms(prepared->mixture().terms),
                 prepared->classes(), kPreparedImages, context},
                [prepared, with_shared, next = std::move(next)](absl::StatusOr<Resources> resources) {
                  if (!resources.ok()) return next(std::move(resources));
                  const auto shared = std::make_shared<const Resources>(*std::move(resources));
                  prepared->Remember(shared);
                  next(with_shared(shared));
                });
}

void InferenceEngine::State::Forward(const Resources& resources, std::vector<ImageInput> inputs,
                                     const RequestContext& context,
                                     std::function<void(absl::StatusOr<ImageFeatures>)> done) {
  images.Increment(static_cast<double>(inputs.size()));
  ImageForwardOptions forward;
  forward.slice_images = options.batcher.maximum_batch;
  forward.decode_limits = options.decode_limits;
  EncodeInSlices({resources.model, resources.weights, std::move(inputs), context}, forward, preprocess_executor,
                 batcher, clock, std::move(done));
}

InferenceEngine::InferenceEngine(EngineOptions options, base::Executor& preprocess_executor,
                                 const store::BlobStore& blobs, const base::Clock& clock, base::MetricRegistry& metrics)
    : state_(std::make_unique<State>(std::move(options), preprocess_executor, blobs, clock, metrics)) {}

InferenceEngine::~InferenceEngine() { state_->WaitUntilNoneInFlight(); }

void InferenceEngine::Classify(ClassifyRequest request, std::function<void(absl::StatusOr<ClassifyResult>)> done) {
  if (request.auto_alpha) return state_->ClassifyAtAutoAlpha(std::move(request), std::move(done));
  const RequestContext context = request.context;
  const auto images = static_cast<int64_t>(request.images.size());
  auto run = [state = state_.get(), place = state_->Enter(), inputs = std::move(request.images), context,
              top_k = request.top_k, done = std::move(done)](absl::StatusOr<Resources> resources) mutable {
    if (!resources.ok()) return done(resources.status());
    state->Forward(
        *resources, std::move(inputs), context,
        [place, resources = *resources, top_k, done = std::move(done)](absl::StatusOr<ImageFeatures> forward) {
          if (!forward.ok()) return done(forward.status());
          done(tensor::Guarded([&] { return Score(*forward, resources, top_k); }));
        });
  };
  if (request.prepared != nullptr) return state_->GatherPrepared(request.prepared, context, std::move(run));
  state_->caches.Gather({request.mixture.model_directory, patch::CanonicalTerms(request.mixture.terms),
                         std::move(request.classes), images, context},
                        std::move(run));
}

void InferenceEngine::Prepare(std::shared_ptr<PreparedClassifier> prepared, RequestContext context,
                              std::function<void(absl::StatusOr<ClassifierFacts>)> done) {
  state_->GatherPrepared(
      std::move(prepared), context,
      [place = state_->Enter(), done = std::move(done)](absl::StatusOr<Resources> resources) {
        if (!resources.ok()) return done(resources.status());
        done(ClassifierFacts{resources->model->logit_bias.has_value(), resources->head->truncated_prompts});
      });
}

void InferenceEngine::State::ClassifyAtAutoAlpha(ClassifyRequest request,
                                                 std::function<void(absl::StatusOr<ClassifyResult>)> done) {
  if (const absl::Status status = CheckAutoAlpha(request, options.batcher.maximum_batch); !status.ok()) {
    return done(status);
  }
  auto shared = std::make_shared<ClassifyRequest>(std::move(request));
  const auto count = static_cast<int64_t>(shared->images.size());
  const WantedResources start{shared->mixture.model_directory, {}, /*classes=*/nullptr, count, shared->context};
  caches.Gather(start, [this, place = Enter(), shared, count,
                        done = std::move(done)](const absl::StatusOr<Resources>& start_resources) {
    if (!start_resources.ok()) return done(start_resources.status());
    WantedResources end{shared->mixture.model_directory, patch::CanonicalTerms(shared->mixture.terms),
                        std::move(shared->classes), count, shared->context};
    caches.Gather(std::move(end), [this, place, shared, done, start_weights = start_resources->weights](
                                      const absl::StatusOr<Resources>& end_resources) {
      if (!end_resources.ok()) return done(end_resources.status());
      if (!end_resources->model->image_encoder->can_mix()) {
        return done(base::FailedPrecondition(
            "MODEL_CANNOT_MIX", "the images of a ResNet cannot have an alpha each; name one alpha for all"));
      }
      AutoForwardInput input{*end_resources, WithSources(start_weights), std::move(shared->images), shared->context,
                             options.decode_limits};
      input.end.weights = WithSources(input.end.weights);
      EncodeAtAutoAlpha(
          std::move(input), preprocess_executor, batcher, clock,
          [place, resources = *end_resources, top_k = shared->top_k, done](absl::StatusOr<AutoFeatures> features) {
            if (!features.ok()) return done(features.status());
            absl::StatusOr<ClassifyResult> result =
                tensor::Guarded([&] { return Score(features->forward, resources, top_k); });
            if (result.ok()) result->alphas = std::move(features->alphas);
            done(std::move(result));
          });
    });
  });
}

void InferenceEngine::EncodeImages(EncodeImagesRequest request, std::function<void(absl::StatusOr<Embeddings>)> done) {
  const RequestContext context = request.context;
  const auto images = static_cast<int64_t>(request.images.size());
  auto run = [state = state_.get(), place = state_->Enter(), inputs = std::move(request.images), context,
              normalize = request.normalize, done = std::move(done)](absl::StatusOr<Resources> resources) mutable {
    if (!resources.ok()) return done(resources.status());
    state->Forward(*resources, std::move(inputs), context,
                   [place, normalize, done](absl::StatusOr<ImageFeatures> forward) {
                     if (!forward.ok()) return done(forward.status());
                     done(tensor::Guarded([&] {
                       Embeddings embeddings =
                           ToEmbeddings(normalize ? model::NormalizeFeatures(*forward->features) : *forward->features);
                       embeddings.timings = forward->timings;
                       return embeddings;
                     }));
                   });
  };
  state_->caches.Gather({request.mixture.model_directory, patch::CanonicalTerms(request.mixture.terms),
                         /*classes=*/nullptr, images, context},
                        std::move(run));
}

void InferenceEngine::EncodeTexts(std::string model_directory, std::vector<std::string> texts, bool normalize,
                                  RequestContext context, std::function<void(absl::StatusOr<Embeddings>)> done) {
  state_->caches.Schedule([state = state_.get(), place = state_->Enter(), directory = std::move(model_directory),
                           texts = std::move(texts), normalize, context, done = std::move(done)]() {
    const auto encode = [&]() -> absl::StatusOr<Embeddings> {
      MP_RETURN_IF_ERROR(CheckWanted(context, state->clock.SteadyNow()));
      MP_ASSIGN_OR_RETURN(const auto model, state->caches.models().Get(directory));
      const base::SteadyTime begin = state->clock.SteadyNow();
      std::vector<bool> truncated;
      MP_ASSIGN_OR_RETURN(const at::Tensor features,
                          model::EncodeTexts(*model, texts, normalize, state->caches.CallerOf(context), &truncated));
      Embeddings embeddings = ToEmbeddings(features);
      embeddings.truncated = std::move(truncated);
      embeddings.timings.inference_seconds = std::chrono::duration<double>(state->clock.SteadyNow() - begin).count();
      return embeddings;
    };
    done(tensor::Guarded(encode));
  });
}

absl::StatusOr<std::shared_ptr<const model::ClipModel>> InferenceEngine::GetModel(const std::string& model_directory) {
  return state_->caches.models().Get(model_directory);
}

void InferenceEngine::EvictModel(const std::string& model_directory) { state_->caches.Evict(model_directory); }

void InferenceEngine::EvictBlob(const std::string& blob) { state_->caches.EvictBlob(blob); }

void InferenceEngine::Pin(std::vector<ResolvedMixture> mixtures) { state_->caches.Pin(std::move(mixtures)); }

absl::StatusOr<std::vector<patch::SweepPoint>> InferenceEngine::Sweep(
    const ResolvedMixture& start, const ResolvedMixture& end, const std::vector<double>& alphas,
    const std::vector<SweepTask>& tasks, const base::CancellationToken& cancellation,
    const std::function<absl::Status(const patch::SweepPoint&)>& on_point) {
  const std::shared_ptr<void> place = state_->Enter();
  const EngineOptions& options = state_->options;
  return RunBatchedSweep(
      {start, end, alphas, tasks},
      {options.sweep_bytes, options.decode_limits, options.caches.precision, options.batcher.maximum_batch},
      state_->caches, state_->batcher, cancellation, on_point);
}

}  // namespace modelpatch::serve
