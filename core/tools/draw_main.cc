// modelpatch-draw: writes examples of a generator as PNG files, to look at or to classify.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>

#include "core/base/file.h"
#include "core/data/generated_dataset.h"
#include "core/data/image_codec.h"

namespace {

using modelpatch::data::GeneratedExample;

struct Options {
  std::string generator;
  std::string output;
  uint64_t seed = 0;
  int64_t first = 0;
  int64_t count = 10;
  int side = 32;
};

absl::Status Draw(const Options& options) {
  MP_ASSIGN_OR_RETURN(const auto generator, modelpatch::data::FindGenerator(options.generator));
  MP_RETURN_IF_ERROR(modelpatch::base::CreateDirectories(options.output));
  for (int64_t index = options.first; index < options.first + options.count; ++index) {
    const GeneratedExample example = generator->Draw(options.seed, modelpatch::data::Split::kTest, index, options.side);
    MP_ASSIGN_OR_RETURN(const std::string png, modelpatch::data::EncodePng(example.image));
    const std::string path =
        fmt::format("{}/{}-{}-{}.png", options.output, options.generator, example.shape, example.color);
    MP_RETURN_IF_ERROR(modelpatch::base::WriteFileAtomically(path, png));
  }
  return absl::OkStatus();
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app{"Writes examples of a generator as PNG files named GENERATOR-SHAPE-COLOR.png."};
  app.add_option("--generator", options.generator, "shapes, colors or digits")->required();
  app.add_option("--output", options.output, "directory to write to")->required();
  app.add_option("--seed", options.seed, "the generator's seed")->capture_default_str();
  app.add_option("--first", options.first, "index of the first example")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--count", options.count, "how many")->check(CLI::Range(1, 10000))->capture_default_str();
  app.add_option("--side", options.side, "pixels of a side")->check(CLI::Range(8, 1024))->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  const absl::Status status = Draw(options);
  if (!status.ok()) std::fprintf(stderr, "modelpatch-draw: %s\n", status.ToString().c_str());
  return status.ok() ? 0 : 1;
}
