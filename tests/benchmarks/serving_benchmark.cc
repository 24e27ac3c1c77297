// Serving, against a server in Python and against the same work without a server: `./run bench serving [--quick]`.
//
// Without `--direct` it starts serving_benchmark.py, which makes a model, starts servers, loads them with `modelpatch
// bench`, and runs this program again as `--direct MODEL_DIRECTORY WEIGHTS JPEG…`: it writes the image tower's weights
// to the file WEIGHTS, for the reference, and then answers lines with a rate a second, on all cores:
//   images BATCH SECONDS    images that were decoded, preprocessed and encoded, in batches
//   pixels BATCH SECONDS    images that were decoded and preprocessed
//   gemm SIZE SECONDS       products of two matrices SIZE × SIZE in fp32
#include <torch/torch.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <iostream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "core/base/file.h"
#include "core/data/preprocess.h"
#include "core/model/model_loader.h"
#include "core/tensor/compat.h"
#include "core/tensor/weight_memory.h"
#include "tests/benchmarks/comparison.h"
#include "tests/benchmarks/write_weights.h"

namespace modelpatch::benchmarks {
namespace {

constexpr uint64_t kMaximumImageBytes = uint64_t{64} << 20;

int Fail(const absl::Status& status) {
  std::fprintf(stderr, "serving_benchmark: %s\n", status.ToString().c_str());
  return 1;
}

// The pixels of one batch, made on all threads.
at::Tensor MakePixels(const model::ClipModel& model, const std::vector<std::string>& jpegs, int64_t batch, int threads,
                      int64_t first) {
  const data::ImageSize size = model.config.vision.image_size;
  const at::Tensor pixels = at::empty({batch, 3, size.height, size.width}, at::kFloat);
  float* out = pixels.data_ptr<float>();
  const auto fill = [&](int64_t begin) {
    for (int64_t i = begin; i < batch; i += threads) {
      const std::string& jpeg = jpegs[static_cast<size_t>(first + i) % jpegs.size()];
      const data::RgbImage image = data::PreprocessToPixels(jpeg, model.preprocess).value();
      data::NormalizeToPlanar(image.pixels.data(), model.preprocess, out + i * 3 * size.pixels());
    }
  };
  std::vector<std::thread> others;
  for (int64_t i = 1; i < threads; ++i) others.emplace_back(fill, i);
  fill(0);
  for (std::thread& one : others) one.join();
  return pixels;
}

// How often a second `work(n)`, n = 0, 1, …, runs, over so many seconds; it runs once before.
template <typename Work>
double Rate(double limit, const Work& work) {
  work(0);
  int64_t runs = 0;
  double seconds = 0;
  while (seconds < limit) {
    seconds += TimeSeconds([&] { work(runs); });
    ++runs;
  }
  return static_cast<double>(runs) / seconds;
}

// The answer to a line, or −1.
double Measure(const std::string& what, int64_t size, double limit, const model::ClipModel& model,
               const std::vector<std::string>& jpegs, int threads) {
  if (what == "gemm") {
    const at::Tensor a = at::randn({size, size});
    const at::Tensor b = at::randn({size, size});
    at::Tensor c = at::empty({size, size});
    return Rate(limit, [&](int64_t) { at::mm_out(c, a, b); });
  }
  const auto make_pixels = [&](int64_t run) { return MakePixels(model, jpegs, size, threads, run * size); };
  const auto batch = static_cast<double>(size);
  if (what == "pixels") return batch * Rate(limit, make_pixels);
  if (what != "images") return -1;
  return batch *
         Rate(limit, [&](int64_t run) { model.image_encoder->Forward(model.image_weights.views(), make_pixels(run)); });
}

int RunDirect(const std::string& directory, const std::string& weights_path, const std::vector<std::string>& paths) {
  const at::NoGradGuard no_grad;
  const auto model = model::LoadModel(directory, tensor::Device(), {});
  if (!model.ok()) return Fail(model.status());
  WriteWeights((*model)->image_weights, weights_path);
  std::vector<std::string> jpegs;
  for (const std::string& path : paths) {
    auto jpeg = base::ReadFile(path, kMaximumImageBytes);
    if (!jpeg.ok()) return Fail(jpeg.status());
    jpegs.push_back(*std::move(jpeg));
  }
  const int threads = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  tensor::SetIntraOpThreads(threads);
  std::printf("0\n");
  std::fflush(stdout);
  std::string what;
  int64_t size = 0;
  for (double limit = 0; std::cin >> what >> size >> limit;) {
    std::printf("%.3f\n", Measure(what, size, limit, **model, jpegs, threads));
    std::fflush(stdout);
  }
  return 0;
}

}  // namespace
}  // namespace modelpatch::benchmarks

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.size() > 3 && arguments[0] == "--direct") {
    modelpatch::tensor::KeepHeapForActivations();
    return modelpatch::benchmarks::RunDirect(arguments[1], arguments[2], {arguments.begin() + 3, arguments.end()});
  }
  std::vector<std::string> command = {"python3", "-B", MODELPATCH_SERVING_SCRIPT, argv[0]};
  command.insert(command.end(), arguments.begin(), arguments.end());
  std::vector<char*> words;
  for (std::string& word : command) words.push_back(word.data());
  words.push_back(nullptr);
  execv("/usr/bin/python3", words.data());
  std::perror("serving_benchmark: /usr/bin/python3");
  return 1;
}
