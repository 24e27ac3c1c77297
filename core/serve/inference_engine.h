// InferenceEngine: classification and encoding at any mixture, with everything that makes it quick behind it: decoded
// on a thread pool, heads and mixtures from caches, forwards batched across requests.
//
// What a cache lacks is made on threads of its own, so that a miss, however long it takes, never delays a hit. Thread
// safety: thread-safe. Calls return at once; `done` is called exactly once, on one of the engine's threads, and must
// not block. The engine owns its caches; executors and stores outlive it. Its destructor waits for what is in flight.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/base/executor.h"
#include "core/base/metrics.h"
#include "core/model/class_prompts.h"
#include "core/patch/sweep.h"
#include "core/serve/batched_sweep.h"
#include "core/serve/batcher.h"
#include "core/serve/class_list.h"
#include "core/serve/request.h"
#include "core/serve/resource_caches.h"
#include "core/serve/scores.h"
#include "core/store/blob_store.h"

namespace modelpatch::serve {

class PreparedClassifier;

struct ClassifyRequest {
  ResolvedMixture mixture;
  std::shared_ptr<const ClassList> classes;
  // If it is not null, in place of `mixture` and `classes`, which else is not null; not with `auto_alpha`.
  std::shared_ptr<PreparedClassifier> prepared;
  std::vector<ImageInput> images;
  // 0 means all classes.
  int64_t top_k = 0;
  // Experimental: each image at an α of its own between θ_zs and the mixture (auto_alpha.h). INVALID_ARGUMENT
  // (AUTO_ALPHA_WITHOUT_CHECKPOINT, AUTO_ALPHA_TOO_MANY_IMAGES: more than a batch), FAILED_PRECONDITION
  // (MODEL_CANNOT_MIX: a ResNet).
  bool auto_alpha = false;
  RequestContext context;
};

struct ClassifyResult {
  // Per image, best first (equal scores in the order of the classes).
  std::vector<std::vector<ClassScore>> images;
  // Whether each probability is the sigmoid of its class's own logit, rather than a softmax over the classes.
  bool is_sigmoid = false;
  int64_t truncated_prompts = 0;
  // Per image, with `auto_alpha`; else empty.
  std::vector<double> alphas;
  Timings timings;
};

// What is the same for all requests of a prepared classifier.
struct ClassifierFacts {
  // See ClassifyResult.
  bool is_sigmoid = false;
  int64_t truncated_prompts = 0;
};

struct EncodeImagesRequest {
  ResolvedMixture mixture;
  std::vector<ImageInput> images;
  bool normalize = true;
  RequestContext context;
};

// Rows of `width` floats each.
struct Embeddings {
  int64_t width = 0;
  std::vector<float> values;
  // For texts: which were cut at the context length.
  std::vector<bool> truncated;
  Timings timings;
};

struct EngineOptions {
  CacheOptions caches;
  // Pixels that one sweep or evaluation may hold.
  int64_t sweep_bytes = int64_t{4} << 30;
  data::DecodeLimits decode_limits;
  model::PromptLimits prompt_limits;
  BatcherOptions batcher;
};

class InferenceEngine {
 public:
  // `preprocess_executor` runs decoding; `blobs`, `clock`, `metrics` outlive the engine.
  InferenceEngine(EngineOptions options, base::Executor& preprocess_executor, const store::BlobStore& blobs,
                  const base::Clock& clock, base::MetricRegistry& metrics);
  ~InferenceEngine();

  void Classify(ClassifyRequest request, std::function<void(absl::StatusOr<ClassifyResult>)> done);
  // Makes what the caches lack for `prepared`, so that the errors of mixture and classes are known before any image.
  void Prepare(std::shared_ptr<PreparedClassifier> prepared, RequestContext context,
               std::function<void(absl::StatusOr<ClassifierFacts>)> done);
  void EncodeImages(EncodeImagesRequest request, std::function<void(absl::StatusOr<Embeddings>)> done);
  // L2-normalised if `normalize`.
  void EncodeTexts(std::string model_directory, std::vector<std::string> texts, bool normalize, RequestContext context,
                   std::function<void(absl::StatusOr<Embeddings>)> done);

  // Loads the model if it is not resident. Blocks: not for gRPC threads.
  absl::StatusOr<std::shared_ptr<const model::ClipModel>> GetModel(const std::string& model_directory);
  // Forgets a model and what was derived from it; requests that hold it finish.
  void EvictModel(const std::string& model_directory);
  // The same for a checkpoint's blob.
  void EvictBlob(const std::string& blob);

  // As ResourceCaches::Pin.
  void Pin(std::vector<ResolvedMixture> mixtures);

  // Blocking, for a thread of the caller: opens the tasks' splits and sweeps through the batcher at the lowest
  // priority. RESOURCE_EXHAUSTED (SWEEP_TOO_LARGE) if the splits' pixels do not fit.
  absl::StatusOr<std::vector<patch::SweepPoint>> Sweep(
      const ResolvedMixture& start, const ResolvedMixture& end, const std::vector<double>& alphas,
      const std::vector<SweepTask>& tasks, const base::CancellationToken& cancellation,
      const std::function<absl::Status(const patch::SweepPoint&)>& on_point);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace modelpatch::serve
