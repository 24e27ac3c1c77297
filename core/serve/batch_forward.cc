#include "core/serve/batch_forward.h"

#include <ATen/Parallel.h>
#include <torch/torch.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <numeric>
#include <vector>

#include "core/model/mixed_layers.h"
#include "core/serve/pixel_transfer.h"
#include "core/tensor/compat.h"
#include "core/tensor/guard.h"

namespace modelpatch::serve {
namespace {

// Images of the larger forward that is measured, how often each is, and from when on one forward must do.
constexpr int64_t kMeasuredImages = 4;
constexpr int kMeasurements = 2;
constexpr double kSlowForwardSeconds = 0.02;
// Larger batches meet their shape bucket late.
constexpr int64_t kLargestWarmBucket = 128;
// Of a mixed product over a plain image, where it is not measured: what the benchmarks show.
constexpr double kUsualMixedOverhead = 1.05;
// Of the threads, in the mean, while each takes whole images.
constexpr double kWorthwhileBusyShare = 0.75;

tensor::Device DeviceOf(const ForwardRequest& request) {
  const MixtureWeights& weights = request.weights;
  return weights.materialised != nullptr ? weights.materialised->device() : weights.sources.front().weights->device();
}

int64_t CountImages(std::span<const WaitingForward> batch) {
  int64_t images = 0;
  for (const WaitingForward& waiting : batch) images += waiting.request.count;
  return images;
}

// [images, 3, h, w] of the requests, in the order given, on the device of their weights. On a CUDA device black images
// are added up to the batch's shape bucket.
at::Tensor GatherPixels(std::span<const WaitingForward> batch, const std::vector<size_t>& order) {
  const int64_t images = CountImages(batch);
  const data::ImageSize size = batch[0].request.image_size;
  if (batch[0].request.transfer != nullptr) {
    std::vector<at::Tensor> parts;
    for (const size_t i : order) parts.push_back(FinishTransfer(*batch[i].request.transfer));
    const int64_t added = ShapeBucket(images) - images;
    if (added > 0) parts.push_back(at::zeros({added, 3, size.height, size.width}, parts[0].options()));
    return at::cat(parts);
  }
  at::Tensor pixels = at::empty({images, 3, size.height, size.width}, at::kFloat);
  float* to = pixels.data_ptr<float>();
  for (const size_t i : order) to = std::copy(batch[i].request.pixels.begin(), batch[i].request.pixels.end(), to);
  return pixels;
}

std::vector<const void*> SourceIds(const ForwardRequest& request) {
  std::vector<const void*> ids;
  for (const auto& source : request.weights.sources) ids.push_back(source.weights->id());
  return ids;
}

// Requests of the same sources next to each other, so that their products are one.
std::vector<size_t> OrderBySources(std::span<const WaitingForward> batch) {
  std::vector<size_t> order(batch.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return SourceIds(batch[a].request) < SourceIds(batch[b].request); });
  return order;
}

model::MixedBatch MixedBatchOf(std::span<const WaitingForward> batch, const std::vector<size_t>& order) {
  model::MixedBatch mixed;
  std::vector<const void*> ids;
  for (const WaitingForward& waiting : batch) {
    for (const auto& source : waiting.request.weights.sources) {
      if (std::find(ids.begin(), ids.end(), source.weights->id()) != ids.end()) continue;
      ids.push_back(source.weights->id());
      mixed.sources.push_back(&source.weights->views());
    }
  }
  for (const size_t i : order) {
    std::vector<float> row(ids.size(), 0);
    for (const auto& source : batch[i].request.weights.sources) {
      const auto place = std::find(ids.begin(), ids.end(), source.weights->id()) - ids.begin();
      row[static_cast<size_t>(place)] += static_cast<float>(source.coefficient);
    }
    for (int64_t image = 0; image < batch[i].request.count; ++image) {
      mixed.coefficients.insert(mixed.coefficients.end(), row.begin(), row.end());
    }
  }
  return mixed;
}

// Features come in the order of the forward; requests want them in their own.
at::Tensor InRequestOrder(const at::Tensor& features, std::span<const WaitingForward> batch,
                          const std::vector<size_t>& order) {
  std::vector<at::Tensor> parts(batch.size());
  int64_t row = 0;
  for (const size_t i : order) {
    parts[i] = features.narrow(0, row, batch[i].request.count);
    row += batch[i].request.count;
  }
  return at::cat(parts);
}

// How many threads shall take whole images each. With enough images that is better than many threads in one operator:
// they wait for each other once a forward, and one that the system holds up holds up its own images alone.
int64_t ThreadsForImages(const at::Tensor& pixels) {
  const int64_t images = pixels.size(0);
  const int64_t threads = at::get_num_threads();
  if (!pixels.device().is_cpu() || threads < 2) return 1;
  const int64_t rounds = (images + threads - 1) / threads;
  const double busy = static_cast<double>(images) / static_cast<double>(rounds * threads);
  return busy >= kWorthwhileBusyShare ? threads : 1;
}

// Of some of the images, the first of which is number `first` of the batch.
using Forward = std::function<at::Tensor(const at::Tensor& pixels, int64_t first)>;

at::Tensor ForwardImages(const at::Tensor& pixels, const Forward& forward) {
  const int64_t parts = ThreadsForImages(pixels);
  if (parts == 1) return forward(pixels, 0);
  const int64_t images = pixels.size(0);
  std::vector<at::Tensor> features(static_cast<size_t>(parts));
  at::parallel_for(0, parts, 1, [&](int64_t begin, int64_t end) {
    const at::NoGradGuard no_grad;  // a thread's own
    for (int64_t part = begin; part < end; ++part) {
      const int64_t first = part * images / parts;
      const int64_t last = (part + 1) * images / parts;
      features[static_cast<size_t>(part)] = forward(pixels.narrow(0, first, last - first), first);
    }
  });
  return at::cat(features);
}

at::Tensor PlainForward(const model::ImageEncoder& encoder, const std::vector<at::Tensor>& weights,
                        const at::Tensor& pixels) {
  return ForwardImages(pixels, [&](const at::Tensor& some, int64_t) { return encoder.Forward(weights, some); });
}

at::Tensor MixedForward(const model::ImageEncoder& encoder, const model::MixedBatch& batch, const at::Tensor& pixels) {
  return ForwardImages(pixels, [&](const at::Tensor& some, int64_t first) {
    const auto width = static_cast<int64_t>(batch.sources.size());
    const auto begin = batch.coefficients.begin() + first * width;
    return encoder.MixedForward({batch.sources, {begin, begin + some.size(0) * width}}, some);
  });
}

at::Tensor RunMixed(std::span<const WaitingForward> batch) {
  const std::vector<size_t> order = OrderBySources(batch);
  model::MixedBatch mixed = MixedBatchOf(batch, order);
  const ForwardRequest& first = batch[0].request;
  const at::Tensor pixels = GatherPixels(batch, order);
  // Added images have no weights at all.
  mixed.coefficients.resize(static_cast<size_t>(pixels.size(0)) * mixed.sources.size(), 0);
  const at::Tensor features = MixedForward(*first.encoder, mixed, pixels);
  return InRequestOrder(features.cpu(), batch, order);
}

at::Tensor RunPlain(std::span<const WaitingForward> batch) {
  std::vector<size_t> order(batch.size());
  std::iota(order.begin(), order.end(), size_t{0});
  const ForwardRequest& first = batch[0].request;
  const model::EncoderWeights& weights = *first.weights.materialised;
  const at::Tensor features = PlainForward(*first.encoder, weights.views(), GatherPixels(batch, order));
  return features.narrow(0, 0, CountImages(batch)).cpu();
}

template <typename Work>
double BestSeconds(const base::Clock& clock, int repetitions, const Work& work) {
  double best = 0;
  for (int i = 0; i < repetitions; ++i) {
    const base::SteadyTime begin = clock.SteadyNow();
    work();
    const double seconds = std::chrono::duration<double>(clock.SteadyNow() - begin).count();
    best = i == 0 ? seconds : std::min(best, seconds);
  }
  return best;
}

}  // namespace

absl::Status SendPixels(ForwardRequest& request) {
  if (request.transfer != nullptr || request.pixels.empty()) return absl::OkStatus();
  return tensor::Guarded([&] {
    request.transfer = StartTransfer(request.pixels, request.count, request.image_size, DeviceOf(request));
    if (request.transfer != nullptr) request.pixels = {};
  });
}

absl::StatusOr<std::shared_ptr<const at::Tensor>> RunForward(std::span<const WaitingForward> batch, bool is_mixed) {
  return tensor::Guarded([&] {
    const at::NoGradGuard no_grad;
    return std::make_shared<const at::Tensor>(is_mixed ? RunMixed(batch) : RunPlain(batch));
  });
}

std::shared_ptr<const at::Tensor> RowsOf(const at::Tensor& features, int64_t first, int64_t count) {
  return std::make_shared<const at::Tensor>(features.narrow(0, first, count));
}

absl::StatusOr<ForwardCosts> MeasureCosts(const ForwardRequest& request, const base::Clock& clock) {
  return tensor::Guarded([&] {
    const at::NoGradGuard no_grad;
    const auto& sources = request.weights.sources;
    const auto& first = sources.front().weights->views();
    const auto& last = sources.back().weights->views();
    const auto device = tensor::ToTorchDevice(sources.front().weights->device());
    const auto pixels = [&](int64_t images) {
      return at::zeros({images, 3, request.image_size.height, request.image_size.width}).to(device);
    };
    const auto plain = [&](int64_t images, int repetitions) {
      const at::Tensor input = pixels(images);
      return BestSeconds(clock, repetitions, [&] { PlainForward(*request.encoder, first, input).cpu(); });
    };
    const auto mixed = [&](int64_t images) {
      const model::MixedBatch batch{{&first, &last}, std::vector<float>(static_cast<size_t>(2 * images), 0.5F)};
      const at::Tensor input = pixels(images);
      return BestSeconds(clock, kMeasurements, [&] { MixedForward(*request.encoder, batch, input).cpu(); });
    };
    // Every shape that a batch will have.
    for (int64_t images = 1; device.is_cuda() && images <= kLargestWarmBucket; images *= 2) plain(images, 1);
    const double once = plain(1, 1);
    if (once > kSlowForwardSeconds) return ForwardCosts{0, once, 0, kUsualMixedOverhead * once};
    const double plain_one = plain(1, kMeasurements);
    const double plain_image = (plain(kMeasuredImages, kMeasurements) - plain_one) / (kMeasuredImages - 1);
    const double mixed_one = mixed(1);
    const double mixed_product = (mixed(kMeasuredImages) - mixed_one) / (2 * (kMeasuredImages - 1));
    // A clock too coarse, or a machine too busy, to tell.
    if (plain_image <= 0 || mixed_product <= 0) return ForwardCosts{};
    // A product is all that a plain forward of the image does, and more.
    return ForwardCosts{std::max(0.0, plain_one - plain_image), plain_image,
                        std::max(0.0, mixed_one - 2 * mixed_product), std::max(plain_image, mixed_product)};
  });
}

}  // namespace modelpatch::serve
