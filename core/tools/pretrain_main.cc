// modelpatch-pretrain: trains a small CLIP from scratch on tasks with captions, and writes it as a Hugging Face
// directory.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <string>

#include "core/base/file.h"
#include "core/tensor/compat.h"
#include "core/tensor/weight_memory.h"
#include "core/train/pretrain.h"

namespace {

constexpr uint64_t kMaximumSpecBytes = 1 << 20;

absl::Status Run(const std::string& spec_path, const std::string& output, int threads) {
  MP_ASSIGN_OR_RETURN(const std::string text, modelpatch::base::ReadFile(spec_path, kMaximumSpecBytes));
  const std::string directory = std::filesystem::absolute(spec_path).parent_path().string();
  MP_ASSIGN_OR_RETURN(const modelpatch::train::PretrainSpec spec,
                      modelpatch::train::ParsePretrainSpec(text, directory));
  return modelpatch::train::Pretrain(spec, output, threads, {}, [](const std::string& line) {
    std::printf("%s\n", line.c_str());
    std::fflush(stdout);
  });
}

}  // namespace

int main(int argc, char** argv) {
  std::string spec_path;
  std::string output;
  int threads = 2;
  CLI::App app{
      "Trains a small CLIP on the images of tasks, with captions from their class names and templates, and writes it "
      "as a\n"
      "Hugging Face model directory. The spec is a JSON file: sizes of both towers, tasks, and training options; the "
      "model\n"
      "is a function of it. See deploy/demo/pretrain.json for an example and core/train/pretrain_spec.h for every "
      "member."};
  app.add_option("--spec", spec_path, "JSON file that says what to train; paths in it are relative to it")->required();
  app.add_option("--output", output, "directory to write the model to")->required();
  app.add_option("--threads", threads, "threads inside one operator")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);

  modelpatch::tensor::KeepHeapForActivations();
  modelpatch::tensor::SetIntraOpThreads(threads);
  const absl::Status status = Run(spec_path, output, threads);
  if (!status.ok()) {
    std::fprintf(stderr, "modelpatch-pretrain: %s\n", status.ToString().c_str());
    return 1;
  }
  return 0;
}
