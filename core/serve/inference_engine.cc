#include "core/serve/inference_engine.h"

#include <fmt/format.h>
#include <torch/torch.h>

#include <algorithm>
#include <chrono>
#include <future>
#include <optional>
#include <utility>

#include "core/base/mutex.h"
#include "core/data/task.h"
#include "core/serve/head_cache.h"
#include "core/serve/image_forward.h"
#include "core/serve/mixture_cache.h"
#include "core/serve/mixture_demand.h"
#include "core/serve/model_cache.h"
#include "core/tensor/guard.h"

namespace modelpatch::serve {
namespace {

// Threads that make what the caches lack, and encode texts.
constexpr int kMissThreads = 2;
// Behind the forwards of those who miss nothing.
constexpr int kMissNice = 5;
// Images in one background forward on the CPU, which whoever comes meanwhile must wait for.
constexpr int64_t kBackgroundImages = 16;
// Mixtures whose demand is known.
constexpr size_t kRememberedMixtures = 4096;

Embeddings ToEmbeddings(const at::Tensor& features) {
  const at::Tensor rows = features.cpu().contiguous();
  const float* data = rows.data_ptr<float>();
  Embeddings embeddings;
  embeddings.width = rows.size(1);
  embeddings.values.assign(data, data + rows.numel());
  return embeddings;
}

absl::Status CheckSweepBytes(const std::vector<data::Task>& tasks,
                             const std::vector<InferenceEngine::SweepTask>& entries, data::ImageSize image_size,
                             int64_t maximum_bytes) {
  const int64_t per_image = 3 * image_size.pixels();
  int64_t images = 0;
  for (size_t i = 0; i < tasks.size(); ++i) {
    const auto& split = tasks[i].split(entries[i].split);
    if (split != nullptr) images += split->size();
  }
  if (images <= maximum_bytes / per_image) return absl::OkStatus();
  return base::ResourceExhausted(
      "SWEEP_TOO_LARGE", fmt::format("the tasks' {} images would take {} bytes of memory, and one evaluation may take "
                                     "{}; evaluate fewer tasks at once, or smaller splits",
                                     images, images * per_image, maximum_bytes));
}

}  // namespace

// What a request needs from the caches.
struct Resources {
  std::shared_ptr<const model::ClipModel> model;
  MixtureWeights weights;
  std::shared_ptr<const model::ZeroShotHead> head;  // null if no classes were asked for
};

// What a request asks the caches for.
struct Wanted {
  std::string model_directory;
  std::vector<patch::MixtureTerm> terms;  // canonical
  std::vector<model::ClassPrompts> classes;
  int64_t images = 0;
  RequestContext context;
};

struct InferenceEngine::State {
  State(EngineOptions given, base::Executor& executor, const store::BlobStore& blobs, const base::Clock& given_clock,
        base::MetricRegistry& metrics)
      : options(std::move(given)),
        preprocess_executor(executor),
        clock(given_clock),
        models(options.model_cache_bytes, options.device),
        mixtures(options.mixture_cache_bytes, options.precision, blobs, clock),
        heads(options.head_cache_bytes),
        demand(kRememberedMixtures),
        images(metrics.GetCounter("modelpatch_images_total", "Images classified or encoded")),
        mixture_bytes(metrics.GetGauge("modelpatch_mixture_cache_bytes", "Bytes of cached mixtures")),
        mixture_misses(metrics.GetGauge("modelpatch_mixture_cache_misses", "Mixtures that had to be interpolated")),
        head_misses(metrics.GetGauge("modelpatch_head_cache_misses", "Zero-shot heads that had to be computed")),
        batcher(options.batcher, clock, metrics),
        misses(base::MakeThreadPool(kMissThreads, kMissNice)) {}

  // To be held until a request is answered: the engine waits for it before it goes.
  std::shared_ptr<void> Enter();
  void WaitUntilNoneInFlight();

  using WithResources = std::function<void(absl::StatusOr<Resources>)>;
  // Calls `next` with what the caches have, or, once it has been made, on a thread for misses.
  void Gather(Wanted wanted, WithResources next);
  std::optional<Resources> Find(const Wanted& wanted);
  absl::StatusOr<Resources> Make(const Wanted& wanted);
  // Weights that are there, or can be mixed from what is there; empty if there is nothing, or too little for so many
  // images.
  MixtureWeights FindWeights(const std::shared_ptr<const model::ClipModel>& model, const Wanted& wanted);
  absl::StatusOr<MixtureWeights> MakeWeights(const std::shared_ptr<const model::ClipModel>& model,
                                             const Wanted& wanted);
  // What mixing these images costs more than a plain forward of them.
  double ExtraSeconds(const model::ClipModel& model, const Wanted& wanted) const;
  // Counts a request that was mixed, and has its mixture materialised in the background if that has become worth it.
  void ChargeMixing(const std::shared_ptr<const model::ClipModel>& model, const Wanted& wanted);
  // Cancelled when the request is, or too late.
  base::CancellationToken CallerOf(const RequestContext& context) const;

  void Forward(const Resources& resources, std::vector<ImageInput> inputs, const RequestContext& context,
               std::function<void(absl::StatusOr<ImageFeatures>)> done);
  void ReportCaches();

  // Forwards through the batcher at the lowest priority, for the sweeps: blocks the calling thread.
  absl::StatusOr<at::Tensor> BackgroundFeatures(const std::shared_ptr<const model::ClipModel>& model,
                                                const tensor::WeightSet& weights, const at::Tensor& pixels);

  const EngineOptions options;
  base::Executor& preprocess_executor;
  const base::Clock& clock;
  ModelCache models;
  MixtureCache mixtures;
  HeadCache heads;
  MixtureDemand demand;
  base::Counter& images;
  base::Gauge& mixture_bytes;
  base::Gauge& mixture_misses;
  base::Gauge& head_misses;
  Batcher batcher;

  base::Mutex mutex;
  base::CondVar none_in_flight;
  int64_t in_flight MP_GUARDED_BY(mutex) = 0;

  std::unique_ptr<base::Executor> misses;
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

base::CancellationToken InferenceEngine::State::CallerOf(const RequestContext& context) const {
  return base::CancellationToken::When([context, this] { return !CheckWanted(context, clock.SteadyNow()).ok(); });
}

double InferenceEngine::State::ExtraSeconds(const model::ClipModel& model, const Wanted& wanted) const {
  const ForwardCosts costs = batcher.CostsOf(model.image_encoder);
  const double products = static_cast<double>(wanted.terms.size() + 1);
  return (costs.mixed_product * products - costs.plain_image) * static_cast<double>(wanted.images);
}

void InferenceEngine::State::ChargeMixing(const std::shared_ptr<const model::ClipModel>& model, const Wanted& wanted) {
  const double price = mixtures.MaterialiseSeconds(*model, wanted.terms.size());
  if (!demand.Charge(mixtures.KeyOf(*model, wanted.terms), ExtraSeconds(*model, wanted), price)) return;
  misses->Schedule([this, place = Enter(), model, terms = wanted.terms] {
    // Whoever needs the mixture will see the error of making it.
    (void)mixtures.Get(model, terms);
    ReportCaches();
  });
}

MixtureWeights InferenceEngine::State::FindWeights(const std::shared_ptr<const model::ClipModel>& model,
                                                   const Wanted& wanted) {
  MixtureWeights weights;
  weights.materialised = mixtures.Find(model, wanted.terms);
  if (!model->image_encoder->can_mix()) return weights;
  if (weights.materialised == nullptr &&
      ExtraSeconds(*model, wanted) >= mixtures.MaterialiseSeconds(*model, wanted.terms.size())) {
    return weights;
  }
  weights.sources = mixtures.FindSources(model, wanted.terms);
  if (weights.materialised == nullptr && !weights.sources.empty()) ChargeMixing(model, wanted);
  return weights;
}

absl::StatusOr<MixtureWeights> InferenceEngine::State::MakeWeights(const std::shared_ptr<const model::ClipModel>& model,
                                                                   const Wanted& wanted) {
  MixtureWeights weights;
  const bool is_few = ExtraSeconds(*model, wanted) < mixtures.MaterialiseSeconds(*model, wanted.terms.size());
  if (model->image_encoder->can_mix() && is_few && mixtures.CanHold(*model, wanted.terms.size() + 1)) {
    MP_ASSIGN_OR_RETURN(weights.sources, mixtures.GetSources(model, wanted.terms));
    weights.materialised = mixtures.Find(model, wanted.terms);
    if (weights.materialised == nullptr) ChargeMixing(model, wanted);
    return weights;
  }
  MP_ASSIGN_OR_RETURN(weights.materialised, mixtures.Get(model, wanted.terms));
  return weights;
}

std::optional<Resources> InferenceEngine::State::Find(const Wanted& wanted) {
  Resources found;
  found.model = models.Find(wanted.model_directory);
  if (found.model == nullptr) return std::nullopt;
  if (!wanted.classes.empty()) {
    found.head = heads.Find(*found.model, wanted.classes);
    if (found.head == nullptr) return std::nullopt;
  }
  found.weights = FindWeights(found.model, wanted);
  if (found.weights.materialised == nullptr && found.weights.sources.empty()) return std::nullopt;
  return found;
}

absl::StatusOr<Resources> InferenceEngine::State::Make(const Wanted& wanted) {
  const RequestContext& context = wanted.context;
  MP_RETURN_IF_ERROR(CheckWanted(context, clock.SteadyNow()));
  Resources made;
  MP_ASSIGN_OR_RETURN(made.model, models.Get(wanted.model_directory));
  MP_ASSIGN_OR_RETURN(made.weights, MakeWeights(made.model, wanted));
  if (!wanted.classes.empty()) {
    auto head = heads.Get(made.model, wanted.classes, CallerOf(context));
    MP_RETURN_IF_ERROR(CheckWanted(context, clock.SteadyNow()));  // what the head's own CANCELLED is about
    MP_RETURN_IF_ERROR(head.status());
    made.head = *std::move(head);
  }
  ReportCaches();
  return made;
}

void InferenceEngine::State::Gather(Wanted wanted, WithResources next) {
  if (std::optional<Resources> found = Find(wanted); found.has_value()) return next(*std::move(found));
  misses->Schedule([this, wanted = std::move(wanted), next = std::move(next)] {
    next(tensor::Guarded([&] { return Make(wanted); }));
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

void InferenceEngine::State::ReportCaches() {
  const auto statistics = mixtures.statistics();
  mixture_bytes.Set(static_cast<double>(statistics.bytes));
  mixture_misses.Set(static_cast<double>(statistics.misses));
  head_misses.Set(static_cast<double>(heads.statistics().misses));
}

absl::StatusOr<at::Tensor> InferenceEngine::State::BackgroundFeatures(
    const std::shared_ptr<const model::ClipModel>& model, const tensor::WeightSet& weights, const at::Tensor& pixels) {
  const auto shared_weights = std::make_shared<const model::EncoderWeights>(weights, options.precision);
  const int64_t images_at_once = weights.device().is_cuda() ? options.batcher.maximum_batch : kBackgroundImages;
  const int64_t per_image = pixels[0].numel();
  std::vector<at::Tensor> parts;
  for (int64_t begin = 0; begin < pixels.size(0); begin += images_at_once) {
    ForwardRequest request;
    request.encoder = model->image_encoder;
    request.weights.materialised = shared_weights;
    request.count = std::min(images_at_once, pixels.size(0) - begin);
    request.image_size = {pixels.size(2), pixels.size(3)};
    request.priority = Priority::kBackground;
    const float* first = pixels.data_ptr<float>() + begin * per_image;
    request.pixels.assign(first, first + request.count * per_image);
    std::promise<absl::StatusOr<ForwardResult>> promise;
    batcher.Submit(std::move(request),
                   [&](absl::StatusOr<ForwardResult> result) { promise.set_value(std::move(result)); });
    MP_ASSIGN_OR_RETURN(const ForwardResult result, promise.get_future().get());
    parts.push_back(*result.features);
  }
  return at::cat(parts);
}

InferenceEngine::InferenceEngine(EngineOptions options, base::Executor& preprocess_executor,
                                 const store::BlobStore& blobs, const base::Clock& clock, base::MetricRegistry& metrics)
    : state_(std::make_unique<State>(std::move(options), preprocess_executor, blobs, clock, metrics)) {}

InferenceEngine::~InferenceEngine() { state_->WaitUntilNoneInFlight(); }

void InferenceEngine::Classify(ClassifyRequest request, std::function<void(absl::StatusOr<ClassifyResult>)> done) {
  const RequestContext context = request.context;
  const auto images = static_cast<int64_t>(request.images.size());
  auto run = [state = state_.get(), place = state_->Enter(), inputs = std::move(request.images), context,
              top_k = request.top_k, done = std::move(done)](absl::StatusOr<Resources> resources) mutable {
    if (!resources.ok()) return done(resources.status());
    const double logit_scale = resources->model->logit_scale;
    const std::optional<double> logit_bias = resources->model->logit_bias;
    state->Forward(
        *resources, std::move(inputs), context,
        [place, head = resources->head, logit_scale, logit_bias, top_k, done](absl::StatusOr<ImageFeatures> forward) {
          if (!forward.ok()) return done(forward.status());
          done(tensor::Guarded([&] {
            ClassifyResult result;
            result.images = ScoreClasses(*forward->features, *head->embeddings, logit_scale, logit_bias, top_k);
            result.is_sigmoid = logit_bias.has_value();
            result.truncated_prompts = head->truncated_prompts;
            result.timings = forward->timings;
            return result;
          }));
        });
  };
  state_->Gather({request.mixture.model_directory, patch::CanonicalTerms(request.mixture.terms),
                  std::move(request.classes), images, context},
                 std::move(run));
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
  state_->Gather(
      {request.mixture.model_directory, patch::CanonicalTerms(request.mixture.terms), /*classes=*/{}, images, context},
      std::move(run));
}

void InferenceEngine::EncodeTexts(std::string model_directory, std::vector<std::string> texts, bool normalize,
                                  RequestContext context, std::function<void(absl::StatusOr<Embeddings>)> done) {
  state_->misses->Schedule([state = state_.get(), place = state_->Enter(), directory = std::move(model_directory),
                            texts = std::move(texts), normalize, context, done = std::move(done)]() {
    const auto encode = [&]() -> absl::StatusOr<Embeddings> {
      MP_RETURN_IF_ERROR(CheckWanted(context, state->clock.SteadyNow()));
      MP_ASSIGN_OR_RETURN(const auto model, state->models.Get(directory));
      const base::SteadyTime begin = state->clock.SteadyNow();
      std::vector<bool> truncated;
      MP_ASSIGN_OR_RETURN(const at::Tensor features,
                          model::EncodeTexts(*model, texts, normalize, state->CallerOf(context), &truncated));
      Embeddings embeddings = ToEmbeddings(features);
      embeddings.truncated = std::move(truncated);
      embeddings.timings.inference_seconds = std::chrono::duration<double>(state->clock.SteadyNow() - begin).count();
      return embeddings;
    };
    done(tensor::Guarded(encode));
  });
}

absl::StatusOr<std::shared_ptr<const model::ClipModel>> InferenceEngine::GetModel(const std::string& model_directory) {
  return state_->models.Get(model_directory);
}

void InferenceEngine::EvictModel(const std::string& model_directory) {
  const auto model = state_->models.Find(model_directory);
  state_->models.Evict(model_directory);
  if (model == nullptr) return;
  state_->mixtures.Evict(*model);
  state_->heads.Evict(*model);
}

absl::StatusOr<std::vector<patch::SweepPoint>> InferenceEngine::Sweep(
    const ResolvedMixture& start, const ResolvedMixture& end, const std::vector<double>& alphas,
    const std::vector<SweepTask>& entries, const base::CancellationToken& cancellation,
    const std::function<absl::Status(const patch::SweepPoint&)>& on_point) {
  const std::shared_ptr<void> place = state_->Enter();
  MP_ASSIGN_OR_RETURN(const auto model, state_->models.Get(start.model_directory));
  std::vector<data::Task> tasks;
  for (const SweepTask& entry : entries) {
    MP_ASSIGN_OR_RETURN(data::Task task, data::OpenTask(entry.name, entry.source, state_->options.decode_limits));
    tasks.push_back(std::move(task));
  }
  MP_RETURN_IF_ERROR(CheckSweepBytes(tasks, entries, model->preprocess.image_size, state_->options.sweep_bytes));
  const patch::HeadFunction find_head = [&](std::span<const model::ClassPrompts> classes) {
    return state_->heads.Get(model, classes, cancellation);
  };
  std::vector<patch::EvaluationSet> sets;
  for (size_t i = 0; i < tasks.size(); ++i) {
    MP_ASSIGN_OR_RETURN(patch::EvaluationSet set,
                        patch::MakeEvaluationSet(*model, tasks[i], entries[i].role, entries[i].split, /*threads=*/1,
                                                 /*maximum_examples=*/0, cancellation, find_head));
    sets.push_back(std::move(set));
  }
  const patch::SweepInput input{model, start.terms, end.terms, alphas, sets};
  const patch::BlobLoader load_blob = [&](const std::string& blob) { return state_->mixtures.GetBlob(model, blob); };
  const patch::FeatureFunction features = [&](const tensor::WeightSet& weights, const at::Tensor& pixels) {
    return state_->BackgroundFeatures(model, weights, pixels);
  };
  return patch::RunSweep(input, load_blob, features, cancellation, on_point);
}

}  // namespace modelpatch::serve
