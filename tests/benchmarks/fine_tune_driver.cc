// Runs one real fine-tuning step from its spec, without server, gRPC or processes.
//
//   fine_tune_driver SPEC.json      SPEC.json is a step's spec as in a job's directory (core/train/step_spec.h)
//   fine_tune_driver --example MODEL_DIR BLOB_DIR > SPEC.json
#include <cstdio>
#include <string>

#include "core/base/file.h"
#include "core/tensor/compat.h"
#include "core/tensor/weight_memory.h"
#include "core/train/step_runner.h"

namespace {

using modelpatch::train::StepSpec;

class PrintedEvents final : public modelpatch::train::StepEvents {
 public:
  void Progress(const modelpatch::train::TrainingProgress& progress) override {
    std::fprintf(stderr, "step %ld/%ld loss %.4f, %.0f images/s\n", static_cast<long>(progress.step),
                 static_cast<long>(progress.total_steps), progress.loss, progress.images_per_second);
  }
  void SearchPoint(const modelpatch::train::CurvePoint& point) override {
    std::fprintf(stderr, "alpha %.3f\n", point.alpha);
  }
  void SearchProgress(int64_t done, int64_t total) override {
    std::fprintf(stderr, "evaluation %ld/%ld\n", static_cast<long>(done), static_cast<long>(total));
  }
  void Log(std::string_view message) override {
    std::fprintf(stderr, "%.*s\n", static_cast<int>(message.size()), message.data());
  }
};

std::string ExampleSpec(const std::string& model_directory, const std::string& blob_directory) {
  modelpatch::train::FineTuneSpec work;
  work.model_directory = model_directory;
  modelpatch::train::NamedTask& task = work.tasks.emplace_back();
  task.name = "digits";
  task.source.format = "generator";
  task.source.generator = "digits";
  task.source.generated_train = 5000;
  task.source.generated_validation = 1000;
  work.options.steps = 100;
  work.options.warmup_steps = 10;
  work.options.learning_rate = 1e-4;
  StepSpec spec;
  spec.blob_directory = blob_directory;
  spec.threads = 2;
  spec.work = work;
  return StepSpecToJson(spec);
}

absl::Status Run(const std::string& path) {
  MP_ASSIGN_OR_RETURN(const std::string json, modelpatch::base::ReadFile(path, 1 << 24));
  MP_ASSIGN_OR_RETURN(const StepSpec spec, modelpatch::train::StepSpecFromJson(json));
  const modelpatch::base::SystemClock clock;
  PrintedEvents events;
  MP_ASSIGN_OR_RETURN(const std::string result, RunStep(spec, {clock, "driver"}, {}, events));
  std::printf("%s\n", result.c_str());
  return absl::OkStatus();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 4 && std::string(argv[1]) == "--example") {
    std::printf("%s\n", ExampleSpec(argv[2], argv[3]).c_str());
    return 0;
  }
  if (argc != 2) {
    std::fprintf(stderr, "usage: %s SPEC.json | --example MODEL_DIR BLOB_DIR\n", argv[0]);
    return 2;
  }
  modelpatch::tensor::KeepHeapForActivations();
  const absl::Status status = Run(argv[1]);
  if (!status.ok()) std::fprintf(stderr, "%s\n", status.ToString().c_str());
  return status.ok() ? 0 : 1;
}
