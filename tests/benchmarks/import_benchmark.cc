// Loading a model of ViT-B/32 size: time against reading the file, and memory against the size of its weights.
#include <torch/torch.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "core/base/digest.h"
#include "core/model/bpe_trainer.h"
#include "core/model/initialize.h"
#include "core/model/model_loader.h"
#include "core/model/model_writer.h"
#include "tests/benchmarks/comparison.h"

namespace modelpatch::benchmarks {
namespace {

// A line of /proc/self/status, in bytes.
double StatusBytes(const std::string& key) {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    double kilobytes = 0;
    if (word == key && status >> kilobytes) return kilobytes * 1024;
  }
  return 0;
}

std::string WriteLargeModel() {
  const std::string directory =
      (std::filesystem::temp_directory_path() / ("modelpatch-import-" + std::to_string(getpid()))).string();
  const std::string text = "a photo of a cat";
  const model::BpeVocabulary vocabulary = *model::TrainBpe({&text, 1}, 0);
  model::ModelConfig config;
  config.vision = {/*image_size=*/224, /*patch_size=*/32, /*width=*/768,
                   /*layers=*/12,      /*heads=*/12,      /*mlp_width=*/3072};
  config.text = {/*vocabulary_size=*/514, /*context_length=*/77, /*width=*/512,
                 /*layers=*/12,           /*heads=*/8,           /*mlp_width=*/2048};
  config.text.end_of_text_id = 513;
  config.embedding_width = 512;
  const auto encoder = model::MakeVisionTransformer(config.vision, config.embedding_width);
  const model::TextEncoder text_encoder(config.text, config.embedding_width);
  const tensor::WeightSet image_weights(*tensor::WeightLayout::Make(encoder->WeightSpecs()), tensor::Device());
  const tensor::WeightSet text_weights(*tensor::WeightLayout::Make(text_encoder.WeightSpecs()), tensor::Device());
  model::InitializeWeights(config, 1, image_weights, text_weights);
  const absl::Status status = model::WriteModel(directory, {config, vocabulary.vocab_json, vocabulary.merges_txt},
                                                image_weights, text_weights, tensor::DType::kFloat32);
  if (!status.ok()) std::abort();
  return directory;
}

// speedup: the time of reading and digesting the file over the time of the import, which does both and checks every
// value. anonymous_per_weight_byte: what the process holds beside the mapped file, over the bytes of the weights; 1 is
// one copy.
void BM_Import(benchmark::State& state) {
  const std::string directory = WriteLargeModel();
  const double before = StatusBytes("RssAnon:");
  std::shared_ptr<const model::ClipModel> loaded;
  double held = 0;
  Compare(
      state,
      [&] {
        loaded.reset();
        loaded = *model::LoadModel(directory, tensor::Device(), {});
        held = StatusBytes("RssAnon:") - before;
      },
      [&] { benchmark::DoNotOptimize(base::Sha256File(directory + "/model.safetensors")); });
  const auto bytes = static_cast<double>(loaded->image_weights.bytes() + loaded->text_weights.bytes());
  state.counters["anonymous_per_weight_byte"] = held / bytes;
  std::filesystem::remove_all(directory);
}
BENCHMARK(BM_Import)->UseManualTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace modelpatch::benchmarks
