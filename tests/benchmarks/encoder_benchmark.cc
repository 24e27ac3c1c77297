// Forward and training step of the image encoder, against the same network written with plain torch::nn modules.
#include <torch/torch.h>

#include <memory>

#include "core/model/clip_model.h"
#include "core/train/fine_tuner.h"
#include "tests/benchmarks/benchmark_model.h"
#include "tests/benchmarks/comparison.h"
#include "tests/benchmarks/plain_vit.h"

namespace modelpatch::benchmarks {
namespace {

constexpr int64_t kClasses = 10;

// range(0): 0 the small ViT, 1 ViT-B/32; range(1): batch.
void BM_Forward(benchmark::State& state) {
  const at::NoGradGuard no_grad;
  const model::VisionConfig& config = VisionOf(state.range(0));
  const auto model = MakeModel(config);
  PlainVit plain(config, kEmbeddingWidth);
  plain->eval();
  const at::Tensor pixels = torch::randn({state.range(1), 3, config.image_size.height, config.image_size.width});
  const Comparison times = Compare(
      state, [&] { benchmark::DoNotOptimize(model->image_encoder->Forward(model->image_weights.views(), pixels)); },
      [&] { benchmark::DoNotOptimize(plain->forward(pixels)); });
  state.counters["images_per_s"] = static_cast<double>(state.range(1)) / times.ours_seconds;
}
BENCHMARK(BM_Forward)
    ->ArgsProduct({{0}, {1, 8, 32, 128}})
    ->ArgsProduct({{1}, {1, 8, 32}})
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);

void BM_TrainingStep(benchmark::State& state) {
  const model::VisionConfig& config = VisionOf(state.range(0));
  const int64_t batch = state.range(1);
  const auto model = MakeModel(config);
  const at::Tensor embeddings = model::NormalizeFeatures(torch::randn({kClasses, kEmbeddingWidth}));
  const at::Tensor pixels = torch::randn({batch, 3, config.image_size.height, config.image_size.width});
  std::vector<int32_t> labels;
  for (int64_t i = 0; i < batch; ++i) labels.push_back(static_cast<int32_t>(i % kClasses));
  train::FineTuneOptions options;
  options.steps = 1'000'000;
  train::FineTuner tuner({model, {std::make_shared<const at::Tensor>(embeddings), {}, 0}}, options);

  PlainVit plain(config, kEmbeddingWidth);
  torch::optim::AdamW optimizer(plain->parameters(), torch::optim::AdamWOptions(1e-5).weight_decay(0.1));
  const at::Tensor targets = torch::tensor(labels, torch::kLong);
  const auto plain_step = [&] {
    optimizer.zero_grad();
    const at::Tensor features = plain->forward(pixels);
    const at::Tensor logits = torch::matmul(features / features.norm(2, -1, true), embeddings.t()) * 100.0;
    const at::Tensor loss = torch::nn::functional::cross_entropy(logits, targets);
    loss.backward();
    torch::nn::utils::clip_grad_norm_(plain->parameters(), 1.0);
    optimizer.step();
    benchmark::DoNotOptimize(loss.item<double>());
  };
  const Comparison times = Compare(
      state, [&] { benchmark::DoNotOptimize(tuner.Step(pixels, labels)); }, plain_step);
  state.counters["images_per_s"] = static_cast<double>(batch) / times.ours_seconds;
}
BENCHMARK(BM_TrainingStep)->Args({0, 32})->Args({0, 128})->Args({1, 8})->UseManualTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace modelpatch::benchmarks
