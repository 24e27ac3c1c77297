#include "core/serve/inference_engine.h"

#include <fmt/format.h>
#include <torch/torch.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <future>
#include <utility>

#include "core/data/task.h"
#include "core/serve/head_cache.h"
#include "core/serve/mixture_cache.h"
#include "core/serve/model_cache.h"
#include "core/serve/scores.h"
#include "core/tensor/compat.h"
#include "core/tensor/guard.h"

namespace modelpatch::serve {
namespace {

double Seconds(base::SteadyTime begin, base::SteadyTime end) {
  return std::chrono::duration<double>(end - begin).count();
}

absl::Status CheckContext(const RequestContext& context, const base::Clock& clock) {
  MP_RETURN_IF_ERROR(context.cancellation.Check());
  if (clock.SteadyNow() >= context.deadline) return base::DeadlineExceeded("the deadline passed before the work began");
  return absl::OkStatus();
}

absl::Status CheckPixels(const std::vector<float>& pixels, int64_t image_size) {
  const auto wanted = static_cast<size_t>(3 * image_size * image_size);
  if (pixels.size() != wanted) {
    return base::InvalidArgument("BAD_IMAGE_TENSOR",
                                 fmt::format("the tensor has {} values; this model takes 3·{}·{} = {}", pixels.size(),
                                             image_size, image_size, wanted));
  }
  if (!std::all_of(pixels.begin(), pixels.end(), [](float value) { return std::isfinite(value); })) {
    return base::InvalidArgument("BAD_IMAGE_TENSOR", "the tensor holds NaN or infinity");
  }
  return absl::OkStatus();
}

// fp32 [images, 3, n, n], flattened.
absl::StatusOr<std::vector<float>> PreprocessImages(const std::vector<ImageInput>& images,
                                                    const data::PreprocessConfig& config,
                                                    const data::DecodeLimits& limits) {
  const auto per_image =
      static_cast<size_t>(3) * static_cast<size_t>(config.image_size) * static_cast<size_t>(config.image_size);
  std::vector<float> pixels(images.size() * per_image);
  for (size_t i = 0; i < images.size(); ++i) {
    const std::string field = fmt::format("images[{}]", i);
    float* out = pixels.data() + i * per_image;
    if (!images[i].pixels.empty()) {
      MP_RETURN_IF_ERROR(base::WithField(CheckPixels(images[i].pixels, config.image_size), field));
      std::copy(images[i].pixels.begin(), images[i].pixels.end(), out);
      continue;
    }
    const absl::StatusOr<data::RgbImage> image = data::PreprocessToPixels(images[i].encoded, config, limits);
    if (!image.ok()) return base::WithField(image.status(), field);
    data::NormalizeToPlanar(image->pixels.data(), config, out);
  }
  return pixels;
}

Embeddings ToEmbeddings(const at::Tensor& features) {
  const at::Tensor rows = features.cpu().contiguous();
  const float* data = rows.data_ptr<float>();
  Embeddings embeddings;
  embeddings.width = rows.size(1);
  embeddings.values.assign(data, data + rows.numel());
  return embeddings;
}

}  // namespace

struct InferenceEngine::State {
  State(EngineOptions given, base::Executor& executor, const store::BlobStore& blobs, const base::Clock& given_clock,
        base::MetricRegistry& metrics)
      : options(std::move(given)),
        preprocess_executor(executor),
        clock(given_clock),
        models(options.model_cache_bytes, options.device),
        mixtures(options.mixture_cache_bytes, blobs),
        heads(options.head_cache_bytes),
        images(metrics.GetCounter("modelpatch_images_total", "Images classified or encoded")),
        mixture_bytes(metrics.GetGauge("modelpatch_mixture_cache_bytes", "Bytes of cached mixtures")),
        mixture_misses(metrics.GetGauge("modelpatch_mixture_cache_misses", "Mixtures that had to be interpolated")),
        head_misses(metrics.GetGauge("modelpatch_head_cache_misses", "Zero-shot heads that had to be computed")),
        batcher(options.batcher, clock, metrics) {}

  // What a forward needs, from the caches; blocks on a miss.
  struct Prepared {
    std::shared_ptr<const model::ClipModel> model;
    ForwardRequest forward;
    double preprocess_seconds = 0;
  };
  absl::StatusOr<Prepared> Prepare(const ResolvedMixture& mixture, const std::vector<ImageInput>& inputs,
                                   const RequestContext& context);
  absl::StatusOr<std::shared_ptr<const tensor::WeightSet>> Weights(const std::shared_ptr<const model::ClipModel>& model,
                                                                   const ResolvedMixture& mixture);
  void ReportCaches();
  // A forward through the batcher at the lowest priority, for the sweeps: blocks the calling thread.
  absl::StatusOr<at::Tensor> BackgroundFeatures(const std::shared_ptr<const model::ClipModel>& model,
                                                const tensor::WeightSet& weights, const at::Tensor& pixels);

  const EngineOptions options;
  base::Executor& preprocess_executor;
  const base::Clock& clock;
  ModelCache models;
  MixtureCache mixtures;
  HeadCache heads;
  base::Counter& images;
  base::Gauge& mixture_bytes;
  base::Gauge& mixture_misses;
  base::Gauge& head_misses;
  Batcher batcher;
};

absl::StatusOr<std::shared_ptr<const tensor::WeightSet>> InferenceEngine::State::Weights(
    const std::shared_ptr<const model::ClipModel>& model, const ResolvedMixture& mixture) {
  return mixtures.Get(model, patch::CanonicalTerms(mixture.terms));
}

void InferenceEngine::State::ReportCaches() {
  const auto statistics = mixtures.statistics();
  mixture_bytes.Set(static_cast<double>(statistics.bytes));
  mixture_misses.Set(static_cast<double>(statistics.misses));
  head_misses.Set(static_cast<double>(heads.statistics().misses));
}

absl::StatusOr<InferenceEngine::State::Prepared> InferenceEngine::State::Prepare(const ResolvedMixture& mixture,
                                                                                 const std::vector<ImageInput>& inputs,
                                                                                 const RequestContext& context) {
  MP_RETURN_IF_ERROR(CheckContext(context, clock));
  Prepared prepared;
  MP_ASSIGN_OR_RETURN(prepared.model, models.Get(mixture.model_directory));
  const base::SteadyTime begin = clock.SteadyNow();
  MP_ASSIGN_OR_RETURN(prepared.forward.pixels,
                      PreprocessImages(inputs, prepared.model->preprocess, options.decode_limits));
  prepared.preprocess_seconds = Seconds(begin, clock.SteadyNow());
  MP_ASSIGN_OR_RETURN(prepared.forward.weights, Weights(prepared.model, mixture));
  prepared.forward.encoder = prepared.model->image_encoder;
  prepared.forward.count = static_cast<int64_t>(inputs.size());
  prepared.forward.image_size = prepared.model->preprocess.image_size;
  prepared.forward.deadline = context.deadline;
  prepared.forward.cancellation = context.cancellation;
  images.Increment(static_cast<double>(inputs.size()));
  ReportCaches();
  return prepared;
}

absl::StatusOr<at::Tensor> InferenceEngine::State::BackgroundFeatures(
    const std::shared_ptr<const model::ClipModel>& model, const tensor::WeightSet& weights, const at::Tensor& pixels) {
  ForwardRequest request;
  request.encoder = model->image_encoder;
  request.weights = std::make_shared<const tensor::WeightSet>(weights);
  request.pixels.assign(pixels.data_ptr<float>(), pixels.data_ptr<float>() + pixels.numel());
  request.count = pixels.size(0);
  request.image_size = pixels.size(2);
  request.priority = Priority::kBackground;
  std::promise<absl::StatusOr<ForwardResult>> promise;
  batcher.Submit(std::move(request),
                 [&](absl::StatusOr<ForwardResult> result) { promise.set_value(std::move(result)); });
  MP_ASSIGN_OR_RETURN(const ForwardResult result, promise.get_future().get());
  return *result.features;
}

InferenceEngine::InferenceEngine(EngineOptions options, base::Executor& preprocess_executor,
                                 const store::BlobStore& blobs, const base::Clock& clock, base::MetricRegistry& metrics)
    : state_(std::make_shared<State>(std::move(options), preprocess_executor, blobs, clock, metrics)) {}

InferenceEngine::~InferenceEngine() = default;

void InferenceEngine::Classify(ClassifyRequest request, std::function<void(absl::StatusOr<ClassifyResult>)> done) {
  state_->preprocess_executor.Schedule([state = state_, request = std::move(request), done = std::move(done)]() {
    absl::StatusOr<State::Prepared> prepared = state->Prepare(request.mixture, request.images, request.context);
    if (!prepared.ok()) return done(prepared.status());
    auto head = state->heads.Get(prepared->model, request.classes);
    if (!head.ok()) return done(head.status());
    const double logit_scale = prepared->model->logit_scale;
    const double preprocess_seconds = prepared->preprocess_seconds;
    state->batcher.Submit(std::move(prepared->forward),
                          [head = *std::move(head), logit_scale, preprocess_seconds, top_k = request.top_k,
                           done](absl::StatusOr<ForwardResult> forward) {
                            if (!forward.ok()) return done(forward.status());
                            done(tensor::Guarded([&] {
                              ClassifyResult result;
                              result.images = ScoreClasses(*forward->features, *head->embeddings, logit_scale, top_k);
                              result.truncated_prompts = head->truncated_prompts;
                              result.timings = {preprocess_seconds, forward->queue_seconds, forward->inference_seconds};
                              return result;
                            }));
                          });
  });
}

void InferenceEngine::EncodeImages(EncodeImagesRequest request, std::function<void(absl::StatusOr<Embeddings>)> done) {
  state_->preprocess_executor.Schedule([state = state_, request = std::move(request), done = std::move(done)]() {
    absl::StatusOr<State::Prepared> prepared = state->Prepare(request.mixture, request.images, request.context);
    if (!prepared.ok()) return done(prepared.status());
    const double preprocess_seconds = prepared->preprocess_seconds;
    state->batcher.Submit(std::move(prepared->forward), [normalize = request.normalize, preprocess_seconds,
                                                         done](absl::StatusOr<ForwardResult> forward) {
      if (!forward.ok()) return done(forward.status());
      done(tensor::Guarded([&] {
        Embeddings embeddings =
            ToEmbeddings(normalize ? model::NormalizeFeatures(*forward->features) : *forward->features);
        embeddings.timings = {preprocess_seconds, forward->queue_seconds, forward->inference_seconds};
        return embeddings;
      }));
    });
  });
}

void InferenceEngine::EncodeTexts(std::string model_directory, std::vector<std::string> texts, bool normalize,
                                  RequestContext context, std::function<void(absl::StatusOr<Embeddings>)> done) {
  state_->preprocess_executor.Schedule([state = state_, directory = std::move(model_directory),
                                        texts = std::move(texts), normalize, context, done = std::move(done)]() {
    const auto encode = [&]() -> absl::StatusOr<Embeddings> {
      MP_RETURN_IF_ERROR(CheckContext(context, state->clock));
      MP_ASSIGN_OR_RETURN(const auto model, state->models.Get(directory));
      const base::SteadyTime begin = state->clock.SteadyNow();
      std::vector<bool> truncated;
      MP_ASSIGN_OR_RETURN(const at::Tensor features,
                          model::EncodeTexts(*model, texts, normalize, context.cancellation, &truncated));
      Embeddings embeddings = ToEmbeddings(features);
      embeddings.truncated = std::move(truncated);
      embeddings.timings.inference_seconds = Seconds(begin, state->clock.SteadyNow());
      return embeddings;
    };
    done(encode());
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
    const std::vector<SweepTask>& tasks, const base::CancellationToken& cancellation,
    const std::function<absl::Status(const patch::SweepPoint&)>& on_point) {
  MP_ASSIGN_OR_RETURN(const auto model, state_->models.Get(start.model_directory));
  std::vector<patch::EvaluationSet> sets;
  for (const SweepTask& entry : tasks) {
    MP_ASSIGN_OR_RETURN(const data::Task task, data::OpenTask(entry.name, entry.source, state_->options.decode_limits));
    MP_ASSIGN_OR_RETURN(patch::EvaluationSet set,
                        patch::MakeEvaluationSet(*model, task, entry.role, entry.split, /*threads=*/1,
                                                 /*maximum_examples=*/0, cancellation));
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
