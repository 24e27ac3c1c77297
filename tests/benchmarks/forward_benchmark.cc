// Forwards of three image encoders, against the same networks in PyTorch and in ONNX Runtime, and against this
// machine's matrix product.
//
// Without `--child` it starts forward_benchmark.py, which runs this program again as one of its children and has them
// compute in turn. A child writes the weights to a file, then answers each line `forward BATCH THREADS REPEATS` or
// `gemm SIZE THREADS REPEATS` on its input with a line of JSON: the seconds of each repeat, and some features.
#include <torch/torch.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include "core/data/image_size.h"
#include "core/model/image_encoder.h"
#include "core/model/initialize.h"
#include "core/model/named_architectures.h"
#include "core/model/text_encoder.h"
#include "core/tensor/compat.h"
#include "core/tensor/weight_memory.h"
#include "core/tensor/weight_set.h"
#include "tests/benchmarks/comparison.h"
#include "tests/benchmarks/write_weights.h"

namespace modelpatch::benchmarks {
namespace {

// The small ViT of the examples, or a named architecture.
model::ModelConfig ConfigOf(const std::string& name) {
  model::ModelConfig config = *model::NamedArchitecture(name == "small" ? "ViT-S-32-alt-quickgelu" : name);
  if (name != "small") return config;
  config.vision.image_size = 32;
  config.vision.patch_size = 4;
  config.vision.width = 192;
  config.vision.layers = 6;
  config.vision.heads = 3;
  config.vision.mlp_width = 768;
  return config;
}

// sin(i), which every language computes alike.
at::Tensor MakePixels(int64_t batch, const model::VisionConfig& vision) {
  const data::ImageSize size = vision.image_size;
  const at::Tensor pixels = at::empty({batch, 3, size.height, size.width}, at::kFloat);
  float* values = pixels.data_ptr<float>();
  for (int64_t i = 0; i < pixels.numel(); ++i) values[i] = static_cast<float>(std::sin(static_cast<double>(i)));
  return pixels;
}

void Print(const std::vector<double>& seconds, const at::Tensor& features) {
  std::printf("{\"seconds\": [");
  for (size_t i = 0; i < seconds.size(); ++i) std::printf("%s%.9f", i == 0 ? "" : ", ", seconds[i]);
  std::printf("], \"features\": [");
  for (int64_t i = 0; i < features.numel(); ++i)
    std::printf("%s%.9g", i == 0 ? "" : ", ", features.data_ptr<float>()[i]);
  std::printf("]}\n");
  std::fflush(stdout);
}

template <typename Function>
std::vector<double> Repeat(int repeats, const Function& function) {
  std::vector<double> seconds;
  for (int i = 0; i < repeats; ++i) seconds.push_back(TimeSeconds(function));
  return seconds;
}

int RunChild(const std::string& architecture, const std::string& weight_path) {
  const at::NoGradGuard no_grad;
  const model::ModelConfig config = ConfigOf(architecture);
  const auto encoder = model::MakeImageEncoder(config.vision, config.embedding_width);
  const model::TextEncoder text_encoder(config.text, config.embedding_width);
  const tensor::WeightSet weights(*tensor::WeightLayout::Make(encoder->WeightSpecs()), tensor::Device());
  {
    const tensor::WeightSet text_weights(*tensor::WeightLayout::Make(text_encoder.WeightSpecs()), tensor::Device());
    model::InitializeWeights(config, 1, weights, text_weights);
  }
  // A fresh ResNet's blocks are the identity; these are not.
  for (size_t i = 0; i < weights.views().size(); ++i) {
    at::Tensor view = weights.views()[i];
    if (weights.layout().weights()[i].spec.name.ends_with(".bn3.weight")) view.fill_(0.5);
  }
  WriteWeights(weights, weight_path);
  std::printf("{}\n");
  std::fflush(stdout);
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    std::string what;
    int64_t size = 0;
    int threads = 0;
    int repeats = 0;
    words >> what >> size >> threads >> repeats;
    tensor::SetIntraOpThreads(threads);
    if (what == "gemm") {
      const at::Tensor a = at::randn({size, size});
      const at::Tensor b = at::randn({size, size});
      at::Tensor c = at::empty({size, size});
      at::mm_out(c, a, b);
      Print(Repeat(repeats, [&] { at::mm_out(c, a, b); }), at::empty({0}));
      continue;
    }
    const at::Tensor pixels = MakePixels(size, config.vision);
    const at::Tensor features = encoder->Forward(weights.views(), pixels);
    Print(Repeat(repeats, [&] { encoder->Forward(weights.views(), pixels); }),
          features.select(0, features.size(0) - 1).slice(0, 0, 8).contiguous());
  }
  return 0;
}

}  // namespace
}  // namespace modelpatch::benchmarks

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.size() == 3 && arguments[0] == "--child") {
    modelpatch::tensor::KeepHeapForActivations();
    return modelpatch::benchmarks::RunChild(arguments[1], arguments[2]);
  }
  std::vector<std::string> command = {"python3", "-B", MODELPATCH_FORWARD_SCRIPT, argv[0]};
  command.insert(command.end(), arguments.begin(), arguments.end());
  std::vector<char*> words;
  for (std::string& word : command) words.push_back(word.data());
  words.push_back(nullptr);
  execv("/usr/bin/python3", words.data());
  std::perror("/usr/bin/python3");
  return 1;
}
