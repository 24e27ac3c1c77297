// A batch in which every image has an α of its own, against the same batch at one α and against materialising.
#include <torch/torch.h>

#include <vector>

#include "core/model/mixed_layers.h"
#include "core/patch/interpolation.h"
#include "tests/benchmarks/benchmark_model.h"
#include "tests/benchmarks/comparison.h"

namespace modelpatch::benchmarks {
namespace {

// range(0): 0 the small ViT, 1 ViT-B/32; range(1): images, each with its own α. The reference is the forward of the
// whole batch at one α; `ratio` is what the mixed batch takes of it, `materialise_ms` what interpolating each mixture
// and running its one image takes.
void BM_MixedBatch(benchmark::State& state) {
  const at::NoGradGuard no_grad;
  const model::VisionConfig& config = VisionOf(state.range(0));
  const int64_t images = state.range(1);
  const auto model = MakeModel(config);
  const tensor::WeightSet& base = model->image_weights;
  const tensor::WeightSet tuned = base.Clone();
  tuned.flat().add_(at::randn_like(tuned.flat()), 1e-3);
  const tensor::WeightSet mixture(base.shared_layout(), base.device());
  const at::Tensor pixels = torch::randn({images, 3, config.image_size.height, config.image_size.width});
  model::MixedBatch batch;
  batch.sources = {&base.views(), &tuned.views()};
  std::vector<double> alphas;
  for (int64_t i = 0; i < images; ++i) {
    alphas.push_back((static_cast<double>(i) + 1) / (static_cast<double>(images) + 1));
    batch.coefficients.push_back(static_cast<float>(1 - alphas.back()));
    batch.coefficients.push_back(static_cast<float>(alphas.back()));
  }
  const model::ImageEncoder& encoder = *model->image_encoder;
  const Comparison times = Compare(
      state, [&] { benchmark::DoNotOptimize(encoder.MixedForward(batch, pixels)); },
      [&] { benchmark::DoNotOptimize(encoder.Forward(base.views(), pixels)); });
  state.counters["ratio"] = times.ours_seconds / times.reference_seconds;
  state.counters["materialise_ms"] =
      1e3 * TimeSeconds([&] {
        for (int64_t i = 0; i < images; ++i) {
          const patch::WeightedCheckpoint term{&tuned, alphas[static_cast<size_t>(i)]};
          patch::Interpolate(base, {&term, 1}, mixture);
          benchmark::DoNotOptimize(encoder.Forward(mixture.views(), pixels.narrow(0, i, 1)));
        }
      });
}
BENCHMARK(BM_MixedBatch)->ArgsProduct({{0, 1}, {8, 32}})->UseManualTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace modelpatch::benchmarks
