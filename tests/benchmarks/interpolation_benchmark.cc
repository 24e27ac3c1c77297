// The α switch: interpolating all weights of a ViT-B/32 image tower, against a copy of as many bytes in the same run.
#include <ATen/Parallel.h>
#include <torch/torch.h>

#include <cstring>

#include "core/model/image_encoder.h"
#include "core/patch/interpolation.h"
#include "tests/benchmarks/comparison.h"

namespace modelpatch::benchmarks {
namespace {

tensor::WeightSet MakeWeights(float value) {
  const model::VisionConfig config{/*image_size=*/224, /*patch_size=*/32, /*width=*/768,
                                   /*layers=*/12,      /*heads=*/12,      /*mlp_width=*/3072};
  const auto layout = *tensor::WeightLayout::Make(model::MakeVisionTransformer(config, 512)->WeightSpecs());
  const tensor::WeightSet weights(layout, tensor::Device());
  at::Tensor flat = weights.flat();
  flat.fill_(value);
  return weights;
}

void CopyInParallel(const tensor::WeightSet& from, const tensor::WeightSet& to) {
  const float* source = from.flat().data_ptr<float>();
  float* target = to.flat().data_ptr<float>();
  at::parallel_for(0, from.layout().storage_size(), 1, [&](int64_t begin, int64_t end) {
    std::memcpy(target + begin, source + begin, static_cast<size_t>(end - begin) * sizeof(float));
  });
}

// share_of_copy: bytes a second (reads and writes that the operation names) over those of memcpy on the same threads.
void BM_AlphaSwitch(benchmark::State& state) {
  const auto terms_count = static_cast<size_t>(state.range(0));
  const tensor::WeightSet base = MakeWeights(1);
  const tensor::WeightSet out = MakeWeights(0);
  std::vector<tensor::WeightSet> checkpoints;
  std::vector<patch::WeightedCheckpoint> terms;
  for (size_t i = 0; i < terms_count; ++i) checkpoints.push_back(MakeWeights(static_cast<float>(i) + 2));
  for (const tensor::WeightSet& checkpoint : checkpoints) terms.push_back({&checkpoint, 0.3});
  const Comparison times = Compare(
      state, [&] { patch::Interpolate(base, terms, out); }, [&] { CopyInParallel(base, out); });
  const auto bytes = static_cast<double>(base.bytes());
  const double ours = bytes * static_cast<double>(2 + terms_count) / times.ours_seconds;
  const double copy = bytes * 2 / times.reference_seconds;
  state.counters["GB_per_s"] = ours / 1e9;
  state.counters["copy_GB_per_s"] = copy / 1e9;
  state.counters["share_of_copy"] = ours / copy;
}
BENCHMARK(BM_AlphaSwitch)->Arg(1)->Arg(3)->UseManualTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace modelpatch::benchmarks
