// Preprocessing against Pillow, in turn, on one thread each: `./run bench preprocess`.
//
// The program starts preprocess_benchmark.py, which measures Pillow and starts this program again, with `--serve`, to
// measure ours: each line `WHAT COUNT` is answered with the seconds that COUNT repetitions took, `pixels` with the
// preprocessed pixels, uint8 [224, 224, 3].
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <iostream>
#include <string>
#include <vector>

#include "core/base/file.h"
#include "core/data/preprocess.h"

namespace {

using namespace modelpatch;

int Serve(const std::string& path) {
  const auto jpeg = base::ReadFile(path, uint64_t{1} << 28);
  const auto image = jpeg.ok() ? data::DecodeImage(*jpeg) : jpeg.status();
  if (!image.ok()) {
    std::fprintf(stderr, "%s\n", std::string(image.status().message()).c_str());
    return 1;
  }
  data::PreprocessConfig bilinear;
  bilinear.filter = data::ResizeFilter::kBilinear;
  const data::PreprocessConfig config;
  std::vector<float> planes(static_cast<size_t>(3 * config.image_size.pixels()));
  std::string what;
  for (int count = 0; std::cin >> what >> count;) {
    const auto begin = std::chrono::steady_clock::now();
    data::RgbImage result;
    for (int i = 0; i < count; ++i) {
      if (what == "decode") result = data::DecodeImage(*jpeg).value();
      if (what == "bicubic") result = data::ResizeForModel(*image, config);
      if (what == "bilinear") result = data::ResizeForModel(*image, bilinear);
      if (what == "pixels" || what == "tensor") result = data::PreprocessToPixels(*jpeg, config).value();
      if (what == "tensor") data::NormalizeToPlanar(result.pixels.data(), config, planes.data());
    }
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    std::printf("%.9f\n", seconds);
    if (what == "pixels") std::fwrite(result.pixels.data(), 1, result.pixels.size(), stdout);
    if (what == "tensor") std::fwrite(planes.data(), sizeof(float), planes.size(), stdout);
    std::fflush(stdout);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 3 && std::string(argv[1]) == "--serve") return Serve(argv[2]);
  execl("/usr/bin/python3", "python3", "-B", MODELPATCH_PREPROCESS_SCRIPT, argv[0], nullptr);
  std::perror("preprocess_benchmark: /usr/bin/python3");
  return 1;
}
