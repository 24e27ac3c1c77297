#include "core/serve/image_forward.h"

#include <fmt/format.h>
#include <torch/torch.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "core/base/mutex.h"
#include "core/serve/image_input.h"
#include "core/tensor/guard.h"

namespace modelpatch::serve {
namespace {

class SlicedForward : public std::enable_shared_from_this<SlicedForward> {
 public:
  SlicedForward(ImageForwardInput input, const ImageForwardOptions& options, base::Executor& executor, Batcher& batcher,
                const base::Clock& clock, std::function<void(absl::StatusOr<ImageFeatures>)> done)
      : input_(std::move(input)),
        options_(options),
        executor_(executor),
        batcher_(batcher),
        clock_(clock),
        done_(std::move(done)),
        slices_((input_.images.size() + static_cast<size_t>(options.slice_images) - 1) /
                static_cast<size_t>(options.slice_images)),
        parts_(slices_) {}

  // Starts as many slices as may be in flight.
  void Advance() {
    std::vector<size_t> starting;
    {
      base::MutexLock lock(mutex_);
      while (status_.ok() && next_ < slices_ && in_flight_ < options_.slices_in_flight) {
        starting.push_back(next_++);
        ++in_flight_;
      }
    }
    for (const size_t slice : starting) {
      executor_.Schedule([self = shared_from_this(), slice] { self->RunSlice(slice); });
    }
  }

 private:
  void RunSlice(size_t slice) {
    const base::SteadyTime begin = clock_.SteadyNow();
    absl::StatusOr<ForwardRequest> request = tensor::Guarded([&] { return Preprocess(slice); });
    if (!request.ok()) return Finish(slice, 0, request.status());
    const double seconds = std::chrono::duration<double>(clock_.SteadyNow() - begin).count();
    batcher_.Submit(*std::move(request), [self = shared_from_this(), slice, seconds](auto result) {
      self->Finish(slice, seconds, std::move(result));
    });
  }

  absl::StatusOr<ForwardRequest> Preprocess(size_t slice) const {
    MP_RETURN_IF_ERROR(CheckWanted(input_.context, clock_.SteadyNow()));
    const data::PreprocessConfig& config = input_.model->preprocess;
    const size_t first = slice * static_cast<size_t>(options_.slice_images);
    const size_t last = std::min(input_.images.size(), first + static_cast<size_t>(options_.slice_images));
    const auto per_image = static_cast<size_t>(3 * config.image_size.pixels());
    ForwardRequest request;
    request.pixels.resize((last - first) * per_image);
    for (size_t i = first; i < last; ++i) {
      float* out = request.pixels.data() + (i - first) * per_image;
      MP_RETURN_IF_ERROR(base::WithField(PreprocessImage(input_.images[i], config, options_.decode_limits, out),
                                         fmt::format("images[{}]", i)));
    }
    request.encoder = input_.model->image_encoder;
    request.weights = input_.weights;
    request.count = static_cast<int64_t>(last - first);
    request.image_size = config.image_size;
    request.deadline = input_.context.deadline;
    request.cancellation = input_.context.cancellation;
    request.client = input_.context.client;
    return request;
  }

  void Finish(size_t slice, double preprocess_seconds, absl::StatusOr<ForwardResult> result) {
    bool ended = false;
    {
      base::MutexLock lock(mutex_);
      --in_flight_;
      if (result.ok()) {
        timings_.preprocess_seconds += preprocess_seconds;
        timings_.queue_seconds = std::max(timings_.queue_seconds, result->queue_seconds);
        timings_.inference_seconds += result->inference_seconds;
        parts_[slice] = std::move(result->features);
      } else if (status_.ok()) {
        status_ = result.status();
      }
      ended = in_flight_ == 0 && (next_ == slices_ || !status_.ok());
    }
    if (ended) {
      done_(tensor::Guarded([&] { return Assemble(); }));
    } else {
      Advance();
    }
  }

  absl::StatusOr<ImageFeatures> Assemble() {
    base::MutexLock lock(mutex_);
    MP_RETURN_IF_ERROR(status_);
    std::vector<at::Tensor> parts;
    for (const auto& part : parts_) parts.push_back(*part);
    const auto features = std::make_shared<const at::Tensor>(parts.size() == 1 ? parts[0] : at::cat(parts));
    MP_RETURN_IF_ERROR(CheckFeatures(*features));
    return ImageFeatures{features, timings_};
  }

  const ImageForwardInput input_;
  const ImageForwardOptions options_;
  base::Executor& executor_;
  Batcher& batcher_;
  const base::Clock& clock_;
  const std::function<void(absl::StatusOr<ImageFeatures>)> done_;
  const size_t slices_;

  base::Mutex mutex_;
  size_t next_ MP_GUARDED_BY(mutex_) = 0;
  int in_flight_ MP_GUARDED_BY(mutex_) = 0;
  absl::Status status_ MP_GUARDED_BY(mutex_);
  Timings timings_ MP_GUARDED_BY(mutex_);
  std::vector<std::shared_ptr<const at::Tensor>> parts_ MP_GUARDED_BY(mutex_);
};

}  // namespace

absl::Status CheckFeatures(const at::Tensor& features) {
  if (at::isfinite(features).all().item<bool>()) return absl::OkStatus();
  return base::FailedPrecondition(
      "FEATURES_NOT_FINITE",
      "the image features are infinite or not a number at this mixture; use coefficients closer to [0, 1]");
}

void EncodeInSlices(ImageForwardInput input, const ImageForwardOptions& options, base::Executor& executor,
                    Batcher& batcher, const base::Clock& clock,
                    std::function<void(absl::StatusOr<ImageFeatures>)> done) {
  if (input.images.empty()) return done(base::InvalidArgument("NO_IMAGES", "there is no image; give at least one"));
  std::make_shared<SlicedForward>(std::move(input), options, executor, batcher, clock, std::move(done))->Advance();
}

}  // namespace modelpatch::serve
